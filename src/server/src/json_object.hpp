#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/json.hpp>

namespace weir::server {

/// Writes one JSON object, members in the order given. Bytes of a text that are no UTF-8 (messages of
/// processes may hold such) are made visible as \xNN.
class JsonObject {
  public:
    JsonObject& raw(std::string_view name, std::string_view json) {
        if (out_.size() > 1) out_ += ',';
        append_json_string(out_, name);
        out_ += ':';
        out_ += json;
        return *this;
    }
    JsonObject& text(std::string_view name, std::string_view value) { return raw(name, json_string(value)); }
    /// null where there is nothing to say.
    JsonObject& text_or_null(std::string_view name, std::string_view value) {
        return value.empty() ? raw(name, "null") : text(name, value);
    }
    JsonObject& number(std::string_view name, std::int64_t value) { return raw(name, std::to_string(value)); }
    JsonObject& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
    /// null for the epoch, which means "not yet".
    JsonObject& time(std::string_view name, Instant value) {
        return to_ns(value) == 0 ? raw(name, "null") : text(name, format_rfc3339(value));
    }
    JsonObject& texts(std::string_view name, const std::vector<std::string>& values) {
        std::string list = "[";
        for (const auto& value : values) {
            if (list.size() > 1) list += ',';
            append_json_string(list, value);
        }
        return raw(name, list + "]");
    }
    [[nodiscard]] std::string end() const { return out_ + "}"; }

  private:
    std::string out_ = "{";
};

} // namespace weir::server
