#include <nlohmann/json.hpp>

#include <weir/base/text.hpp>
#include <weir/cli/cli.hpp>

#include "answer.hpp"
#include "commands.hpp"

namespace weir::cli {
namespace {

struct TaskState {
    std::string name;
    bool ended = false;
};

Result<std::vector<TaskState>> tasks_of(Client& client, const std::string& run) {
    WEIR_ASSIGN(reply, client.get("/v1/runs/" + percent_encode(run) + "/tasks"));
    WEIR_ASSIGN(page, read_page(reply.body));
    std::vector<TaskState> tasks;
    for (const auto& line : page.lines) {
        WEIR_ASSIGN(task, read_object(line));
        const auto state = cell(task, "state");
        tasks.push_back({task.value("task", ""), state != "pending" && state != "running"});
    }
    return tasks;
}

Result<bool> has_settled(Client& client, const std::string& run) {
    WEIR_ASSIGN(reply, client.get("/v1/runs/" + percent_encode(run)));
    WEIR_ASSIGN(object, read_object(reply.body));
    return cell(object, "state") == "settled";
}

/// What `now` has that `before` had not: a log only grows, but only its end comes.
std::string_view news(std::string_view before, std::string_view now) {
    if (now.starts_with(before)) return now.substr(before.size());
    const auto tail = before.substr(before.size() - std::min<std::size_t>(before.size(), 4096));
    const auto at = now.rfind(tail);
    return at == std::string_view::npos ? now : now.substr(at + tail.size());
}

class LogReader {
  public:
    LogReader(Client& client, const LogsOptions& options) : client_(client), options_(options) {}

    /// Prints what is new of the chosen task, or of all. A task that has not written yet is passed over.
    Status show() {
        WEIR_ASSIGN(tasks, tasks_of(client_, options_.run));
        bool found = options_.task.empty();
        for (const auto& task : tasks) {
            if (!options_.task.empty() && task.name != options_.task) continue;
            found = true;
            WEIR_TRY(show_task(task.name));
        }
        if (found || options_.follow) return {};
        std::string names;
        for (const auto& task : tasks)
            names += (names.empty() ? "" : ", ") + printable(task.name);
        return not_found("run " + printable(options_.run) + " has no task \"" + printable(options_.task) +
                         "\"" + (names.empty() ? "; it has none yet" : "; it has " + names));
    }

  private:
    Status show_task(const std::string& task) {
        auto reply = client_.get("/v1/runs/" + percent_encode(options_.run) + "/logs", {{"task", task}});
        if (!reply.ok() && reply.error().kind == ErrorKind::NotFound) return {};
        if (!reply.ok()) return reply.error();
        auto& before = shown_[task];
        const auto fresh = news(before, reply->body);
        if (!fresh.empty()) {
            if (options_.task.empty() && task != current_) print("==> " + printable(task) + " <==\n");
            current_ = task;
            auto text = safe_lines(fresh);
            if (!options_.follow && !text.ends_with('\n')) text += '\n';
            print(text);
        }
        before = std::move(reply->body);
        return {};
    }

    Client& client_;
    const LogsOptions& options_;
    std::map<std::string, std::string> shown_;
    std::string current_;
};

} // namespace

Result<int> why(const Environment& environment, const WhyOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    WEIR_ASSIGN(reply, client->get("/v1/why", {{"run", options.run},
                                               {"trigger", options.trigger},
                                               {"event", options.event},
                                               {"format", options.json ? "json" : "text"}}));
    print(options.json ? reply.body : safe_lines(reply.body));
    return exit_done;
}

Result<int> lineage(const Environment& environment, const LineageOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    WEIR_ASSIGN(reply, client->get("/v1/lineage", {{"start", options.start},
                                                   {"direction", options.down ? "down" : "up"},
                                                   {"depth", std::to_string(options.depth)},
                                                   {"format", options.format}}));
    print(options.format == "json" ? reply.body : safe_lines(reply.body));
    return exit_done;
}

Result<int> logs(const Environment& environment, const LogsOptions& options) {
    WEIR_ASSIGN(client, Client::open(environment));
    LogReader reader(*client, options);
    while (true) {
        // Asked before the logs are read, so that the last words are not missed.
        auto settled = has_settled(*client, options.run);
        if (settled.ok()) {
            if (auto shown = reader.show(); !shown.ok()) settled = shown.error();
        }
        std::fflush(stdout);
        if (!settled.ok()) {
            // Following ends by SIGINT: that is no failure.
            if (options.follow && settled.error().kind == ErrorKind::Cancelled) return exit_done;
            return settled.error();
        }
        if (!options.follow || *settled) return exit_done;
        if (environment.interrupt.wait(std::chrono::milliseconds(500))) return exit_done;
    }
}

} // namespace weir::cli
