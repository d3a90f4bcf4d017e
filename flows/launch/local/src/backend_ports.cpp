#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

#include <weir/base/crash_point.hpp>
#include <weir/base/digest.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/files.hpp>

#include "backend.hpp"
#include "environment_variables.hpp"

namespace weir::flows::local {

namespace {

constexpr std::size_t pipelines_kept = 256;
constexpr std::size_t cleaned_at_once = 20;

LaunchReply refused(std::string reason) {
    return {LaunchAnswer::Refused, std::move(reason)};
}

/// When a file was last written; nothing if it is not there.
std::optional<Instant> written_at(const std::filesystem::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    return from_ns(std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec);
}

} // namespace

void Backend::launch(LaunchRequest request, std::function<void(LaunchReply)> done) {
    auto shared = std::make_shared<LaunchRequest>(std::move(request));
    if (!post([this, shared, done] { done(do_launch(*shared)); }))
        done(refused("the local backend is closed or its queue is full"));
}

void Backend::look(RunId run, std::function<void(LookReply)> done) {
    if (!post([this, run, done] { done(do_look(run)); })) {
        LookReply reply;
        reply.reason = "the local backend is closed";
        done(reply);
    }
}

void Backend::cancel(RunId run, std::string reason, std::function<void(Status)> done) {
    if (!post([this, run, reason, done] { done(do_cancel(run, reason)); }))
        done(unavailable("the local backend is closed"));
}

void Backend::retry(RunId run, int attempt, std::string reason, std::function<void(Status)> done) {
    if (!post([this, run, attempt, reason, done] { done(do_retry(run, attempt, reason)); }))
        done(unavailable("the local backend is closed or its queue is full"));
}

void Backend::on_report(std::function<void(RunReport)> report) {
    post([this, report = std::move(report)] { report_ = report; });
}
void Backend::watch(RunId run) {
    post([this, run] { do_watch(run); });
}
void Backend::forget(RunId run) {
    post([this, run] {
        if (const auto it = runs_.find(run); it != runs_.end()) it->second->watched = false;
    });
}

std::filesystem::path Backend::folder_of(RunId run) const {
    return runs_folder_ / run.to_string();
}

LaunchReply Backend::do_launch(const LaunchRequest& request) {
    const LookReply known = do_look(request.run);
    if (known.answer == LookAnswer::Unreachable) return {LaunchAnswer::Unknown, known.reason};
    if (known.answer == LookAnswer::Found) {
        const bool same = known.flow_version == request.flow->version &&
                          known.arguments_json == request.arguments_json &&
                          known.decision == request.decision.to_string();
        if (same) return {LaunchAnswer::Accepted, "it was there already"};
        return refused("conflict: there is another run with this id here");
    }
    if (!supervisor_.alive() || supervisor_lost_)
        return refused("weir's supervisor process is gone, so no task can be started; restart weir");
    if (runs_.size() >= settings_.runs_max)
        return refused("there are " + std::to_string(settings_.runs_max) + " unfinished runs here");
    auto settings = read_settings(request.flow->settings_json.empty() ? "{}" : request.flow->settings_json);
    if (!settings.ok()) return refused(settings.error().message);
    const FlowVersion& flow = *request.flow;
    const auto pipeline = pipeline_of(flow.pipeline);
    if (!pipeline.ok()) return refused(pipeline.error().message);
    if (const auto reasons = ir::not_runnable(**pipeline, search_path()); !reasons.empty())
        return refused(reasons[0]);
    return accept(request, *pipeline, std::move(*settings));
}

LaunchReply Backend::accept(const LaunchRequest& request, const PipelinePointer& pipeline,
                            FlowSettings settings) {
    const FlowVersion& flow = *request.flow;
    StoredRequest stored;
    stored.run = request.run.to_string();
    stored.decision = request.decision.to_string();
    stored.team = flow.team;
    stored.flow = flow.flow;
    stored.version = flow.version;
    stored.arguments_json = request.arguments_json;
    stored.settings_json = flow.settings_json.empty() ? "{}" : flow.settings_json;
    stored.pipeline = flow.pipeline;
    stored.created = request.created;
    stored.accepted = clock_.now();
    const std::filesystem::path temporary = runs_folder_ / (".new-" + stored.run);
    const std::filesystem::path folder = folder_of(request.run);
    const auto give_up = [&](std::string reason) {
        std::error_code error;
        std::filesystem::remove_all(temporary, error);
        return refused(std::move(reason));
    };
    if (const auto made = make_folders(temporary); !made.ok()) return give_up(made.error().message);
    if (const auto written = write_durably(temporary / "request.json", write_request(stored)); !written.ok())
        return give_up(written.error().message);
    crash_point("local_before_accept");
    if (clock_.now() > request.deadline) return give_up("the deadline of the launch has passed");
    if (::rename(temporary.c_str(), folder.c_str()) != 0)
        return give_up("cannot make the run's folder: " + std::string(std::strerror(errno)));
    crash_point("local_after_accept");
    if (const auto synced = sync_folder(runs_folder_); !synced.ok())
        return {LaunchAnswer::Unknown, synced.error().message};
    auto run = std::make_unique<Run>(request.run, folder, std::move(stored), RunAttempt{},
                                     std::move(settings), pipeline, clock_, /*resumed=*/false);
    boards_.with([&](auto& boards) { boards[request.run] = run->board(); });
    rotation_.push_back(request.run);
    runs_.emplace(request.run, std::move(run));
    return {LaunchAnswer::Accepted, {}};
}

LookReply Backend::do_look(RunId run) const {
    LookReply reply;
    const auto stored = read_request(folder_of(run));
    if (stored.ok()) {
        reply.answer = LookAnswer::Found;
        reply.flow_version = stored->version;
        reply.arguments_json = stored->arguments_json;
        reply.decision = stored->decision;
    } else if (stored.error().kind == ErrorKind::NotFound) {
        reply.answer = LookAnswer::Absent;
    } else {
        reply.reason = stored.error().message;
    }
    return reply;
}

Status Backend::do_cancel(RunId run, const std::string& reason) {
    const std::filesystem::path folder = folder_of(run);
    std::error_code error;
    if (!std::filesystem::exists(folder / "request.json", error))
        return not_found("there is no run " + run.to_string() + " here");
    if (std::filesystem::exists(folder / "settled.json", error))
        return conflict("the run " + run.to_string() + " has ended already");
    // Durable first: a run that is resumed later is cancelled then.
    WEIR_TRY(write_durably(folder / "cancel", reason));
    if (const auto it = runs_.find(run); it != runs_.end())
        it->second->abort(Outcome::Cancelled, reason.empty() ? "cancelled" : reason, supervisor_,
                          settings_.kill_grace);
    return {};
}

/// Whether this attempt has been opened already (or a later one). `conflict` if the run has not ended, or
/// ended well: then no attempt may be opened.
Result<bool> Backend::retried(RunId run, int attempt) const {
    const std::string name = "the run " + run.to_string();
    const std::filesystem::path folder = folder_of(run);
    std::error_code error;
    if (!std::filesystem::exists(folder / "request.json", error))
        return not_found("the local backend has no run " + run.to_string() +
                         ": it never started here, or its record was removed " +
                         format_duration(settings_.retention) + " after it ended");
    const auto settlement = read_settlement(folder);
    if (!settlement.ok() && settlement.error().kind != ErrorKind::NotFound) return settlement.error();
    if (settlement.ok()) {
        if (settlement->report.attempt >= attempt) return true;
        if (settlement->report.outcome == Outcome::Succeeded)
            return conflict(name + " succeeded: there is nothing to try again");
        return false;
    }
    WEIR_ASSIGN(open, read_run_attempt(folder));
    if (open.attempt >= attempt) return true;
    return conflict(name + " has not ended: its attempt " + std::to_string(open.attempt) + " is under way");
}

Status Backend::do_retry(RunId run, int attempt, const std::string& reason) {
    if (attempt < 2) return invalid("a retry opens attempt 2 or a later one, not " + std::to_string(attempt));
    WEIR_ASSIGN(done, retried(run, attempt));
    const std::filesystem::path folder = folder_of(run);
    if (done) return sync_folder(folder); // the last time may have failed at this
    // What cannot be gone on with must not be opened.
    WEIR_ASSIGN(stored, read_request(folder));
    WEIR_TRY(read_settings(stored.settings_json));
    WEIR_ASSIGN(pipeline, pipeline_of(stored.pipeline));
    if (const auto reasons = ir::not_runnable(*pipeline, search_path()); !reasons.empty())
        return invalid(reasons[0]);
    if (runs_.size() >= settings_.runs_max)
        return unavailable("there are " + std::to_string(settings_.runs_max) + " unfinished runs here");
    WEIR_ASSIGN(settlement, read_settlement(folder));
    WEIR_TRY(open_attempt(folder, settlement.report.attempt, {attempt, reason, clock_.now()}));
    return resume(run);
}

void Backend::do_watch(RunId run) {
    auto it = runs_.find(run);
    if (it == runs_.end()) {
        const auto settlement = read_settlement(folder_of(run));
        if (settlement.ok()) return report(settlement->report);
        if (settlement.error().kind != ErrorKind::NotFound)
            return log::error("the end of a run cannot be read",
                              {{"run", run.to_string()}, {"error", settlement.error().message}});
        if (const auto resumed = resume(run); !resumed.ok())
            return log::error("a run cannot be resumed",
                              {{"run", run.to_string()}, {"error", resumed.error().message}});
        it = runs_.find(run);
    }
    it->second->watched = true;
    report(it->second->running_report());
}

Status Backend::resume(RunId run) {
    const std::filesystem::path folder = folder_of(run);
    WEIR_ASSIGN(stored, read_request(folder));
    WEIR_ASSIGN(attempt, read_run_attempt(folder));
    WEIR_ASSIGN(settings, read_settings(stored.settings_json));
    WEIR_ASSIGN(pipeline, pipeline_of(stored.pipeline));
    auto made = std::make_unique<Run>(run, folder, std::move(stored), std::move(attempt), std::move(settings),
                                      pipeline, clock_, /*resumed=*/true);
    boards_.with([&](auto& boards) { boards[run] = made->board(); });
    made->advance();
    if (const auto reason = read_file(folder / "cancel", 1024 * 1024); reason.ok())
        made->abort(Outcome::Cancelled, reason->empty() ? "cancelled" : *reason, supervisor_,
                    settings_.kill_grace);
    rotation_.push_back(run);
    runs_.emplace(run, std::move(made));
    return {};
}

Result<Backend::PipelinePointer> Backend::pipeline_of(const std::string& text) {
    const std::string key = to_hex(sha256(text));
    if (const auto it = pipelines_.find(key); it != pipelines_.end()) return it->second;
    Problems problems;
    auto pipeline = ir::read_pipeline(text, "pipeline", problems);
    if (!pipeline)
        return invalid(problems.empty() ? "the pipeline cannot be read" : problems.front().to_string());
    if (pipelines_.size() >= pipelines_kept) pipelines_.clear();
    return pipelines_.emplace(key, std::make_shared<const ir::Pipeline>(std::move(*pipeline))).first->second;
}

/// Removes runs that settled long ago, a few at a time.
void Backend::clean() {
    std::size_t removed = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(runs_folder_, error)) {
        const auto settled = written_at(entry.path() / "settled.json");
        if (!settled || clock_.now() - *settled < settings_.retention) continue;
        if (++removed > cleaned_at_once) break;
        // Out of sight first, so that a half-removed run is never taken for a whole one.
        const std::filesystem::path old = runs_folder_ / (".new-old-" + entry.path().filename().string());
        std::filesystem::rename(entry.path(), old, error);
        std::filesystem::remove_all(old, error);
    }
    next_clean_ = clock_.steady_now() + (removed > cleaned_at_once ? Duration(std::chrono::seconds(1))
                                                                   : Duration(std::chrono::hours(1)));
}

Result<std::vector<TaskRecord>> Backend::tasks(RunId run) const {
    const auto board = boards_.with([&](const auto& boards) {
        const auto it = boards.find(run);
        return it == boards.end() ? std::shared_ptr<TaskBoard>() : it->second;
    });
    if (board) {
        std::vector<TaskRecord> list;
        board->with([&](const auto& tasks) {
            for (const auto& [name, task] : tasks)
                list.push_back(task);
        });
        return list;
    }
    auto settlement = read_settlement(folder_of(run));
    if (settlement.ok()) return std::move(settlement->tasks);
    std::error_code error;
    if (!std::filesystem::exists(folder_of(run) / "request.json", error))
        return not_found("there is no run " + run.to_string() + " here");
    return scan_tasks(folder_of(run));
}

Result<std::string> Backend::log(RunId run, std::string_view task, std::size_t bytes_max) const {
    std::error_code error;
    if (!std::filesystem::exists(folder_of(run) / "request.json", error))
        return not_found("there is no run " + run.to_string() + " here");
    WEIR_ASSIGN(list, tasks(run));
    std::vector<std::string_view> names;
    for (const TaskRecord& known : list) {
        if (known.name == task)
            return known.log_path.empty() ? std::string() : read_tail(known.log_path, bytes_max);
        names.push_back(known.name);
    }
    return not_found("the run has no task \"" + printable(task) + "\"" + did_you_mean(task, names));
}

} // namespace weir::flows::local
