#include "conforming.hpp"

#include <regex>

#include <weir/base/clock.hpp>
#include <weir/base/ids.hpp>

namespace weir::server::test {

namespace {

using Json = nlohmann::json;

class Check {
  public:
    explicit Check(const Json& document) : document_(document) {}

    std::string schema(const Json& schema, const Json& value, const std::string& at) const {
        if (schema.contains("$ref")) return this->schema(resolve(schema["$ref"]), value, at);
        if (schema.contains("allOf")) return this->schema(schema["allOf"][0], value, at);
        if (schema.contains("enum")) {
            for (const Json& word : schema["enum"])
                if (word == value) return {};
            return at + ": " + value.dump() + " is none of " + schema["enum"].dump();
        }
        if (!schema.contains("type")) return {};
        if (value.is_null()) return schema.value("nullable", false) ? "" : at + ": is null";
        const std::string type = schema["type"];
        if (type == "object") return object(schema, value, at);
        if (type == "array") return array(schema, value, at);
        if (type == "string") return text(schema, value, at);
        if (type == "integer")
            return value.is_number_integer() ? "" : at + ": no whole number: " + value.dump();
        if (type == "boolean")
            return value.is_boolean() ? "" : at + ": neither true nor false: " + value.dump();
        return at + ": the schema's type " + type + " is not known here";
    }

  private:
    const Json& resolve(const std::string& reference) const {
        return document_.at(Json::json_pointer(reference.substr(1)));
    }

    std::string object(const Json& schema, const Json& value, const std::string& at) const {
        if (!value.is_object()) return at + ": no object: " + value.dump();
        for (const Json& name : schema.value("required", Json::array()))
            if (!value.contains(name.get<std::string>())) return at + ": lacks " + name.dump();
        const Json properties = schema.value("properties", Json::object());
        for (const auto& [name, member] : value.items()) {
            const std::string inner = at + "/" + name;
            if (properties.contains(name)) {
                if (auto wrong = this->schema(properties[name], member, inner); !wrong.empty()) return wrong;
            } else if (!schema.contains("additionalProperties")) {
                return inner + ": is not in the document";
            }
        }
        return {};
    }

    std::string array(const Json& schema, const Json& value, const std::string& at) const {
        if (!value.is_array()) return at + ": no list: " + value.dump();
        for (std::size_t i = 0; i < value.size(); ++i)
            if (auto wrong = this->schema(schema["items"], value[i], at + "/" + std::to_string(i));
                !wrong.empty())
                return wrong;
        return {};
    }

    static std::string text(const Json& schema, const Json& value, const std::string& at) {
        if (!value.is_string()) return at + ": no text: " + value.dump();
        const std::string format = schema.value("format", "");
        const std::string text = value;
        if (format == "uuid" && !Uuid::parse(text).ok()) return at + ": no UUID: " + text;
        if (format == "date-time" && !parse_rfc3339(text).ok()) return at + ": no time: " + text;
        return {};
    }

    const Json& document_;
};

/// "/v1/runs/{run}:cancel" as an expression of whole paths.
std::regex expression_of(const std::string& path) {
    std::string text;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] == '{') {
            text += path.find(":", i) != std::string::npos || path.ends_with('}') ? "[^/:]+" : "[^/]+";
            i = path.find('}', i);
        } else {
            text += std::string(path[i] == '.' ? "\\" : "") + path[i];
        }
    }
    return std::regex(text);
}

/// The operation of a request; nullptr: none.
const Json* operation_of(const Json& document, std::string method, const std::string& target) {
    for (char& c : method)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::string path = target.substr(0, target.find('?'));
    for (const auto& [pattern, operations] : document["paths"].items())
        if (operations.contains(method) && std::regex_match(path, expression_of(pattern)))
            return &operations[method];
    return nullptr;
}

} // namespace

std::string departs_from(const Json& document, const std::string& method, const std::string& target,
                         const Response& response) {
    const Json* operation = operation_of(document, method, target);
    if (operation == nullptr) return {};
    const Json& answers = (*operation)["responses"];
    const std::string code = std::to_string(response.status);
    if (!answers.contains(code) && response.status < 400) return "there is no answer " + code;
    const Json& content = answers[answers.contains(code) ? code : "default"]["content"];
    const std::string* type = response.header("Content-Type");
    if (type == nullptr) return "has no Content-Type";
    const std::string media = type->substr(0, type->find(';'));
    if (!content.contains(media)) return "has the Content-Type " + media;
    if (media == "text/plain") return {};
    const Json body = Json::parse(response.body, nullptr, false);
    if (body.is_discarded()) return "is no JSON";
    return Check(document).schema(content[media]["schema"], body, "");
}

} // namespace weir::server::test
