#include <nlohmann/json.hpp>

#include <weir/base/json.hpp>
#include <weir/base/text.hpp>
#include <weir/cli/cli.hpp>
#include <weir/cli/documents.hpp>

#include "answer.hpp"
#include "commands.hpp"

namespace weir::cli {
namespace {

using Json = nlohmann::json;

/// The server's limit of an apply request.
constexpr std::size_t request_bytes_max = 8 * 1024 * 1024;

/// JSON holds UTF-8 only; a file that is not UTF-8 is a problem before anything is sent.
Status check_texts(const Gathered& gathered) {
    for (const auto& file : gathered.files) {
        if (!valid_utf8(file.text)) return invalid(file.name + ": not UTF-8");
    }
    for (const auto& [name, text] : gathered.extra) {
        if (!valid_utf8(text)) return invalid(name + ": not UTF-8");
    }
    return {};
}

std::string request_body(const Gathered& gathered, const ApplyOptions& options) {
    std::string out = R"({"files":[)";
    bool first = true;
    for (const auto& file : gathered.files) {
        out += first ? "" : ",";
        first = false;
        out += R"({"name":)" + json_string(file.name) + R"(,"text":)" + json_string(file.text) + "}";
    }
    out += R"(],"extra":{)";
    first = true;
    for (const auto& [name, text] : gathered.extra) {
        out += first ? "" : ",";
        first = false;
        out += json_string(name) + ":" + json_string(text);
    }
    out += R"(},"dry_run":)" + std::string(options.dry_run ? "true" : "false");
    out += R"(,"prune":)" + std::string(options.prune ? "true" : "false");
    if (!options.team.empty()) out += R"(,"default_team":)" + json_string(options.team);
    if (!options.owner.empty()) out += R"(,"owner":)" + json_string(options.owner);
    return out + R"(,"reason":)" + json_string(options.reason) + "}";
}

int refuse(const std::vector<std::string>& problems) {
    for (const auto& problem : problems)
        note(problem);
    complain(std::to_string(problems.size()) + (problems.size() == 1 ? " problem" : " problems") +
             "; nothing was changed");
    return exit_failed;
}

void show_changes(const Json& answer, bool dry_run) {
    std::map<std::string, int> counts;
    for (const auto& change : answer.value("changes", Json::array())) {
        const auto action = cell(change, "action");
        ++counts[action];
        const char* mark = action == "created"   ? "+ "
                           : action == "updated" ? "~ "
                           : action == "deleted" ? "- "
                                                 : "= ";
        const auto version = cell(change, "version");
        print(mark + action + std::string(action.size() < 9 ? 9 - action.size() : 0, ' ') + " " +
              cell(change, "kind") + " " + cell(change, "team") + "/" + cell(change, "name") +
              (version.empty() ? "" : " (version " + version + ")") + "\n");
        for (const auto& remark : change.value("notes", Json::array())) {
            if (remark.is_string()) print("    " + printable(remark.get<std::string>(), 1000) + "\n");
        }
    }
    std::string summary;
    for (const auto& [action, count] : counts) {
        summary += (summary.empty() ? "" : ", ") + std::to_string(count) + " " + action;
    }
    if (summary.empty()) summary = "nothing to do";
    print((dry_run ? "would be: " : "") + summary + "\n");
}

} // namespace

Result<int> apply(const Environment& environment, const ApplyOptions& options) {
    WEIR_ASSIGN(gathered, gather(options.paths));
    for (const auto& path : gathered.passed_over) {
        // Pipelines lie beside the documents that name them; only what nobody names is worth a word.
        if (!gathered.extra.contains(path)) note("passed over " + path + ": neither a trigger nor a flow");
    }
    for (const auto& config : gathered.configs)
        note("passed over " + config.name + ": a configuration, for `weir serve --config`");
    if (!gathered.problems.empty()) return refuse(gathered.problems);
    if (gathered.files.empty() && !options.prune)
        return invalid("no documents found; expected *.yaml, *.yml or *.json with `trigger:` or `flow:`");
    WEIR_TRY(check_texts(gathered));
    const auto body = request_body(gathered, options);
    if (body.size() > request_bytes_max)
        return exhausted("more than 8 MiB of documents and pipelines; apply them in parts");
    WEIR_ASSIGN(client, Client::open(environment));
    auto reply = client->post("/v1/apply", body);
    if (!reply.ok()) {
        if (!client->problems().empty()) return refuse(client->problems());
        return reply.error();
    }
    if (options.json) {
        print(reply->body);
        return exit_done;
    }
    WEIR_ASSIGN(answer, read_object(reply->body));
    show_changes(answer, options.dry_run);
    return exit_done;
}

} // namespace weir::cli
