#include "stored_report.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace weir::engine {
namespace {

using Json = nlohmann::ordered_json;

Json artifacts_json(const std::vector<flows::ArtifactRecord>& artifacts) {
    Json list = Json::array();
    for (const auto& artifact : artifacts)
        list.push_back({artifact.name, artifact.uri, artifact.type, artifact.metadata_json});
    return list;
}

std::vector<flows::ArtifactRecord> artifacts_from(const Json& list) {
    std::vector<flows::ArtifactRecord> artifacts;
    for (const auto& item : list)
        artifacts.push_back({item.at(0), item.at(1), item.at(2), item.at(3)});
    return artifacts;
}

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

std::optional<flows::Outcome> outcome_of_word(std::string_view word) {
    for (const auto outcome : {flows::Outcome::Succeeded, flows::Outcome::Failed, flows::Outcome::Cancelled,
                               flows::Outcome::Skipped, flows::Outcome::Refused, flows::Outcome::Lost})
        if (word == flows::to_string(outcome)) return outcome;
    return std::nullopt;
}

std::string encode(const StoredReport& report) {
    Json out = Json::object();
    if (const auto& own = report.own)
        out["own"] = {{"outcome", own->outcome ? flows::to_string(*own->outcome) : std::string_view()},
                      {"error", own->error},
                      {"outputs", own->outputs_json},
                      {"artifacts", artifacts_json(own->artifacts)}};
    if (const auto& end = report.end)
        out["end"] = {{"outcome", flows::to_string(end->outcome)},
                      {"error", end->error},
                      {"outputs", end->outputs_json},
                      {"started_at", to_ns(end->started_at)},
                      {"finished_at", to_ns(end->finished_at)},
                      {"inputs", artifacts_json(end->inputs)},
                      {"artifacts", artifacts_json(end->outputs)}};
    return out.empty() ? std::string() : text_of(out);
}

Result<StoredReport> decode_report(std::string_view json) {
    StoredReport report;
    if (json.empty()) return report;
    try {
        const auto in = Json::parse(json);
        if (in.contains("own")) {
            const auto& own = in.at("own");
            report.own =
                StoredReport::Own{outcome_of_word(own.at("outcome").get<std::string>()), own.at("error"),
                                  own.at("outputs"), artifacts_from(own.at("artifacts"))};
        }
        if (in.contains("end")) {
            const auto& end = in.at("end");
            const auto outcome = outcome_of_word(end.at("outcome").get<std::string>());
            if (!outcome) return corrupt("a stored report has no outcome");
            report.end = StoredReport::End{*outcome,
                                           end.at("error"),
                                           end.at("outputs"),
                                           from_ns(end.at("started_at")),
                                           from_ns(end.at("finished_at")),
                                           artifacts_from(end.at("inputs")),
                                           artifacts_from(end.at("artifacts"))};
        }
    } catch (const Json::exception& error) {
        return corrupt(std::string("a stored report does not read: ") + error.what());
    }
    return report;
}

namespace {

std::string merged_objects(const std::string& before, const std::string& now) {
    auto all = Json::parse(before);
    all.update(Json::parse(now));
    return text_of(all);
}

void replace_named(std::vector<flows::ArtifactRecord>& artifacts,
                   const std::vector<flows::ArtifactRecord>& now) {
    for (const auto& artifact : now) {
        std::erase_if(artifacts, [&](const auto& known) { return known.name == artifact.name; });
        artifacts.push_back(artifact);
    }
}

} // namespace

StoredReport::Own merged(StoredReport::Own before, const StoredReport::Own& now) {
    if (now.outcome) before.outcome = now.outcome;
    if (!now.error.empty()) before.error = now.error;
    before.outputs_json = merged_objects(before.outputs_json, now.outputs_json);
    replace_named(before.artifacts, now.artifacts);
    return before;
}

std::string over_limit(const StoredReport::Own& own, const CoreLimits& limits) {
    auto bytes = own.error.size() + own.outputs_json.size();
    for (const auto& artifact : own.artifacts)
        bytes +=
            artifact.name.size() + artifact.uri.size() + artifact.type.size() + artifact.metadata_json.size();
    const auto over = [](std::size_t max, const char* what) {
        return "with what is reported of this run already that makes more than " + std::to_string(max) +
               what + " of one attempt; nothing was changed";
    };
    if (bytes > limits.report_bytes_max) return over(limits.report_bytes_max, " bytes");
    if (own.artifacts.size() > limits.report_artifacts_max)
        return over(limits.report_artifacts_max, " artifacts");
    // An output takes more than four bytes: `"":1,`.
    if (own.outputs_json.size() / 4 > limits.report_outputs_max &&
        Json::parse(own.outputs_json).size() > limits.report_outputs_max)
        return over(limits.report_outputs_max, " outputs");
    return {};
}

RunFactInput settlement_of(const StoredReport& report) {
    RunFactInput fact;
    fact.kind = RunFactInput::Kind::Settled;
    expects(report.end.has_value(), "an attempt settles whose end nobody has told");
    fact.outcome = report.end->outcome;
    fact.reason = report.end->error;
    fact.outputs_json = report.end->outputs_json;
    fact.started_at = report.end->started_at;
    fact.finished_at = report.end->finished_at;
    fact.inputs = report.end->inputs;
    fact.outputs = report.end->outputs;
    if (!report.own) return fact;
    if (fact.reason.empty() && fact.outcome != flows::Outcome::Succeeded) fact.reason = report.own->error;
    fact.outputs_json = merged_objects(fact.outputs_json, report.own->outputs_json);
    replace_named(fact.outputs, report.own->artifacts);
    return fact;
}

StoredReport::Own own_of(const ReportInput& report) {
    return {report.outcome, report.error, report.outputs_json, report.artifacts};
}

StoredReport::End end_of(const RunFactInput& fact) {
    return {fact.outcome,     fact.reason, fact.outputs_json, fact.started_at,
            fact.finished_at, fact.inputs, fact.outputs};
}

} // namespace weir::engine
