#include <weir/engine/lines.hpp>

#include <openssl/evp.h>

#include <weir/base/json.hpp>
#include <weir/events/event.hpp>
#include <weir/events/wire_codec.hpp>

#include "json_object.hpp"

namespace weir::engine {
namespace {

using detail::JsonObject;

std::string base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const auto size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

void append_extensions(std::string& out, const std::vector<events::Extension>& extensions) {
    JsonObject object(out);
    for (const auto& extension : extensions) {
        // Integer and Boolean extensions have a canonical text that is their JSON form as well.
        if (extension.type == events::AttributeType::String) {
            object.text(extension.name, extension.value);
        } else {
            object.json(extension.name, extension.value);
        }
    }
    object.close();
}

void append_data(JsonObject& line, const events::Event* event) {
    const auto kind = event == nullptr ? events::DataKind::None : event->data_kind;
    switch (kind) {
        case events::DataKind::Json: line.json("data", event->data); break;
        case events::DataKind::Text: line.text("data", event->data); break;
        default: line.null("data");
    }
    if (kind == events::DataKind::Binary) return line.text("data_base64", base64(event->data));
    line.null("data_base64");
}

} // namespace

std::string event_line(const ledger::InputRow& input, bool with_data, std::string_view stream) {
    std::optional<events::Event> event;
    if (!input.body.empty()) {
        auto decoded = events::decode_wire(input.body);
        if (decoded.ok()) event = std::move(decoded).value();
    }
    if (stream.empty() && input.kind == ledger::InputKind::Settlement) stream = "internal";
    std::string out;
    JsonObject line(out);
    line.text("id", input.id);
    line.text("source", input.source);
    line.text("type", input.type);
    line.text_or_null("subject", input.subject);
    line.text_or_null("time", event ? event->time : std::string());
    line.time("arrived_at", input.time);
    line.number("seq", input.seq.value);
    line.text_or_null("stream", stream);
    line.number("position", input.position.value);
    if (input.duplicate_of) {
        line.number("duplicate_of", input.duplicate_of->value);
    } else {
        line.null("duplicate_of");
    }
    line.text_or_null("team", input.team);
    line.boolean("conflicting", input.conflicting);
    line.boolean("echo", input.echo);
    line.text_or_null("late_by", input.late_by.count() == 0 ? std::string() : format_duration(input.late_by));
    line.text_or_null("datacontenttype", event ? event->datacontenttype : std::string());
    if (event) {
        append_extensions(line.name("extensions"), event->extensions);
    } else {
        line.null("extensions");
    }
    line.boolean("data_retained", event.has_value());
    if (with_data) append_data(line, event ? &*event : nullptr);
    line.close();
    return out;
}

} // namespace weir::engine
