#include <weir/base/document.hpp>

#include <array>
#include <charconv>
#include <cmath>

#include <weir/base/json.hpp>

#include "document_parse.hpp"

namespace weir {
namespace {

/// The place that validate_json() put into its message; it has no other way to tell.
Place place_in(const std::string& message, std::string_view file) {
    Place place{std::string(file), 1, 1};
    const auto number_after = [&](std::string_view word, int otherwise) {
        const auto at = message.rfind(word);
        if (at == std::string::npos) return otherwise;
        int number = otherwise;
        std::from_chars(message.data() + at + word.size(), message.data() + message.size(), number);
        return number;
    };
    place.line = number_after("line ", 1);
    place.column = number_after("column ", 1);
    return place;
}

void append_double(std::string& out, double number) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    const std::string_view text(digits.data(), static_cast<std::size_t>(end - digits.data()));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_node(std::string& out, const Node& node) {
    switch (node.kind) {
        case Node::Kind::Null: out += "null"; break;
        case Node::Kind::Bool: out += node.bool_value ? "true" : "false"; break;
        case Node::Kind::Int: out += std::to_string(node.int_value); break;
        case Node::Kind::Double: append_double(out, node.double_value); break;
        case Node::Kind::String: append_json_string(out, node.text); break;
        case Node::Kind::List: {
            char before = '[';
            for (const auto& item : node.items) {
                out += before;
                append_node(out, item);
                before = ',';
            }
            out += node.items.empty() ? "[]" : "]";
            break;
        }
        case Node::Kind::Map: {
            char before = '{';
            for (const auto& [key, value] : node.members) {
                out += before;
                append_json_string(out, key.text);
                out += ':';
                append_node(out, value);
                before = ',';
            }
            out += node.members.empty() ? "{}" : "}";
            break;
        }
    }
}

std::string shortened(std::string_view text) {
    return text.size() <= 40 ? std::string(text) : std::string(text.substr(0, 40)) + "...";
}

/// Place of the byte at `offset`.
Place place_at(std::string_view text, std::size_t offset, std::string_view file) {
    Place place{std::string(file), 1, 1};
    for (const char c : text.substr(0, offset)) {
        place.column = c == '\n' ? 1 : place.column + 1;
        place.line += c == '\n' ? 1 : 0;
    }
    return place;
}

/// Checks that need no parser, so that no parser ever sees what they refuse.
bool readable(std::string_view text, std::string_view file, Problems& problems,
              const DocumentLimits& limits) {
    if (text.size() > limits.bytes_max) {
        problems.push_back({{std::string(file), 0, 0},
                            "the file has " + std::to_string(text.size()) + " bytes; the limit is " +
                                std::to_string(limits.bytes_max)});
        return false;
    }
    if (!valid_utf8(text)) {
        std::size_t good = 0;
        for (std::size_t step = text.size(); step > 0;) {
            if (good + step <= text.size() && valid_utf8(text.substr(0, good + step)))
                good += step;
            else
                step /= 2;
        }
        problems.push_back({place_at(text, good, file), "invalid UTF-8"});
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
            problems.push_back(
                {place_at(text, i, file),
                 "the control character " + printable(text.substr(i, 1)) +
                     " may not stand in a document; in a string in double quotes write an escape"});
            return false;
        }
    }
    return true;
}

} // namespace

const Node* Node::find(std::string_view key) const {
    for (const auto& [name, value] : members)
        if (name.text == key) return &value;
    return nullptr;
}

std::string Node::describe() const {
    switch (kind) {
        case Kind::Null: return text.empty() ? "nothing" : "null";
        case Kind::Bool: return bool_value ? "the boolean true" : "the boolean false";
        case Kind::Int:
        case Kind::Double: return "the number " + shortened(text);
        case Kind::String: return "the text \"" + printable(shortened(text)) + "\"";
        case Kind::List: return items.empty() ? "an empty list" : "a list";
        case Kind::Map: return members.empty() ? "an empty map" : "a map";
    }
    return "something";
}

std::vector<Node> read_documents(std::string_view text, std::string_view file, Problems& problems,
                                 const DocumentLimits& limits) {
    if (!readable(text, file, problems, limits)) return {};
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos && (text[first] == '{' || text[first] == '[')) {
        const auto valid = validate_json(text, {limits.bytes_max, limits.depth_max});
        if (valid.ok()) return detail::read_json_document(text, file, problems, limits);
        // A flow-style YAML document begins with a brace too; only a file that says it is JSON is held to it.
        if (valid.error().kind == ErrorKind::Exhausted || file.ends_with(".json")) {
            problems.push_back({place_in(valid.error().message, file), valid.error().message});
            return {};
        }
    }
    return detail::read_yaml_documents(text, file, problems, limits);
}

std::string to_json(const Node& node) {
    std::string out;
    append_node(out, node);
    return out;
}

} // namespace weir
