#include <algorithm>

#include <weir/base/document_reader.hpp>
#include <weir/base/json.hpp>

namespace weir {
namespace {

constexpr std::string_view name_pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";
constexpr std::string_view reference_pattern =
    "^([A-Za-z0-9][A-Za-z0-9._-]{0,127}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";
constexpr std::string_view duration_pattern = "^([0-9]+(ns|us|ms|s|m|h|d))+$";

/// All tables reachable from one, itself first, each once.
std::vector<const DocumentTable*> reachable(const DocumentTable& table) {
    std::vector<const DocumentTable*> found{&table};
    const auto add = [&](const DocumentTable* one) {
        if (one != nullptr && std::find(found.begin(), found.end(), one) == found.end()) found.push_back(one);
    };
    for (std::size_t i = 0; i < found.size(); ++i) {
        // add() moves the tables' pointers, not the tables.
        for (const auto& field : found[i]->fields) {
            if (!field.built) continue;
            add(field.section);
            for (const auto* kind : field.kinds)
                add(kind);
        }
    }
    return found;
}

std::string words_schema(const std::vector<std::string_view>& words) {
    std::string out = "{\"enum\":[";
    for (std::size_t i = 0; i < words.size(); ++i)
        out += (i > 0 ? "," : "") + json_string(words[i]);
    return out + "]}";
}

std::string text_schema(std::string_view pattern) {
    return pattern.empty() ? "{\"type\":\"string\"}"
                           : "{\"type\":\"string\",\"pattern\":" + json_string(pattern) + "}";
}

std::string one_or_more(const std::string& one) {
    return "{\"anyOf\":[" + one + ",{\"type\":\"array\",\"minItems\":1,\"items\":" + one + "}]}";
}

std::string map_of(const std::string& one) {
    return "{\"type\":\"object\",\"additionalProperties\":" + one + "}";
}

/// Exactly one of the two ways.
std::string secret_schema() {
    const auto way = [](std::string_view name) {
        return "{\"type\":\"object\",\"properties\":{" + json_string(name) +
               ":{\"type\":\"string\",\"minLength\":1}},\"additionalProperties\":false,\"required\":[" +
               json_string(name) + "]}";
    };
    return "{\"anyOf\":[" + way("env") + "," + way("file") + "]}";
}

std::string whole_schema(const Field& field) {
    std::string out = "{\"type\":\"integer\"";
    if (field.minimum != std::numeric_limits<std::int64_t>::min())
        out += ",\"minimum\":" + std::to_string(field.minimum);
    if (field.maximum != std::numeric_limits<std::int64_t>::max())
        out += ",\"maximum\":" + std::to_string(field.maximum);
    return out + "}";
}

std::string type_schema(const Field& field) {
    const auto section = [&] {
        return "{\"$ref\":" + json_string("#/$defs/" + std::string(field.section->name)) + "}";
    };
    switch (field.type) {
        case FieldType::Any: return "{}";
        case FieldType::Flag: return "{\"type\":\"boolean\"}";
        case FieldType::Whole: return whole_schema(field);
        case FieldType::Number: return "{\"type\":\"number\"}";
        case FieldType::Text:
        case FieldType::Hidden:
        case FieldType::Expression: return text_schema({});
        case FieldType::Secret: return secret_schema();
        case FieldType::SecretMap: return map_of(secret_schema());
        case FieldType::Name: return text_schema(name_pattern);
        case FieldType::Reference: return text_schema(reference_pattern);
        case FieldType::Word: return words_schema(field.words);
        case FieldType::Period: return text_schema(duration_pattern);
        case FieldType::Texts: return one_or_more(text_schema({}));
        case FieldType::Words: return one_or_more(words_schema(field.words));
        case FieldType::TextMap: return map_of(text_schema({}));
        case FieldType::ExpressionOrMap:
            return "{\"anyOf\":[" + text_schema({}) + "," + map_of(text_schema({})) + "]}";
        case FieldType::ValueMap: return map_of("{}");
        case FieldType::Section: return section();
        case FieldType::SectionMap:
            return "{\"type\":\"object\",\"propertyNames\":" + text_schema(name_pattern) +
                   ",\"additionalProperties\":" + section() + "}";
        case FieldType::SectionList: return "{\"type\":\"array\",\"items\":" + section() + "}";
        case FieldType::NamedList: {
            const auto name = text_schema(name_pattern);
            return "{\"anyOf\":[" + name + ",{\"type\":\"array\",\"minItems\":1,\"items\":{\"anyOf\":[" +
                   name + "," + section() + "]}}]}";
        }
        case FieldType::KindMap: {
            std::string refs;
            for (const auto* kind : field.kinds)
                refs += (refs.empty() ? "" : ",") +
                        ("{\"$ref\":" + json_string("#/$defs/" + std::string(kind->name)) + "}");
            return "{\"type\":\"object\",\"propertyNames\":" + text_schema(name_pattern) +
                   ",\"additionalProperties\":{\"anyOf\":[" + refs + "]}}";
        }
    }
    return "{}";
}

std::string section_schema(const DocumentTable& table) {
    std::string properties, required;
    for (const auto& field : table.fields) {
        if (!field.built) continue;
        auto schema = type_schema(field);
        schema.insert(1, "\"description\":" + json_string(field.doc) + (schema.size() > 2 ? "," : ""));
        properties += (properties.empty() ? "" : ",") + json_string(field.name) + ":" + schema;
        if (field.required) required += (required.empty() ? "" : ",") + json_string(field.name);
    }
    std::string out = "{\"type\":\"object\",\"description\":" + json_string(table.doc) + ",\"properties\":{" +
                      properties + "},\"additionalProperties\":false";
    if (!required.empty()) out += ",\"required\":[" + required + "]";
    return out + "}";
}

std::string type_text(const Field& field) {
    const auto words = [&] {
        std::string out;
        for (const auto word : field.words)
            out += (out.empty() ? "`" : " \\| `") + std::string(word) + "`";
        return out;
    };
    const auto section = [&] {
        return field.section == nullptr ? std::string() : std::string(field.section->name);
    };
    switch (field.type) {
        case FieldType::Any: return "any value";
        case FieldType::Flag: return "`true` \\| `false`";
        case FieldType::Whole: return "whole number";
        case FieldType::Number: return "number";
        case FieldType::Text:
        case FieldType::Hidden: return "text";
        case FieldType::Secret: return "`{env: NAME}` \\| `{file: PATH}`";
        case FieldType::SecretMap: return "map of name to `{env: NAME}` \\| `{file: PATH}`";
        case FieldType::Name: return "name";
        case FieldType::Reference: return "name or team/name";
        case FieldType::Word: return words();
        case FieldType::Period: return "duration";
        case FieldType::Expression: return "expression";
        case FieldType::Texts: return "text or list of texts";
        case FieldType::Words: return words() + ", or a list";
        case FieldType::TextMap: return "map of texts";
        case FieldType::ExpressionOrMap: return "expression, or map of name to expression";
        case FieldType::ValueMap: return "map of values";
        case FieldType::Section: return section();
        case FieldType::SectionMap: return "map of name to " + section();
        case FieldType::SectionList: return "list of " + section();
        case FieldType::NamedList: return "name, or list of names and of " + section();
        case FieldType::KindMap: {
            std::string names;
            for (const auto* kind : field.kinds)
                names += (names.empty() ? "" : " or ") + std::string(kind->name);
            return "map of name to " + names;
        }
    }
    return {};
}

} // namespace

std::string json_schema(const DocumentTable& table) {
    std::string out =
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":" + json_string(table.name) +
        ",\"$ref\":" + json_string("#/$defs/" + std::string(table.name)) + ",\"$defs\":{";
    bool first = true;
    for (const auto* each : reachable(table)) {
        out += (first ? "" : ",") + json_string(each->name) + ":" + section_schema(*each);
        first = false;
    }
    return out + "}}";
}

std::string reference_text(const DocumentTable& table) {
    std::string out;
    for (const auto* each : reachable(table)) {
        out += (out.empty() ? "# " : "\n## ") + std::string(each->name) + "\n\n" + std::string(each->doc) +
               "\n\n| field | value | meaning |\n| --- | --- | --- |\n";
        std::string later;
        for (const auto& field : each->fields) {
            if (!field.built) {
                later += (later.empty() ? "`" : ", `") + std::string(field.name) + "`";
                continue;
            }
            out += "| `" + std::string(field.name) + "`" + (field.required ? " (required)" : "") + " | " +
                   type_text(field) + " | " + std::string(field.doc) + " |\n";
            for (const auto word : field.words_later)
                later +=
                    (later.empty() ? "`" : ", `") + std::string(field.name) + ": " + std::string(word) + "`";
        }
        if (!later.empty()) out += "\nKnown by name, not built yet: " + later + ".\n";
    }
    return out;
}

} // namespace weir
