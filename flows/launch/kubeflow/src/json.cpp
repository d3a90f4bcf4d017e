#include "json.hpp"

#include <weir/base/json.hpp>

namespace weir::flows::kubeflow {

Result<Document> Document::parse(std::string_view text) {
    Document document;
    document.parser_ = std::make_unique<simdjson::dom::parser>();
    auto error = document.parser_->parse(text.data(), text.size()).get(document.root_);
    if (error != simdjson::SUCCESS) {
        // Perhaps an integer that 64 bits do not hold.
        const std::string wide = with_wide_integers(text);
        if (!wide.empty()) error = document.parser_->parse(wide).get(document.root_);
    }
    if (error != simdjson::SUCCESS) return invalid(simdjson::error_message(error));
    return document;
}

std::optional<Element> member(Element object, std::string_view name) {
    simdjson::dom::object members;
    Element found;
    if (object.get(members) != simdjson::SUCCESS) return {};
    if (members.at_key(name).get(found) != simdjson::SUCCESS) return {};
    return found;
}

std::string_view text_of(Element object, std::string_view name) {
    const auto found = member(object, name);
    std::string_view text;
    if (!found || found->get(text) != simdjson::SUCCESS) return {};
    return text;
}

std::optional<simdjson::dom::array> list_of(Element object, std::string_view name) {
    const auto found = member(object, name);
    simdjson::dom::array list;
    if (!found || found->get(list) != simdjson::SUCCESS) return {};
    return list;
}

bool flag_of(Element object, std::string_view name, bool otherwise) {
    const auto found = member(object, name);
    bool flag = otherwise;
    if (found && found->get(flag) != simdjson::SUCCESS) return otherwise;
    return flag;
}

std::int64_t number_of(Element object, std::string_view name, std::int64_t otherwise) {
    const auto found = member(object, name);
    std::int64_t number = otherwise;
    if (found && found->get(number) != simdjson::SUCCESS) return otherwise;
    return number;
}

std::string to_text(Element element) {
    return simdjson::minify(element);
}

} // namespace weir::flows::kubeflow
