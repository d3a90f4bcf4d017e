#include "document.hpp"

#include <nlohmann/json.hpp>

#include <weir/base/result.hpp>

#include "../api_impl.hpp"
#include "tables.hpp"

namespace weir::server {

namespace {

using namespace openapi;
using Json = nlohmann::ordered_json;

Json reference(std::string_view object) {
    return {{"$ref", "#/components/schemas/" + std::string(object)}};
}

Json scalar(Kind kind) {
    switch (kind) {
        case Kind::Text: return {{"type", "string"}};
        case Kind::Time: return {{"type", "string"}, {"format", "date-time"}};
        case Kind::Uuid: return {{"type", "string"}, {"format", "uuid"}};
        case Kind::Whole: return {{"type", "integer"}, {"format", "int64"}};
        case Kind::Flag: return {{"type", "boolean"}};
        case Kind::Object: return {{"type", "object"}, {"additionalProperties", true}};
        case Kind::TextMap: return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
        case Kind::Texts: return {{"type", "array"}, {"items", {{"type", "string"}}}};
        case Kind::Uuids: return {{"type", "array"}, {"items", {{"type", "string"}, {"format", "uuid"}}}};
        case Kind::Any:
        case Kind::Ref:
        case Kind::Refs: break;
    }
    return Json::object();
}

Json schema_of(const Member& member) {
    Json schema;
    if (member.kind == Kind::Ref)
        schema = {{"allOf", Json::array({reference(member.ref)})}};
    else if (member.kind == Kind::Refs)
        schema = {{"type", "array"}, {"items", reference(member.ref)}};
    else
        schema = scalar(member.kind);
    if (!member.words.empty()) {
        Json words = Json::array();
        for (const std::string_view word : member.words)
            words.push_back(word);
        if (member.null) words.push_back(nullptr);
        schema["enum"] = std::move(words);
    }
    if (member.null && member.kind != Kind::Any) schema["nullable"] = true;
    schema["description"] = member.about;
    return schema;
}

Json schema_of(const Object& object) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const Member& member : object.members) {
        properties[std::string(member.name)] = schema_of(member);
        if (!member.optional) required.push_back(member.name);
    }
    Json schema = {{"type", "object"}, {"description", object.about}, {"properties", std::move(properties)}};
    if (!required.empty()) schema["required"] = std::move(required);
    if (object.open) schema["additionalProperties"] = true;
    return schema;
}

Json page_of(std::string_view object) {
    return {
        {"type", "object"},
        {"description", "A page."},
        {"properties",
         {{"items", {{"type", "array"}, {"items", reference(object)}}},
          {"next", {{"type", "string"}, {"nullable", true}, {"description", "For `page`; null: the last."}}},
          {"after", {{"type", "integer"}, {"format", "int64"}, {"description", "For `after`."}}}}},
        {"required", {"items", "next", "after"}}};
}

Json content_of(std::string_view type, Json schema) {
    return {{std::string(type), {{"schema", std::move(schema)}}}};
}

Json content_given(const Operation& operation) {
    switch (operation.gives) {
        case Shape::Json: return content_of("application/json", reference(operation.given));
        case Shape::Listing:
            return content_of("application/json", reference(std::string(operation.given) + "Page"));
        case Shape::PlainText:
        case Shape::Metrics: return content_of("text/plain", scalar(Kind::Text));
        case Shape::JsonOrText: {
            Json content = content_of("application/json", scalar(Kind::Object));
            content.update(content_of("text/plain", scalar(Kind::Text)));
            return content;
        }
        case Shape::Document: return content_of("application/json", scalar(Kind::Object));
        case Shape::CloudEvents:
        case Shape::Nothing: break;
    }
    return Json::object();
}

Json body_of(const Operation& operation) {
    // A batch is taken, too, as is binary mode; generators of clients cannot tell bodies of several types
    // apart.
    if (operation.takes == Shape::CloudEvents)
        return {{"required", true},
                {"content", content_of("application/cloudevents+json", reference(operation.taken))}};
    const bool needed = operation.taken != "Reason";
    return {{"required", needed}, {"content", content_of("application/json", reference(operation.taken))}};
}

/// "/v1/runs/{}:cancel" and {"run"} as "/v1/runs/{run}:cancel".
std::string path_of(const Operation& operation) {
    std::string path;
    std::size_t name = 0;
    for (std::size_t i = 0; i < operation.pattern.size(); ++i) {
        path += operation.pattern[i];
        if (operation.pattern[i] != '{') continue;
        path += operation.names[name++];
        i = operation.pattern.find('}', i) - 1;
    }
    return path;
}

const QueryParameter& query_parameter(std::string_view name) {
    for (const QueryParameter& parameter : query_parameters())
        if (parameter.name == name) return parameter;
    expects(false, "a query parameter without a description: " + std::string(name));
    return query_parameters().front();
}

Json parameters_of(const Operation& operation, const Route& route) {
    Json list = Json::array();
    for (const std::string_view name : operation.names)
        list.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", scalar(Kind::Text)}});
    std::string_view rest = route.query;
    while (!rest.empty()) {
        const std::size_t end = rest.find(' ');
        const QueryParameter& parameter = query_parameter(rest.substr(0, end));
        list.push_back({{"name", parameter.name},
                        {"in", "query"},
                        {"description", parameter.about},
                        {"schema", scalar(parameter.kind)}});
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    return list;
}

Json answers_of(const Operation& operation) {
    Json answers = Json::object();
    std::vector<int> codes = operation.further;
    codes.insert(codes.begin(), operation.status);
    for (const int code : codes)
        answers[std::to_string(code)] = {{"description", operation.about},
                                         {"content", content_given(operation)}};
    answers["default"] = {{"description", "What went wrong."},
                          {"content", content_of("application/problem+json", reference("Problem"))}};
    return answers;
}

Json described(const Operation& operation, const Route& route) {
    Json json = {
        {"operationId", operation.id}, {"tags", Json::array({operation.tag})}, {"summary", operation.about}};
    if (Json list = parameters_of(operation, route); !list.empty()) json["parameters"] = std::move(list);
    if (operation.takes != Shape::Nothing) json["requestBody"] = body_of(operation);
    json["responses"] = answers_of(operation);
    if (route.role == Role::Open) json["security"] = Json::array();
    return json;
}

Json paths() {
    Json all = Json::object();
    for (const Operation& operation : operations())
        for (const Route& route : routes()) {
            if (route.method != operation.method || route.pattern != operation.pattern) continue;
            std::string method(operation.method);
            for (char& c : method)
                c = static_cast<char>(c - 'A' + 'a');
            all[path_of(operation)][method] = described(operation, route);
        }
    return all;
}

Json schemas() {
    Json all = Json::object();
    for (const Object& object : objects())
        all[std::string(object.name)] = schema_of(object);
    for (const Operation& operation : operations())
        if (operation.gives == Shape::Listing)
            all[std::string(operation.given) + "Page"] = page_of(operation.given);
    return all;
}

} // namespace

std::string openapi_document(std::string_view version) {
    const Json document = {
        {"openapi", "3.0.3"},
        {"info",
         {{"title", "weir"},
          {"version", version},
          {"description",
           "Events in, triggers decide, flows run. Times are RFC 3339; members that are unknown here are to "
           "be passed "
           "over, since more may come."}}},
        {"servers", Json::array({{{"url", "/"}}})},
        {"security", Json::array({{{"token", Json::array()}}})},
        {"paths", paths()},
        {"components",
         {{"schemas", schemas()},
          {"securitySchemes",
           {{"token",
             {{"type", "http"}, {"scheme", "bearer"}, {"description", "Where tokens are asked for."}}}}}}},
    };
    return document.dump();
}

} // namespace weir::server
