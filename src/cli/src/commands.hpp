#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>

#include "client.hpp"
#include "environment.hpp"

/// What each command does once the command line is understood. Each returns the exit code, or an error that
/// run() prints; usage errors were found before.
namespace weir::cli {

/// triggers, flows, runs, events, decisions, audit.
struct ListOptions {
    std::string what;   ///< "runs": also the last part of the route
    Parameters filters; ///< as the route takes them
    std::size_t limit = 50;
    bool watch = false;
    bool json = false;
    Duration interval = std::chrono::seconds(1);
};
Result<int> list(const Environment& environment, const ListOptions& options);

/// delete, pause, resume, cancel, retry, accept-gap, replay: one request, one line.
struct ActOptions {
    std::string verb;
    std::string target;  ///< TEAM/TRIGGER, RUN, STREAM or a dead letter's number
    std::string waiting; ///< resume: "replay" or "drop"
    std::string reason = "by hand";
    bool json = false;
};
Result<int> act(const Environment& environment, const ActOptions& options);

struct ShowOptions {
    std::string target;
};
Result<int> show_dead_letter(const Environment& environment, const ShowOptions& options);

struct RunOptions {
    std::string flow;                    ///< FLOW or TEAM/FLOW
    std::vector<std::string> parameters; ///< key=value
    std::string request_id;
    std::string reason = "by hand";
    bool json = false;
};
Result<int> run_flow(const Environment& environment, const RunOptions& options);

struct ReportOptions {
    std::string run;
    std::string outcome;                ///< empty: not said
    std::string outputs;                ///< a JSON object; with `@` in front a file's name
    std::vector<std::string> artifacts; ///< name=uri
    std::string error;
    int attempt = 0; ///< 0: the newest
    bool json = false;
};
Result<int> report(const Environment& environment, const ReportOptions& options);

struct ApplyOptions {
    std::vector<std::string> paths;
    std::vector<std::string> flow_paths; ///< check --flows: flows that are there already
    std::string team;
    std::string owner;
    std::string reason = "by hand";
    bool dry_run = false;
    bool prune = false;
    bool json = false;
};
Result<int> apply(const Environment& environment, const ApplyOptions& options);
Result<int> check(const Environment& environment, const ApplyOptions& options);

struct PublishOptions {
    std::string type;
    std::string data; ///< JSON; with `@` in front a file's name
    std::string subject;
    std::string source;
    std::string id;
    std::string file; ///< JSON lines; "-": standard input
    bool json = false;
};
Result<int> publish(const Environment& environment, const PublishOptions& options);

struct WhyOptions {
    std::string run;
    std::string trigger;
    std::string event;
    bool json = false;
};
Result<int> why(const Environment& environment, const WhyOptions& options);

struct LineageOptions {
    std::string start;
    bool down = false;
    int depth = 10;
    std::string format = "tree";
};
Result<int> lineage(const Environment& environment, const LineageOptions& options);

struct LogsOptions {
    std::string run;
    std::string task;
    bool follow = false;
};
Result<int> logs(const Environment& environment, const LogsOptions& options);

struct TokenOptions {
    std::string principal;
    std::vector<std::string> scopes;
    std::vector<std::string> teams;
    std::string append; ///< tokens file that gets the line; empty: none
    bool json = false;
};
Result<int> new_token(const Environment& environment, const TokenOptions& options);

struct EvalOptions {
    std::string expression;
    std::string data; ///< file; "-": standard input; empty: none
};
Result<int> evaluate(const Environment& environment, const EvalOptions& options);

struct ScheduleOptions {
    std::string cron;
    std::string timezone = "UTC";
    std::string from; ///< RFC 3339; empty: now
    int count = 5;
    bool json = false;
};
Result<int> next_slots(const Environment& environment, const ScheduleOptions& options);

/// A whole file, or standard input for "-". Errors name the file. Limit: `bytes_max`.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

} // namespace weir::cli
