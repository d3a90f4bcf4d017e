#include "facade_impl.hpp"
#include "messages.hpp"

namespace weir::facade {
namespace {

const ListSchema& schema() {
    static const ListSchema table{"PipelineVersion",
                                  {{"pipeline_version_id"},
                                   {"id", false, false},
                                   {"display_name"},
                                   {"name"},
                                   {"description"},
                                   {"pipeline_id", false, false},
                                   {"status", false, false},
                                   {"created_at", true}},
                                  "pipeline_version_id"};
    return table;
}

Cell cell_of(const VersionRecord& record, std::size_t key) {
    switch (key) {
        case 0:
        case 1: return std::string_view(record.id);
        case 2: return std::string_view(record.display_name);
        case 3: return std::string_view(record.name);
        case 4: return std::string_view(record.description);
        case 5: return std::string_view(record.pipeline);
        case 6: return std::string_view("READY");
        default: return to_ns(record.created);
    }
}

} // namespace

Json version_json(const VersionRecord& record) {
    Json json{{"pipeline_id", record.pipeline},
              {"pipeline_version_id", record.id},
              {"display_name", record.display_name},
              {"name", record.name},
              {"created_at", precise_time_text(record.created)},
              {"pipeline_spec", shown_spec(record.text)}};
    if (!record.description.empty()) json["description"] = record.description;
    if (!record.code_source_url.empty()) json["code_source_url"] = record.code_source_url;
    if (auto tags = stored_json(record.tags_json); !tags.empty()) json["tags"] = std::move(tags);
    return json;
}

/// The pipeline's id in a version's path is not looked at: KFP does not either.
Outcome<VersionRecord> Facade::Impl::visible_version(const Ask& ask, const std::string& id) {
    auto record = ports.store.version(id);
    if (!record.ok() && record.error().kind != ErrorKind::NotFound) return record.error();
    if (!record.ok()) return missing("PipelineVersion", id);
    if (const auto pipeline = visible_pipeline(ask, record->pipeline); !pipeline.ok())
        return missing("PipelineVersion", id);
    return std::move(*record);
}

Outcome<Json> Facade::Impl::list_versions(const Ask& ask) {
    auto pipeline = visible_pipeline(ask, ask.values[0]);
    if (!pipeline.ok()) return pipeline.error().in("Failed to list pipeline versions");
    WEIR_ASSIGN(all, ports.store.versions(ask.values[0]));
    WEIR_ASSIGN(page, list_rows(schema(), ask.list_request(), all.size(),
                                [&](std::size_t row, std::size_t key) { return cell_of(all[row], key); }));
    Json answer = Json::object();
    for (const auto row : page.rows) {
        auto whole = ports.store.version(all[row].id);
        if (whole.ok()) answer["pipeline_versions"].push_back(version_json(*whole));
    }
    add_page(answer, page);
    return answer;
}

Outcome<Json> Facade::Impl::get_version(const Ask& ask) {
    auto record = visible_version(ask, ask.values[1]);
    if (!record.ok()) return record.error().in("Failed to get a pipeline version");
    return version_json(*record);
}

Outcome<Json> Facade::Impl::change_version(const Ask& ask) {
    WEIR_ASSIGN(message, body_message(ask, pipeline_version_message()));
    std::lock_guard guard(creating);
    WEIR_ASSIGN(record, visible_version(ask, ask.values[1]));
    if (const auto name = text_of(message, "display_name"); !name.empty()) record.display_name = name;
    if (message.contains("tags")) record.tags_json = to_text(message["tags"]);
    WEIR_TRY(ports.store.change_version(record));
    return version_json(record);
}

Outcome<Json> Facade::Impl::delete_version(const Ask& ask) {
    std::lock_guard guard(creating);
    auto record = visible_version(ask, ask.values[1]);
    if (!record.ok()) return record.error().in("Failed to delete a pipeline version");
    WEIR_ASSIGN(pipeline, visible_pipeline(ask, record->pipeline));
    WEIR_ASSIGN(versions, ports.store.versions(record->pipeline));
    const VersionRecord* next = nullptr; // the latest one without it
    bool is_latest = true;
    for (const auto& version : versions) {
        if (version.id == record->id) continue;
        is_latest = is_latest && version.created < record->created;
        if (next == nullptr || next->created < version.created) next = &version;
    }
    Following following;
    if (is_latest && next != nullptr) {
        WEIR_ASSIGN(whole, ports.store.version(next->id));
        auto made = follow(ask, pipeline, whole);
        if (!made.ok()) return made.error().in("Failed to delete a pipeline version");
        following = std::move(*made);
    }
    WEIR_TRY(ports.store.delete_version(record->id));
    make_follow(std::move(following));
    return Json(Json::object());
}

} // namespace weir::facade
