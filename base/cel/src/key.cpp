#include <algorithm>
#include <charconv>

#include <weir/base/json.hpp>
#include <weir/cel/value.hpp>

#include "number.hpp"

namespace weir::cel {
namespace {

/// Texts carry their length, so that no content can imitate a structure.
void put(std::string& out, char tag, std::string_view text) {
    out += tag;
    out += std::to_string(text.size());
    out += ':';
    out += text;
}

Status write_key(const Value& value, std::string& out);

Status write_map_key(const Value& value, std::string& out) {
    std::vector<std::string> members;
    for (const auto& [key, member] : value.as_map()) {
        auto& text = members.emplace_back();
        WEIR_TRY(write_key(key, text));
        text += '=';
        WEIR_TRY(write_key(member, text));
    }
    std::sort(members.begin(), members.end());
    out += '{';
    for (const auto& member : members)
        put(out, 'm', member);
    out += '}';
    return {};
}

Status write_key(const Value& value, std::string& out) {
    switch (value.kind()) {
        case Kind::Null: return invalid("null cannot be a key");
        case Kind::Bool: out += value.as_bool() ? "true" : "false"; return {};
        case Kind::Int: out += 'i' + std::to_string(value.as_int()); return {};
        case Kind::Uint: out += 'i' + std::to_string(value.as_uint()); return {};
        case Kind::Double: {
            const double d = value.as_double();
            if (std::isnan(d)) return invalid("NaN cannot be a key: it equals nothing, not even itself");
            std::int64_t whole = 0;
            std::uint64_t large = 0;
            if (to_int_exact(d, whole))
                out += 'i' + std::to_string(whole);
            else if (to_uint_exact(d, large))
                out += 'i' + std::to_string(large);
            else
                out += 'd' + display(d);
            return {};
        }
        case Kind::String: put(out, 's', value.as_string()); return {};
        case Kind::Bytes: put(out, 'b', value.as_string()); return {};
        case Kind::Type: put(out, 'y', value.as_string()); return {};
        case Kind::Timestamp:
            out += 't' + std::to_string(value.timestamp_seconds()) + '.' +
                   std::to_string(value.timestamp_nanoseconds());
            return {};
        case Kind::Duration: out += 'u' + std::to_string(value.as_duration().count()); return {};
        case Kind::List:
            out += '[';
            for (const auto& item : value.as_list()) {
                WEIR_TRY(write_key(item, out));
                out += ',';
            }
            out += ']';
            return {};
        case Kind::Map: return write_map_key(value, out);
    }
    return {};
}

/// Reads what write_key() wrote.
class KeyReader {
  public:
    explicit KeyReader(std::string_view text) : rest_(text) {}

    /// Appends the next value as JSON. False if the text is no key.
    bool read(std::string& out, int depth_left = 128) {
        if (rest_.empty() || depth_left == 0) return false;
        if (take("true")) return append(out, "true");
        if (take("false")) return append(out, "false");
        const char tag = rest_.front();
        rest_.remove_prefix(1);
        std::string_view content;
        switch (tag) {
            case 'i':
            case 'd': return number(out);
            case 's':
            case 'y': return sized(content) && quoted(out, content);
            case 'b': return sized(content) && quoted(out, base64(content));
            case 't': return timestamp(out);
            case 'u': return duration(out);
            case '[': return list(out, depth_left);
            case '{': return map(out, depth_left);
            default: return false;
        }
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

  private:
    static bool append(std::string& out, std::string_view text) {
        out += text;
        return !text.empty();
    }
    static bool quoted(std::string& out, std::string_view text) {
        append_json_string(out, text);
        return true;
    }
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    /// What JSON has no number for (an infinity) becomes a text.
    bool number(std::string& out) {
        const auto text = rest_.substr(0, rest_.find_first_of(",]=}"));
        rest_.remove_prefix(text.size());
        if (text.find_first_not_of("0123456789+-.e") != std::string_view::npos) return quoted(out, text);
        return append(out, text);
    }
    template <class Int>
    bool integer(Int& value) {
        const auto [end, failure] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (failure != std::errc()) return false;
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return true;
    }
    bool sized(std::string_view& content) {
        std::size_t size = 0;
        if (!integer(size) || !take(":") || size > rest_.size()) return false;
        content = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
    }
    bool timestamp(std::string& out) {
        std::int64_t seconds = 0;
        std::uint32_t nanoseconds = 0;
        if (!integer(seconds) || !take(".") || !integer(nanoseconds)) return false;
        return quoted(out, format_timestamp(seconds, nanoseconds));
    }
    bool duration(std::string& out) {
        std::int64_t count = 0;
        return integer(count) && quoted(out, format_seconds(Duration(count)));
    }
    bool list(std::string& out, int depth_left) {
        out += '[';
        for (bool first = true; !take("]"); first = false) {
            if (!first) out += ',';
            if (!read(out, depth_left - 1) || !take(",")) return false;
        }
        out += ']';
        return true;
    }
    bool map(std::string& out, int depth_left) {
        out += '{';
        for (bool first = true; !take("}"); first = false) {
            std::string_view member;
            if (!take("m") || !sized(member)) return false;
            KeyReader inside(member);
            std::string name;
            std::string value;
            if (!inside.read(name, depth_left - 1) || !inside.take("=") ||
                !inside.read(value, depth_left - 1))
                return false;
            if (!first) out += ',';
            if (!name.starts_with('"')) name = json_string(name);
            out += name + ':' + value;
        }
        out += '}';
        return true;
    }

    std::string_view rest_;
};

} // namespace

Result<std::string> canonical_key(const Value& value) {
    std::string out;
    WEIR_TRY(write_key(value, out));
    return out;
}

std::string key_json(std::string_view canonical) {
    KeyReader reader(canonical);
    std::string out;
    return reader.read(out) && reader.at_end() ? out : json_string(canonical);
}

} // namespace weir::cel
