#include "answer.hpp"

#include <simdjson.h>
#include <nlohmann/json.hpp>

#include <weir/base/text.hpp>

namespace weir::cli {
namespace {

Error not_weir() {
    return invalid("the answer is not that of a weir server; check --server");
}

std::string without_line_breaks(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    // Inside of strings line breaks stand escaped, so these are layout.
    for (const char c : json) {
        if (c != '\n' && c != '\r') out += c;
    }
    return out;
}

} // namespace

Result<ListPage> read_page(std::string_view body) {
    try {
        ListPage page;
        simdjson::ondemand::parser parser;
        const simdjson::padded_string padded(body);
        auto document = parser.iterate(padded);
        for (auto field : document.get_object()) {
            const std::string_view name = field.unescaped_key();
            if (name == "items") {
                for (auto item : field.value().get_array()) {
                    simdjson::ondemand::object object = item.get_object();
                    page.lines.push_back(without_line_breaks(std::string_view(object.raw_json())));
                }
            } else if (name == "next") {
                if (!field.value().is_null())
                    page.next = std::string(std::string_view(field.value().get_string()));
            } else if (name == "after") {
                page.after = std::int64_t(field.value().get_int64());
            }
        }
        return page;
    } catch (const simdjson::simdjson_error&) {
        return not_weir();
    }
}

Result<nlohmann::json> read_object(std::string_view text) {
    auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return not_weir();
    return json;
}

std::string cell(const nlohmann::json& object, std::string_view name) {
    const auto found = object.find(std::string(name));
    if (found == object.end() || found->is_null()) return {};
    if (found->is_string()) return printable(found->get_ref<const std::string&>(), 400);
    return printable(found->dump(), 400);
}

std::string time_cell(const nlohmann::json& object, std::string_view name) {
    auto text = cell(object, name);
    if (text.size() < 20 || text[10] != 'T') return text;
    // Fractions of a second are for --json.
    return text.substr(0, 10) + " " + text.substr(11, 8) + "Z";
}

} // namespace weir::cli
