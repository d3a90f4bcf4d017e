#include "record_json.hpp"

#include <type_traits>

#include "json.hpp"

namespace weir::facade {
namespace {

/// Writes members into an object.
class Writer {
  public:
    template <class T>
    void operator()(const char* name, const T& value) {
        if constexpr (std::is_same_v<T, Instant>)
            out_[name] = to_ns(value);
        else
            out_[name] = value;
    }
    [[nodiscard]] std::string text() const { return to_text(out_); }

  private:
    Json out_ = Json::object();
};

/// Reads them back; what is missing or of another kind leaves the record's own value.
class Reader {
  public:
    explicit Reader(const Json& from) : from_(from) {}
    void operator()(const char* name, std::string& value) const {
        if (const auto found = from_.find(name); found != from_.end() && found->is_string())
            value = found->get<std::string>();
    }
    void operator()(const char* name, bool& value) const {
        if (const auto found = from_.find(name); found != from_.end() && found->is_boolean())
            value = found->get<bool>();
    }
    void operator()(const char* name, std::int64_t& value) const {
        if (const auto found = from_.find(name); found != from_.end() && found->is_number_integer())
            value = found->get<std::int64_t>();
    }
    void operator()(const char* name, Instant& value) const {
        std::int64_t ns = to_ns(value);
        (*this)(name, ns);
        value = from_ns(ns);
    }

  private:
    const Json& from_;
};

template <class Record, class Visit>
void members(Record& record,
             Visit& visit) requires std::is_same_v<std::remove_const_t<Record>, PipelineRecord> {
    visit("name", record.name);
    visit("display_name", record.display_name);
    visit("description", record.description);
    visit("team", record.team);
    visit("shared", record.shared);
    visit("tags", record.tags_json);
    visit("created", record.created);
}

template <class Record, class Visit>
void members(Record& record,
             Visit& visit) requires std::is_same_v<std::remove_const_t<Record>, VersionRecord> {
    visit("name", record.name);
    visit("display_name", record.display_name);
    visit("description", record.description);
    visit("code_source_url", record.code_source_url);
    visit("tags", record.tags_json);
}

template <class Record, class Visit>
void members(Record& record,
             Visit& visit) requires std::is_same_v<std::remove_const_t<Record>, ExperimentRecord> {
    visit("name", record.name);
    visit("description", record.description);
    visit("archived", record.archived);
    visit("created", record.created);
    visit("last_run", record.last_run);
}

template <class Record, class Visit>
void members(Record& record, Visit& visit) requires std::is_same_v<std::remove_const_t<Record>, RunNote> {
    visit("shown_id", record.shown_id);
    visit("display_name", record.display_name);
    visit("description", record.description);
    visit("experiment", record.experiment);
    visit("pipeline", record.pipeline);
    visit("version", record.version);
    visit("pipeline_root", record.pipeline_root);
    visit("service_account", record.service_account);
    visit("recurring", record.recurring);
    visit("plugins", record.plugins_json);
    visit("archived", record.archived);
    visit("deleted", record.deleted);
    visit("created", record.created);
}

template <class Record, class Visit>
void members(Record& record,
             Visit& visit) requires std::is_same_v<std::remove_const_t<Record>, RecurringRecord> {
    visit("name", record.name);
    visit("description", record.description);
    visit("experiment", record.experiment);
    visit("pipeline", record.pipeline);
    visit("version", record.version);
    visit("spec", record.spec_text);
    visit("runtime", record.runtime_json);
    visit("trigger", record.trigger_json);
    visit("service_account", record.service_account);
    visit("plugins", record.plugins_json);
    visit("max_concurrency", record.max_concurrency);
    visit("no_catchup", record.no_catchup);
    visit("enabled", record.enabled);
    visit("team", record.team);
    visit("trigger_name", record.trigger_name);
    visit("flow", record.flow);
    visit("own_flow", record.own_flow);
    visit("versions", record.versions_json);
    visit("deleted", record.deleted);
    visit("created", record.created);
    visit("updated", record.updated);
}

template <class Record>
std::string write(const Record& record) {
    Writer writer;
    members(record, writer);
    return writer.text();
}

template <class Record>
Status read(std::string_view text, Record& record) {
    const auto json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return corrupt("a record of the pipeline store cannot be read");
    Reader reader(json);
    members(record, reader);
    return {};
}

} // namespace

std::string body_of(const PipelineRecord& record) {
    return write(record);
}
std::string body_of(const VersionRecord& record) {
    return write(record);
}
std::string body_of(const ExperimentRecord& record) {
    return write(record);
}
std::string body_of(const RunNote& record) {
    return write(record);
}
std::string body_of(const RecurringRecord& record) {
    return write(record);
}

Status read_body(std::string_view text, PipelineRecord& record) {
    WEIR_TRY(read(text, record));
    // Of before there was a word for it: what was everybody's stood under this team.
    if (text.find("\"shared\":") == std::string_view::npos) record.shared = record.team == "default";
    return {};
}
Status read_body(std::string_view text, VersionRecord& record) {
    return read(text, record);
}
Status read_body(std::string_view text, ExperimentRecord& record) {
    return read(text, record);
}
Status read_body(std::string_view text, RunNote& record) {
    return read(text, record);
}
Status read_body(std::string_view text, RecurringRecord& record) {
    return read(text, record);
}

} // namespace weir::facade
