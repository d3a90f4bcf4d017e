#include "publish_lines.hpp"

#include <nlohmann/json.hpp>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/events/json_codec.hpp>

namespace weir::cli {
namespace {

constexpr std::size_t line_bytes_max = 1024 * 1024;

/// One line, without its break. False at the end.
Result<bool> read_line(std::istream& in, std::string& line) {
    line.clear();
    auto& buffer = *in.rdbuf();
    for (int c = buffer.sbumpc(); c != std::istream::traits_type::eof(); c = buffer.sbumpc()) {
        if (c == '\n') return true;
        if (line.size() >= line_bytes_max) return exhausted("the line is over the limit of 1 MiB");
        line += static_cast<char>(c);
    }
    return !line.empty();
}

/// An event's JSON with what the command line adds. Parsed again, strictly, by the codec.
Result<events::Event> complete(const std::string& text, const PublishOptions& options,
                               const std::string& id) {
    auto json = nlohmann::ordered_json::parse(text, nullptr, false);
    const auto missing = [&](const char* name) { return !json.contains(name) || json[name].is_null(); };
    if (!missing("id") && !missing("source") && !missing("type")) return events::decode_json(text);
    // The object begins with `{`; what is missing is put in front, so that nothing of the text itself
    // changes.
    std::string head = "{";
    const auto add = [&](const char* name, std::string_view value) {
        head += json_string(name) + ":" + json_string(value) + ",";
    };
    for (const char* name : {"id", "source", "type"}) {
        if (json.contains(name) && json[name].is_null())
            return invalid(std::string("`") + name + "` is null; leave it out");
    }
    if (missing("id")) add("id", id);
    if (missing("source"))
        add("source", options.source.empty() ? default_source : std::string_view(options.source));
    if (missing("type")) {
        if (options.type.empty())
            return invalid("the event has no type; give one: weir publish TYPE --file ...");
        add("type", options.type);
    }
    return events::decode_json(head + text.substr(text.find('{') + 1));
}

} // namespace

Result<events::Event> single_event(const PublishOptions& options, const std::string& id) {
    events::Event event;
    event.type = options.type;
    event.source = options.source.empty() ? std::string(default_source) : options.source;
    event.subject = options.subject;
    event.id = options.id.empty() ? id : options.id;
    if (!options.data.empty()) {
        auto text = options.data;
        if (text.starts_with('@')) {
            WEIR_ASSIGN(content, read_file(text.substr(1), line_bytes_max));
            text = std::move(content);
        }
        auto valid = validate_json(text);
        if (!valid.ok())
            return invalid("--data is not JSON: " + valid.error().message +
                           "; a text stands in quotes: '\"text\"'");
        event.data_kind = events::DataKind::Json;
        event.datacontenttype = "application/json";
        event.data = std::move(text);
    }
    WEIR_TRY(events::check(event));
    return event;
}

Result<events::Event> EventLines::read(const std::string& line) const {
    auto valid = validate_json(line);
    if (!valid.ok()) return valid.error();
    std::string fields;
    append_field(fields, std::string_view(reinterpret_cast<const char*>(base_.data()), base_.size()));
    append_field(fields, static_cast<std::int64_t>(line_));
    const auto id = to_hex(sha256(fields)).substr(0, 32);
    const auto first = line.find_first_not_of(" \t\r");
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("specversion")) return complete(line.substr(first), options_, id);
    if (options_.type.empty()) {
        return invalid(
            "not a CloudEvent (no \"specversion\"); to make each line the data of an event give its type: "
            "weir publish TYPE --file ...");
    }
    auto options = options_;
    options.data = line;
    options.id.clear();
    return single_event(options, id);
}

Result<std::optional<events::Event>> EventLines::next() {
    std::string line;
    while (true) {
        ++line_;
        const auto place = name_ + ":" + std::to_string(line_);
        auto more = read_line(in_, line);
        if (!more.ok()) return more.error().in(place);
        if (!*more) return std::optional<events::Event>();
        bytes_ += line.size() + 1;
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        auto event = read(line);
        if (!event.ok()) return event.error().in(place);
        return std::optional(std::move(*event));
    }
}

} // namespace weir::cli
