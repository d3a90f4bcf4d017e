#include <weir/base/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

#include <simdjson.h>

#include <weir/base/text.hpp>

namespace weir {
namespace {

std::string place_of(std::string_view text, std::size_t at) {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < at && i < text.size(); ++i) {
        if (text[i] == '\n') {
            ++line;
            column = 1;
        } else {
            ++column;
        }
    }
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// Depth by counting brackets outside of strings: one cheap pass, so that a hostile text never reaches a
/// parser.
std::size_t too_deep_at(std::string_view text, std::size_t depth_max) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > depth_max) return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return std::string_view::npos;
}

/// Where a parser that keeps no place of its DOM errors stumbles: the on-demand walk knows.
std::size_t fault_at(const simdjson::padded_string& text) {
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document document;
    if (parser.iterate(text).get(document) != simdjson::SUCCESS) return std::string_view::npos;
    struct Walk {
        static simdjson::error_code value(simdjson::ondemand::value v) {
            simdjson::ondemand::json_type type;
            if (auto e = v.type().get(type)) return e;
            switch (type) {
                case simdjson::ondemand::json_type::array:
                    for (auto item : v.get_array()) {
                        simdjson::ondemand::value inner;
                        if (auto e = item.get(inner)) return e;
                        if (auto e = value(inner)) return e;
                    }
                    return simdjson::SUCCESS;
                case simdjson::ondemand::json_type::object:
                    for (auto field : v.get_object()) {
                        std::string_view key;
                        if (auto e = field.unescaped_key().get(key)) return e;
                        simdjson::ondemand::value inner;
                        if (auto e = field.value().get(inner)) return e;
                        if (auto e = value(inner)) return e;
                    }
                    return simdjson::SUCCESS;
                case simdjson::ondemand::json_type::string: {
                    std::string_view s;
                    return v.get_string().get(s);
                }
                case simdjson::ondemand::json_type::number: {
                    simdjson::ondemand::number n;
                    return v.get_number().get(n);
                }
                case simdjson::ondemand::json_type::boolean: {
                    bool b = false;
                    return v.get_bool().get(b);
                }
                case simdjson::ondemand::json_type::null: {
                    // Only a value that begins with n gets here; the raw token says whether it is whole.
                    const std::string_view token = v.raw_json_token();
                    return token.starts_with("null") ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
                }
            }
            return simdjson::SUCCESS;
        }
    };
    simdjson::ondemand::value root;
    if (document.get_value().get(root) != simdjson::SUCCESS) return std::string_view::npos;
    if (Walk::value(root) == simdjson::SUCCESS) return std::string_view::npos;
    const char* here = nullptr;
    if (document.current_location().get(here) != simdjson::SUCCESS || here == nullptr)
        return std::string_view::npos;
    const auto offset = here - text.data();
    return offset < 0 ? std::string_view::npos : static_cast<std::size_t>(offset);
}

/// Whether an integer is one that 64 bits do not hold.
bool is_wide_integer(std::string_view token) {
    constexpr std::size_t digits_of_64_bits = 19;
    if (token.size() < digits_of_64_bits || token.find_first_of(".eE") != std::string_view::npos)
        return false;
    const auto read = [&](auto number) {
        const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
        return end == token.data() + token.size() && error == std::errc::result_out_of_range;
    };
    return token.front() == '-' ? read(std::int64_t{}) : read(std::uint64_t{});
}

/// with_wide_integers(), and where in the result something was put in.
std::string widened(std::string_view text, std::vector<std::size_t>& places) {
    std::string out;
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size();) {
        const char c = text[i];
        if (c == '"') {
            for (++i; i < text.size() && text[i] != '"'; ++i)
                if (text[i] == '\\') ++i;
            ++i;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            const auto end = std::min(text.find_first_not_of("0123456789.eE+-", i), text.size());
            if (is_wide_integer(text.substr(i, end - i))) {
                out.append(text, copied, end - copied);
                places.push_back(out.size());
                out += "e0";
                copied = end;
            }
            i = end;
        } else {
            ++i;
        }
    }
    if (!places.empty()) out.append(text, copied);
    return out;
}

/// "malformed JSON near line 1, column 2: why", of a text that the parser refused.
Error fault_of(std::string_view text, const simdjson::padded_string& padded,
               const std::vector<std::size_t>& places, simdjson::error_code error) {
    std::string message = "malformed JSON";
    if (auto at = fault_at(padded); at != std::string_view::npos && at <= padded.size()) {
        at -=
            2 * static_cast<std::size_t>(std::lower_bound(places.begin(), places.end(), at) - places.begin());
        message += " near " + place_of(text, at);
    }
    return invalid(message + ": " + simdjson::error_message(error));
}

} // namespace

Status validate_json(std::string_view text, const JsonLimits& limits) {
    if (text.size() > limits.bytes_max)
        return exhausted("the JSON text has " + std::to_string(text.size()) + " bytes; the limit is " +
                         std::to_string(limits.bytes_max));
    if (const auto at = too_deep_at(text, limits.depth_max); at != std::string_view::npos)
        return exhausted("JSON nested deeper than " + std::to_string(limits.depth_max) + " levels at " +
                         place_of(text, at));
    if (!simdjson::validate_utf8(text.data(), text.size())) {
        std::size_t good = 0, step = text.size();
        // The longest valid prefix, by halving: the fault sits right behind it.
        while (step > 0) {
            if (good + step <= text.size() && simdjson::validate_utf8(text.data(), good + step))
                good += step;
            else
                step /= 2;
        }
        return invalid("invalid UTF-8 at " + place_of(text, good));
    }
    thread_local simdjson::dom::parser parser;
    simdjson::dom::element element;
    simdjson::padded_string padded(text);
    auto error = parser.parse(padded).get(element);
    if (error == simdjson::SUCCESS) return {};
    std::vector<std::size_t> places;
    if (const auto wide = widened(text, places); !places.empty()) {
        padded = simdjson::padded_string(wide);
        error = parser.parse(padded).get(element);
        if (error == simdjson::SUCCESS) return {};
    }
    return fault_of(text, padded, places, error);
}

std::string with_wide_integers(std::string_view text) {
    std::vector<std::size_t> places;
    return widened(text, places);
}

void append_json_string(std::string& out, std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    if (!valid_utf8(text)) return append_json_string(out, as_utf8(text));
    out += '"';
    std::size_t plain = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        out.append(text, plain, i - plain);
        plain = i + 1;
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            default:
                out += "\\u00";
                out += hex[c >> 4];
                out += hex[c & 15];
        }
    }
    out.append(text, plain, text.size() - plain);
    out += '"';
}

std::string json_string(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    append_json_string(out, text);
    return out;
}

} // namespace weir
