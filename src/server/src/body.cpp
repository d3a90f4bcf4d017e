#include "body.hpp"

#include <algorithm>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>

namespace weir::server {
namespace {

constexpr std::size_t depth_max = 64;

Error wrong_type(std::string_view name, const Node& found, std::string_view expected) {
    return invalid("the member \"" + std::string(name) + "\" must be " + std::string(expected) + ", not " +
                   found.describe());
}

} // namespace

Result<Body> Body::read(const Request& request, std::vector<std::string_view> known, bool may_be_empty,
                        std::size_t bytes_max) {
    Body body;
    body.root_.kind = Node::Kind::Map;
    if (request.body.empty()) {
        if (may_be_empty) return body;
        return invalid("the body is empty; expected a JSON object");
    }
    auto valid = validate_json(request.body, {bytes_max, depth_max});
    if (!valid.ok()) return valid.error().in("body");
    const auto first = request.body.find_first_not_of(" \t\r\n");
    if (request.body[first] != '{') return invalid("body: expected a JSON object");
    Problems problems;
    DocumentLimits limits;
    limits.bytes_max = bytes_max;
    limits.depth_max = depth_max;
    auto documents = read_documents(std::string_view(request.body).substr(first), "body", problems, limits);
    if (!problems.empty()) return invalid(problems.front().to_string());
    if (documents.size() != 1) return invalid("body: expected one JSON object");
    body.root_ = std::move(documents.front());
    for (const auto& [key, _] : body.root_.members) {
        if (std::find(known.begin(), known.end(), key.text) != known.end()) continue;
        return invalid(key.place.to_string() + ": this route has no member \"" + printable(key.text, 64) +
                       "\"" + did_you_mean(key.text, known));
    }
    return body;
}

Result<std::string> Body::text(std::string_view name) const {
    const auto* node = root_.find(name);
    if (node == nullptr || node->kind == Node::Kind::Null) return std::string();
    if (node->kind != Node::Kind::String) return wrong_type(name, *node, "a string");
    return node->text;
}

Result<bool> Body::boolean(std::string_view name) const {
    const auto* node = root_.find(name);
    if (node == nullptr || node->kind == Node::Kind::Null) return false;
    if (node->kind != Node::Kind::Bool) return wrong_type(name, *node, "true or false");
    return node->bool_value;
}

Result<std::optional<std::int64_t>> Body::whole(std::string_view name) const {
    const auto* node = root_.find(name);
    if (node == nullptr || node->kind == Node::Kind::Null) return std::optional<std::int64_t>();
    if (node->kind != Node::Kind::Int) return wrong_type(name, *node, "a whole number");
    return std::optional(node->int_value);
}

Result<const Node*> Body::object(std::string_view name) const {
    const auto* node = root_.find(name);
    if (node == nullptr || node->kind == Node::Kind::Null) return static_cast<const Node*>(nullptr);
    if (node->kind != Node::Kind::Map) return wrong_type(name, *node, "an object");
    return node;
}

Result<const Node*> Body::list(std::string_view name) const {
    const auto* node = root_.find(name);
    if (node == nullptr || node->kind == Node::Kind::Null) return static_cast<const Node*>(nullptr);
    if (node->kind != Node::Kind::List) return wrong_type(name, *node, "a list");
    return node;
}

} // namespace weir::server
