#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <weir/base/clock.hpp>
#include <weir/base/json.hpp>

#include <weir/engine/lines.hpp>

namespace weir::engine::detail {

/// Writes one JSON object member by member, in the order of the calls.
class JsonObject {
  public:
    explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
    void close() { out_ += '}'; }

    void text(std::string_view key, std::string_view value) {
        name(key);
        append_json_string(out_, value);
    }
    /// Null if empty.
    void text_or_null(std::string_view key, std::string_view value) {
        if (value.empty()) return null(key);
        text(key, value);
    }
    void number(std::string_view key, std::int64_t value) {
        name(key);
        out_ += std::to_string(value);
    }
    void boolean(std::string_view key, bool value) {
        name(key);
        out_ += value ? "true" : "false";
    }
    void null(std::string_view key) {
        name(key);
        out_ += "null";
    }
    /// RFC 3339; null for the zero instant, which stands for "not yet" in records.
    void time(std::string_view key, Instant value) {
        if (to_ns(value) == 0) return null(key);
        text(key, format_rfc3339(value));
    }
    void json(std::string_view key, std::string_view value) {
        name(key);
        append_json_value(out_, value);
    }
    /// The key alone; the caller appends the value.
    std::string& name(std::string_view key) {
        if (!first_) out_ += ", ";
        first_ = false;
        append_json_string(out_, key);
        out_ += ": ";
        return out_;
    }

  private:
    std::string& out_;
    bool first_ = true;
};

} // namespace weir::engine::detail
