#include "sqlite/json_rows.hpp"

#include <nlohmann/json.hpp>

namespace weir::ledger::sqlite {

namespace {

/// What `read` makes of a JSON text; whatever the library throws is a damaged row.
template <class Read>
auto parse(std::string_view text, const char* what, Read read) -> Result<decltype(read(nlohmann::json()))> {
    try {
        return read(nlohmann::json::parse(text));
    } catch (const nlohmann::json::exception& e) {
        return corrupt(std::string("ledger: the ") + what + " of a row cannot be read: " + e.what());
    }
}

/// Text may hold any bytes; what is no UTF-8 is written as bytes would be, one replacement each.
std::string dump(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

std::string parameters_text(const std::vector<flows::Parameter>& parameters) {
    auto list = nlohmann::json::array();
    for (const auto& parameter : parameters) {
        list.push_back({{"name", parameter.name},
                        {"type", static_cast<int>(parameter.type)},
                        {"optional", parameter.optional},
                        {"default", parameter.default_json},
                        {"description", parameter.description},
                        {"literals", parameter.literals_json}});
    }
    return dump(list);
}

Result<std::vector<flows::Parameter>> parameters_from(std::string_view text) {
    return parse(text, "parameters", [](const nlohmann::json& list) {
        std::vector<flows::Parameter> parameters;
        for (const auto& item : list) {
            flows::Parameter parameter;
            item.at("name").get_to(parameter.name);
            parameter.type = static_cast<flows::ParameterType>(item.at("type").get<int>());
            item.at("optional").get_to(parameter.optional);
            item.at("default").get_to(parameter.default_json);
            item.at("description").get_to(parameter.description);
            item.at("literals").get_to(parameter.literals_json);
            parameters.push_back(std::move(parameter));
        }
        return parameters;
    });
}

Result<std::vector<std::string>> texts_from(std::string_view text) {
    return parse(text, "list",
                 [](const nlohmann::json& list) { return list.get<std::vector<std::string>>(); });
}

Result<std::vector<std::pair<std::int64_t, std::string>>> events_from(std::string_view text) {
    return parse(text, "events", [](const nlohmann::json& list) {
        std::vector<std::pair<std::int64_t, std::string>> events;
        for (const auto& item : list)
            events.emplace_back(item.at(0).get<std::int64_t>(), item.at(1).get<std::string>());
        return events;
    });
}

} // namespace weir::ledger::sqlite
