#include "facade_impl.hpp"

#include <algorithm>
#include "messages.hpp"
#include "multipart.hpp"

namespace weir::facade {
namespace {

constexpr std::size_t name_max = 128;
constexpr std::size_t description_max = 64 * 1024;

const ListSchema& schema() {
    static const ListSchema table{"Pipeline",
                                  {{"pipeline_id"},
                                   {"id", false, false},
                                   {"display_name"},
                                   {"name"},
                                   {"description"},
                                   {"namespace", false, false},
                                   {"created_at", true}},
                                  "pipeline_id"};
    return table;
}

Cell cell_of(const PipelineRecord& record, std::size_t key) {
    switch (key) {
        case 0:
        case 1: return std::string_view(record.id);
        case 2: return std::string_view(record.display_name);
        case 3: return std::string_view(record.name);
        case 4: return std::string_view(record.description);
        case 6: return to_ns(record.created);
        default: return std::string_view();
    }
}

Fault generic_upload_fault(Code code, const char* what, const std::string& why) {
    return {code, why, what};
}

/// KFP writes this one as text.
Done check_name(const std::string& name, std::size_t max, const char* kind) {
    if (name.size() <= max) return Nothing{};
    auto fault =
        gateway_fault(Code::Invalid, std::string(kind) + " name too long. Support maximum length of " +
                                         std::to_string(max) + ", got " + std::to_string(name.size()));
    fault.plain = true;
    return fault;
}

constexpr const char* upload_failed =
    "Failed to create a pipeline and a pipeline version. The pipeline: see error_details";
constexpr const char* version_failed = "Failed to create a pipeline version";

Outcome<std::pair<FormFile, Spec>> read_upload(const Ask& ask) {
    auto file = read_form(ask.call.content_type, ask.call.body);
    if (!file.ok())
        return Fault(Code::Invalid, file.error().message,
                     "Failed to read pipeline from the form: " + file.error().message);
    auto spec = read_spec(std::move(file->content));
    if (!spec.ok())
        return Fault(Code::Invalid, spec.error().message,
                     "failed to parse pipeline spec YAML: " + spec.error().message);
    file->content.clear();
    return std::pair(std::move(*file), std::move(*spec));
}

VersionRecord version_record(const Ask& ask, const std::string& pipeline, const std::string& name, Spec spec,
                             Instant now) {
    VersionRecord version;
    version.id = new_id();
    version.pipeline = pipeline;
    version.name = name;
    version.display_name = name;
    if (const auto display = ask.parameter("display_name"); !display.empty()) version.display_name = display;
    version.description = ask.parameter("description");
    version.code_source_url = ask.parameter("code_source_url");
    version.text = std::move(spec.text);
    version.created = now;
    return version;
}

std::string first_of(const std::string& a, const std::string& b, const std::string& c) {
    return !a.empty() ? a : !b.empty() ? b : c;
}

} // namespace

Outcome<std::string> tags_of(const Ask& ask) {
    const auto given = ask.parameter("tags");
    if (given.empty()) return std::string("{}");
    auto tags = parse_json(given, description_max);
    const auto texts = [](const Json& all) {
        return all.is_object() &&
               std::all_of(all.begin(), all.end(), [](const Json& tag) { return tag.is_string(); });
    };
    if (!tags.ok() || !texts(*tags))
        return generic_upload_fault(Code::Invalid, "tags must be a JSON object of texts", "tags: " + given);
    return to_text(*tags);
}

Json reference_json(const std::string& pipeline, const std::string& version) {
    Json json{{"pipeline_id", pipeline}};
    if (!version.empty()) json["pipeline_version_id"] = version;
    return json;
}

Json pipeline_json(const PipelineRecord& record) {
    Json json{{"pipeline_id", record.id},
              {"display_name", record.display_name},
              {"name", record.name},
              {"created_at", precise_time_text(record.created)}};
    if (!record.description.empty()) json["description"] = record.description;
    if (auto tags = stored_json(record.tags_json); !tags.empty()) json["tags"] = std::move(tags);
    return json;
}

Outcome<PipelineRecord> Facade::Impl::visible_pipeline(const Ask& ask, const std::string& id) {
    auto record = ports.store.pipeline(id);
    if (!record.ok() && record.error().kind != ErrorKind::NotFound) return record.error();
    if (!record.ok() || !ask.reaches(record->team)) return missing("Pipeline", id);
    return std::move(*record);
}

Outcome<Json> Facade::Impl::upload_pipeline(const Ask& ask) {
    const auto named = first_of(ask.parameter("name"), ask.parameter("display_name"), "");
    if (auto fits = check_name(named, name_max, "Pipeline"); !fits.ok()) return fits.error();
    if (ask.parameter("description").size() > description_max)
        return generic_upload_fault(Code::Invalid, upload_failed, "the description is over 64 KiB");
    auto tags = tags_of(ask);
    if (!tags.ok()) return tags.error();
    WEIR_ASSIGN(upload, read_upload(ask));
    auto& [file, spec] = upload;
    const auto name = first_of(named, file.name, spec.name);
    if (auto fits = check_name(name, name_max, "Pipeline"); !fits.ok()) return fits.error();
    std::lock_guard guard(creating);
    PipelineRecord pipeline;
    pipeline.id = new_id();
    pipeline.name = name;
    pipeline.display_name = first_of(ask.parameter("display_name"), name, "");
    pipeline.description = ask.parameter("description");
    pipeline.tags_json = *tags;
    pipeline.team = ask.call.teams.empty() ? "default" : ask.call.teams.front();
    pipeline.shared = ask.call.teams.empty();
    pipeline.created = ports.clock.now();
    auto version = version_record(ask, pipeline.id, name, std::move(spec), pipeline.created);
    if (const auto made = ports.store.add_pipeline(pipeline, version); !made.ok()) {
        if (made.error().kind == ErrorKind::Conflict)
            return generic_upload_fault(Code::AlreadyExists,
                                        "Failed to create a pipeline and a pipeline version",
                                        "Already exist error: the name " + name + " already exists");
        return made.error();
    }
    return pipeline_json(pipeline);
}

Outcome<Json> Facade::Impl::upload_version(const Ask& ask) {
    const auto id = ask.parameter("pipelineid");
    if (id.empty())
        return Fault(Code::Invalid, "Please specify a pipeline id when creating versions",
                     "Please specify a pipeline id when creating versions");
    const auto named = first_of(ask.parameter("name"), ask.parameter("display_name"), "");
    if (auto fits = check_name(named, name_max, "Pipeline version"); !fits.ok()) return fits.error();
    auto tags = tags_of(ask);
    if (!tags.ok()) return tags.error();
    WEIR_ASSIGN(upload, read_upload(ask));
    auto& [file, spec] = upload;
    const auto name = first_of(named, file.name, spec.name);
    std::lock_guard guard(creating);
    const auto pipeline = ports.store.pipeline(id);
    if (!pipeline.ok() || !ask.reaches(pipeline->team))
        return generic_upload_fault(Code::Invalid, version_failed, "Pipeline " + id + " not found");
    auto version = version_record(ask, id, name, std::move(spec), ports.clock.now());
    version.tags_json = *tags;
    // The newest is the latest version, also when a clock stands still or was set back.
    if (const auto latest = ports.store.latest_version(id); latest.ok())
        version.created = std::max(version.created, latest->created + std::chrono::microseconds(1));
    auto following = follow(ask, *pipeline, version);
    if (!following.ok())
        return generic_upload_fault(following.error().code, version_failed, following.error().detail);
    if (const auto made = ports.store.add_version(version); !made.ok()) {
        if (made.error().kind == ErrorKind::Conflict)
            return generic_upload_fault(
                Code::AlreadyExists, version_failed,
                "Already exist error: the pipeline has a version " + name + " already");
        return made.error();
    }
    make_follow(std::move(*following));
    return version_json(version);
}

Outcome<Json> Facade::Impl::create_pipeline(const Ask& ask) {
    WEIR_ASSIGN(message, body_message(ask, pipeline_message()));
    const auto name = first_of(text_of(message, "name"), text_of(message, "display_name"), "");
    if (name.empty())
        return invalid_fault("pipeline's name cannot be empty").in("Failed to create a pipeline");
    if (name.size() > name_max)
        return invalid_fault("pipeline's name cannot be over 128 bytes").in("Failed to create a pipeline");
    std::lock_guard guard(creating);
    PipelineRecord pipeline;
    pipeline.id = new_id();
    pipeline.name = name;
    pipeline.display_name = first_of(text_of(message, "display_name"), name, "");
    pipeline.description = text_of(message, "description");
    pipeline.team = ask.call.teams.empty() ? "default" : ask.call.teams.front();
    pipeline.shared = ask.call.teams.empty();
    if (message.contains("tags")) pipeline.tags_json = to_text(message["tags"]);
    pipeline.created = ports.clock.now();
    if (const auto made = ports.store.add_pipeline(pipeline); !made.ok()) {
        if (made.error().kind == ErrorKind::Conflict)
            return Fault(Code::AlreadyExists, "Failed to create a pipeline: Already exist error",
                         "The name " + name + " already exist. Please specify a new name");
        return made.error();
    }
    return pipeline_json(pipeline);
}

Outcome<Json> Facade::Impl::create_by_url(const Ask& ask) {
    WEIR_TRY(
        body_message(ask, ask.values.empty() ? pipeline_and_version_message() : pipeline_version_message()));
    return Fault(
        Code::Invalid,
        "Failed to create a pipeline: Invalid input error: Pipeline URL validation failed: weir fetches "
        "nothing from a URL; upload the file (POST pipelines/upload or pipelines/upload_version)",
        "Pipeline URL validation failed: weir fetches nothing from a URL; upload the file");
}

Outcome<Json> Facade::Impl::list_pipelines(const Ask& ask) {
    WEIR_ASSIGN(all, ports.store.pipelines());
    std::erase_if(all, [&](const PipelineRecord& record) { return !ask.reaches(record.team); });
    WEIR_ASSIGN(page, list_rows(schema(), ask.list_request(), all.size(),
                                [&](std::size_t row, std::size_t key) { return cell_of(all[row], key); }));
    Json answer = Json::object();
    for (const auto row : page.rows)
        answer["pipelines"].push_back(pipeline_json(all[row]));
    add_page(answer, page);
    return answer;
}

Outcome<Json> Facade::Impl::get_pipeline(const Ask& ask) {
    auto record = visible_pipeline(ask, ask.values[0]);
    if (!record.ok())
        return record.error().in("Failed to get a pipeline " + ask.values[0] + ". Check error stack");
    return pipeline_json(*record);
}

Outcome<Json> Facade::Impl::get_pipeline_by_name(const Ask& ask) {
    const auto& name = ask.values[0];
    const auto record = ports.store.pipeline_by_name(name);
    if (!record.ok() && record.error().kind != ErrorKind::NotFound) return record.error();
    if (!record.ok() || !ask.reaches(record->team))
        return missing("Pipeline", name).in("Failed to get a pipeline with name " + name + " and namespace");
    return pipeline_json(*record);
}

Outcome<Json> Facade::Impl::change_pipeline(const Ask& ask) {
    WEIR_ASSIGN(message, body_message(ask, pipeline_message()));
    std::lock_guard guard(creating);
    WEIR_ASSIGN(record, visible_pipeline(ask, ask.values[0]));
    if (const auto name = text_of(message, "display_name"); !name.empty()) record.display_name = name;
    if (message.contains("tags")) record.tags_json = to_text(message["tags"]);
    WEIR_TRY(ports.store.change_pipeline(record));
    return pipeline_json(record);
}

Outcome<Json> Facade::Impl::delete_pipeline(const Ask& ask) {
    const auto& id = ask.values[0];
    std::lock_guard guard(creating);
    auto record = visible_pipeline(ask, id);
    if (!record.ok()) return record.error().in("Failed to delete pipeline " + id + ". Check error stack");
    WEIR_ASSIGN(versions, ports.store.versions(id));
    if (!versions.empty() && ask.parameter("cascade") != "true")
        return invalid_fault("Failed to delete pipeline with id " + id +
                             " as it has existing pipeline versions (e.g. " + versions.front().id +
                             "). Set cascade=true to delete all versions")
            .in("Failed to delete pipeline " + id + ". Check error stack");
    WEIR_TRY(ports.store.delete_pipeline(id));
    return Json(Json::object());
}

} // namespace weir::facade
