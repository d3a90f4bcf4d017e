#include <weir/events/message.hpp>

#include <weir/base/digest.hpp>
#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/events/json_codec.hpp>

#include "base64.hpp"

namespace weir::events {
namespace {

/// Reads what append_field() wrote.
class Fields {
  public:
    explicit Fields(std::string_view bytes) : rest_(bytes) {}

    Result<std::uint64_t> number() {
        if (rest_.size() < 8) return corrupt("a stored message ends too early");
        std::uint64_t value = 0;
        for (int i = 7; i >= 0; --i)
            value = value << 8 | static_cast<unsigned char>(rest_[static_cast<std::size_t>(i)]);
        rest_.remove_prefix(8);
        return value;
    }
    Result<std::string> text() {
        WEIR_ASSIGN(size, number());
        if (size > rest_.size()) return corrupt("a stored message ends too early");
        std::string value(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return value;
    }
    [[nodiscard]] bool done() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

constexpr std::string_view form = "m1"; ///< of the encoding
constexpr char with_key = 1, with_body = 2;

void append_member(std::string& out, std::string_view name, const std::string& bytes) {
    const bool text = valid_utf8(bytes);
    out += ",\"" + std::string(name) + (text ? "\":" : "_base64\":");
    out += json_string(text ? bytes : to_base64(bytes));
}

std::string visible(const std::string& bytes) {
    return json_string(valid_utf8(bytes) ? bytes : printable(bytes, bytes.size() * 4));
}

} // namespace

Poison make_poison(std::string reason, Message message) {
    Poison poison;
    poison.reason = std::move(reason);
    poison.bytes = message.subject.size() + message.key.size() + message.body.size();
    for (const auto& [name, value] : message.headers)
        poison.bytes += name.size() + value.size();
    if (message.body.size() > dead_letter_bytes_max) {
        message.body.resize(dead_letter_bytes_max);
        message.body.shrink_to_fit();
        poison.cut = true;
    }
    // Headers without end would be kept for ever as well.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < message.headers.size(); ++i) {
        kept += message.headers[i].first.size() + message.headers[i].second.size();
        if (kept <= dead_letter_bytes_max) continue;
        message.headers.resize(i);
        poison.cut = true;
        break;
    }
    if (message.key.size() > dead_letter_bytes_max) {
        message.key.resize(dead_letter_bytes_max);
        poison.cut = true;
    }
    poison.message = std::move(message);
    return poison;
}

Message raw_message(const Event& event) {
    Event bytes = event;
    bytes.data_kind = DataKind::Binary;
    Message message;
    message.headers.emplace_back("content-type", "application/cloudevents+json");
    message.body = encode_json(bytes);
    return message;
}

std::string message_json(const Message& message) {
    std::string out = "{\"subject\":" + visible(message.subject) + ",\"headers\":[";
    for (std::size_t i = 0; i < message.headers.size(); ++i)
        out += (i == 0 ? "[" : ",[") + visible(message.headers[i].first) + "," +
               visible(message.headers[i].second) + "]";
    out += "]";
    if (message.has_key) append_member(out, "key", message.key);
    if (message.has_body) append_member(out, "body", message.body);
    return out + "}";
}

std::string encode_message(const Message& message) {
    std::string out(form);
    out += static_cast<char>((message.has_key ? with_key : 0) | (message.has_body ? with_body : 0));
    append_field(out, message.subject);
    append_field(out, message.key);
    append_field(out, message.body);
    for (const auto& [name, value] : message.headers) {
        append_field(out, name);
        append_field(out, value);
    }
    return out;
}

Result<Message> decode_message(std::string_view bytes) {
    if (bytes.size() <= form.size() || bytes.substr(0, form.size()) != form)
        return corrupt("this is no stored message");
    const char flags = bytes[form.size()];
    Fields fields(bytes.substr(form.size() + 1));
    Message message;
    message.has_key = (flags & with_key) != 0;
    message.has_body = (flags & with_body) != 0;
    WEIR_ASSIGN(subject, fields.text());
    WEIR_ASSIGN(key, fields.text());
    WEIR_ASSIGN(body, fields.text());
    message.subject = std::move(subject);
    message.key = std::move(key);
    message.body = std::move(body);
    while (!fields.done()) {
        WEIR_ASSIGN(name, fields.text());
        WEIR_ASSIGN(value, fields.text());
        message.headers.emplace_back(std::move(name), std::move(value));
    }
    return message;
}

} // namespace weir::events
