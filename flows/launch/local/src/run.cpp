#include "run.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/files.hpp>

namespace weir::flows::local {

namespace {

/// After a write failed (a full disk) it is tried again this often.
constexpr auto save_interval = std::chrono::seconds(1);

void set_entry(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
    std::erase_if(environment, [&](const std::string& entry) {
        return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
    });
    environment.push_back(name + "=" + value);
}

} // namespace

Run::Run(RunId id, std::filesystem::path folder, StoredRequest request, RunAttempt attempt,
         FlowSettings settings, std::shared_ptr<const ir::Pipeline> pipeline, const Clock& clock,
         bool resumed)
    : id_(id),
      folder_(std::move(folder)),
      request_(std::move(request)),
      attempt_(std::move(attempt)),
      settings_(std::move(settings)),
      pipeline_(std::move(pipeline)),
      clock_(clock),
      resumed_(resumed) {
    if (attempt_.attempt == 1) attempt_.opened = request_.accepted;
    context_.run = request_.run;
    context_.pipeline_root = (folder_ / "tasks").string();
    context_.workspace = (folder_ / "workspace").string();
    context_.created = request_.created;
    const auto arguments = cel::from_json(request_.arguments_json);
    machine_ =
        std::make_unique<Interpreter>(pipeline_, arguments.ok() ? *arguments : cel::Value::null(), context_);
    if (settings_.timeout.count() > 0) {
        // What it took before a restart counts; from here on the steady clock measures.
        const Duration spent = std::max(clock_.now() - attempt_.opened, Duration(0));
        deadline_ = clock_.steady_now() + std::max(settings_.timeout - spent, Duration(0));
    }
    if (auto made = make_folders(folder_ / "workspace"); !made.ok())
        log::warn("a run has no workspace", {{"run", request_.run}, {"error", made.error().message}});
}

Attempt Run::attempt_of(const Work& work, int number, const std::filesystem::path& python) const {
    Attempt attempt;
    attempt.pipeline = pipeline_.get();
    attempt.work = &work;
    attempt.context = &context_;
    attempt.folder = attempt_folder(folder_, work.path, number);
    attempt.python = python;
    return attempt;
}

void Run::advance() {
    if (save_again_ && clock_.steady_now() >= *save_again_) {
        save_again_.reset();
        for (Unsaved& unsaved : std::exchange(unsaved_, {}))
            record(unsaved.work, unsaved.attempt, std::move(unsaved.record));
    }
    machine_->wake(clock_.now());
    for (;;) {
        std::vector<Work> ready = machine_->take_ready();
        if (ready.empty()) break;
        for (Work& work : ready) {
            if (replay(work)) continue;
            if (machine_->aborted()) {
                machine_->report(work.path, {false, {}, machine_->error()}, clock_.now());
                continue;
            }
            if (work.executor->kind == ir::Executor::Kind::Importer) {
                import(work);
                continue;
            }
            PendingTask task;
            task.step = ir::python_step(*work.executor);
            task.work = std::move(work);
            pending_.push_back(std::move(task));
        }
        machine_->wake(clock_.now()); // retries replayed from the record may be due already
    }
    if (machine_->aborted())
        for (const PendingTask& task : std::exchange(pending_, {}))
            machine_->report(task.work.path, {false, {}, machine_->error()}, clock_.now());
    show_changes();
}

/// Feeds the interpreter what an earlier life of weir recorded in this attempt of the run, or else what
/// succeeded in an earlier one and still holds. True if that answered the work.
bool Run::replay(const Work& work) {
    int& attempt = next_attempt_.try_emplace(work.path, 1).first->second;
    if (!resumed_) return false;
    std::optional<AttemptRecord> before; // the newest of earlier attempts of the run
    for (;; ++attempt) {
        auto record = read_attempt(attempt_file(folder_, work.path, attempt));
        if (record.ok() && record->run_attempt < attempt_.attempt) {
            before = std::move(*record);
            continue;
        }
        if (record.ok()) before.reset(); // it was not kept: it ran again
        if (record.ok() && record->state == AttemptRecord::State::Interrupted) continue;
        if (record.ok()) {
            apply(work, attempt++, *record);
            return true;
        }
        std::error_code error;
        const bool begun = std::filesystem::exists(attempt_folder(folder_, work.path, attempt), error);
        if (record.error().kind == ErrorKind::NotFound && !begun) {
            const bool holds = before && before->state == AttemptRecord::State::Succeeded &&
                               before->run_attempt >= work.inputs_made;
            if (holds) apply(work, attempt - 1, *before);
            return holds;
        }
        before.reset();
        if (record.error().kind != ErrorKind::NotFound)
            log::warn("the record of a task cannot be used; it runs again",
                      {{"run", request_.run}, {"task", work.path}, {"error", record.error().message}});
        interrupted(work, attempt);
        if (settings_.on_restart == FlowSettings::OnRestart::Resume) continue;
        const std::string reason = work.path + ": interrupted when weir ended (on_restart: fail)";
        machine_->abort(Outcome::Failed, reason);
        machine_->report(work.path, {false, {}, reason}, clock_.now());
        return true;
    }
}

void Run::interrupted(const Work& work, int attempt) {
    AttemptRecord record;
    record.state = AttemptRecord::State::Interrupted;
    record.run_attempt = attempt_.attempt;
    record.error = as_utf8(record.error);
    record.error = "interrupted when weir ended";
    record.finished = clock_.now();
    const auto written = write_durably(attempt_file(folder_, work.path, attempt), write_attempt(record));
    if (!written.ok())
        log::warn("an interrupted task could not be recorded",
                  {{"run", request_.run}, {"task", work.path}, {"error", written.error().message}});
}

void Run::import(const Work& work) {
    const int attempt = next_attempt_[work.path]++;
    AttemptRecord made;
    made.started = clock_.now();
    auto values = run_importer(attempt_of(work, attempt, {}));
    made.finished = clock_.now();
    made.state = values.ok() ? AttemptRecord::State::Succeeded : AttemptRecord::State::Failed;
    if (values.ok())
        made.outputs = std::move(*values);
    else
        made.error = values.error().message;
    if (auto folder = make_folders(task_folder(folder_, work.path)); !folder.ok())
        log::warn("a task has no folder", {{"run", request_.run}, {"error", folder.error().message}});
    record(work, attempt, std::move(made));
}

void Run::start(PendingTask task, std::uint64_t id, Supervisor& supervisor,
                std::vector<std::string> environment, const std::string& path) {
    Job job;
    job.work = std::move(task.work);
    job.python = std::move(task.python);
    job.attempt = next_attempt_[job.work.path]++;
    job.started = clock_.now();
    const Attempt attempt = attempt_of(job.work, job.attempt, job.python);
    SpawnRequest request;
    request.id = id;
    request.log_bytes_max = settings_.log_bytes_max;
    request.memory_bytes_max = settings_.memory_bytes_max;
    Status begun = prepare(attempt, path, request);
    if (begun.ok()) {
        auto entries = executor_environment(attempt);
        if (entries.ok())
            for (const auto& [name, value] : *entries)
                set_entry(environment, name, value);
        else
            begun = entries.error();
    }
    if (!job.python.empty()) {
        const std::filesystem::path programs = job.python.parent_path();
        set_entry(environment, "_KFP_RUNTIME", "true"); // without it the executor imports all of kfp
        set_entry(environment, "PYTHONUNBUFFERED", "1");
        set_entry(environment, "VIRTUAL_ENV", programs.parent_path().string());
        set_entry(environment, "PATH", programs.string() + ":" + path);
    }
    set_entry(environment, "WEIR_TASK", job.work.path);
    set_entry(environment, "WEIR_ATTEMPT", std::to_string(job.attempt));
    request.env = std::move(environment);
    crash_point("local_before_spawn");
    if (begun.ok()) begun = supervisor.spawn(request);
    if (!begun.ok()) {
        AttemptRecord failed;
        failed.started = failed.finished = clock_.now();
        failed.error = begun.error().message;
        return record(job.work, job.attempt, std::move(failed));
    }
    if (settings_.task_timeout.count() > 0) job.deadline = clock_.steady_now() + settings_.task_timeout;
    show(job.work.path, TaskState::Running, job.attempt, {}, job.started, {});
    jobs_.emplace(id, std::move(job));
}

std::string Run::describe_end(const Job& job, const ProcessEnd& end) const {
    if (!end.spawned) return end.error;
    if (job.timed_out)
        return "took longer than " + format_duration(settings_.task_timeout) + " (task_timeout)";
    std::string text = end.signal != 0 ? "ended by signal " + std::to_string(end.signal) + " (" +
                                             std::string(::strsignal(end.signal)) + ")"
                                       : "exit status " + std::to_string(end.exit_code);
    const std::string tail = read_tail(attempt_folder(folder_, job.work.path, job.attempt) / "log", 4'096);
    if (const std::string line = last_line(tail); !line.empty()) text += ": " + line;
    return text;
}

void Run::ended(const ProcessEnd& end) {
    const auto it = jobs_.find(end.id);
    if (it == jobs_.end()) return;
    const Job job = std::move(it->second);
    jobs_.erase(it);
    AttemptRecord made;
    made.started = job.started;
    made.finished = clock_.now();
    const bool well = end.spawned && end.signal == 0 && end.exit_code == 0 && !job.timed_out;
    if (well) {
        auto values = collect(attempt_of(job.work, job.attempt, job.python));
        if (values.ok()) {
            made.state = AttemptRecord::State::Succeeded;
            made.outputs = std::move(*values);
        } else {
            made.error = "its outputs cannot be read: " + values.error().message;
        }
    } else {
        made.error = describe_end(job, end);
    }
    record(job.work, job.attempt, std::move(made));
}

void Run::lost(std::uint64_t process) {
    const auto it = jobs_.find(process);
    if (it == jobs_.end()) return;
    show(it->second.work.path, TaskState::Pending, it->second.attempt,
         "interrupted: weir's supervisor is gone; it runs again after a restart of weir", it->second.started,
         {});
    jobs_.erase(it);
}

std::vector<std::vector<std::string>> Run::default_installs() const {
    if (!pipeline_->sdk_version.starts_with("kfp-")) return {{"kfp", "--no-deps"}};
    return {{"kfp==" + pipeline_->sdk_version.substr(4), "--no-deps"}};
}

void Run::fail(const Work& work, const std::string& error, const std::filesystem::path& log) {
    const int attempt = next_attempt_[work.path]++;
    const std::filesystem::path folder = attempt_folder(folder_, work.path, attempt);
    if (make_folders(folder).ok() && !log.empty())
        if (const auto copied = write_plain(folder / "log", read_tail(log, 256 * 1024)); !copied.ok())
            log::warn("a log could not be copied", {{"error", copied.error().message}});
    AttemptRecord made;
    made.started = made.finished = clock_.now();
    made.error = error;
    record(work, attempt, std::move(made));
}

/// What a task did is recorded before anything follows from it.
void Run::record(const Work& work, int attempt, AttemptRecord record) {
    record.run_attempt = attempt_.attempt;
    crash_point("local_before_task_record");
    const std::filesystem::path file = attempt_file(folder_, work.path, attempt);
    Status written = make_folders(file.parent_path());
    if (written.ok()) written = write_durably(file, write_attempt(record));
    if (!written.ok()) {
        log::error("a task's end could not be recorded; trying again",
                   {{"run", request_.run}, {"task", work.path}, {"error", written.error().message}});
        unsaved_.push_back({work, attempt, std::move(record)});
        save_again_ = clock_.steady_now() + save_interval;
        return;
    }
    crash_point("local_after_task_record");
    apply(work, attempt, record);
}

void Run::apply(const Work& work, int attempt, const AttemptRecord& record) {
    const bool succeeded = record.state == AttemptRecord::State::Succeeded;
    show(work.path, succeeded ? TaskState::Succeeded : TaskState::Failed, attempt, record.error,
         record.started, record.finished);
    const bool imported = work.executor->kind == ir::Executor::Kind::Importer;
    for (const auto& [name, list] : record.outputs.artifacts)
        for (const Artifact& artifact : list)
            (imported ? used_ : made_).push_back(record_of(work.path + "." + name, artifact));
    machine_->report(work.path, {succeeded, record.outputs, record.error, record.run_attempt},
                     record.finished);
    show_changes();
}

void Run::abort(Outcome outcome, const std::string& reason, Supervisor& supervisor, Duration grace) {
    machine_->abort(outcome, reason);
    for (const PendingTask& task : std::exchange(pending_, {}))
        machine_->report(task.work.path, {false, {}, reason}, clock_.now());
    for (const auto& [id, job] : jobs_)
        if (const auto sent = supervisor.stop(id, grace); !sent.ok())
            log::warn("a task could not be stopped",
                      {{"run", request_.run}, {"error", sent.error().message}});
    show_changes();
}

void Run::check_time(Supervisor& supervisor, Duration grace) {
    const SteadyInstant now = clock_.steady_now();
    for (auto& [id, job] : jobs_) {
        if (job.timed_out || !job.deadline || now < *job.deadline) continue;
        job.timed_out = true;
        if (const auto sent = supervisor.stop(id, grace); !sent.ok())
            log::warn("a task could not be stopped",
                      {{"run", request_.run}, {"error", sent.error().message}});
    }
    if (!deadline_ || now < *deadline_) return;
    deadline_.reset();
    abort(Outcome::Failed, "took longer than " + format_duration(settings_.timeout) + " (timeout)",
          supervisor, grace);
}

std::optional<Duration> Run::next_wait() const {
    std::optional<Duration> wait;
    const auto sooner = [&](Duration other) {
        wait = std::max(std::min(wait.value_or(other), other), Duration(0));
    };
    const SteadyInstant now = clock_.steady_now();
    if (const auto wake = machine_->next_wake()) sooner(*wake - clock_.now());
    for (const auto& [id, job] : jobs_)
        if (job.deadline && !job.timed_out) sooner(*job.deadline - now);
    if (deadline_) sooner(*deadline_ - now);
    if (save_again_) sooner(*save_again_ - now);
    if (settle_again) sooner(*settle_again - now);
    return wait;
}

bool Run::finished() const {
    return machine_->finished() && jobs_.empty() && unsaved_.empty();
}

RunReport Run::running_report() const {
    RunReport report;
    report.run = id_;
    report.attempt = attempt_.attempt;
    report.started_at = attempt_.opened;
    return report;
}

Result<RunReport> Run::settle() {
    show_changes();
    RunReport report = running_report();
    report.settled = true;
    report.outcome = machine_->outcome();
    report.error = machine_->error();
    report.outputs_json = write_parameters(machine_->outputs());
    report.finished_at = clock_.now();
    report.inputs = used_;
    report.outputs = made_;
    std::vector<TaskRecord> tasks;
    board_->with([&](const auto& board) {
        for (const auto& [name, task] : board)
            tasks.push_back(task);
    });
    crash_point("local_before_settle");
    WEIR_TRY(write_durably(folder_ / "settled.json", write_settlement(report, tasks)));
    crash_point("local_after_settle");
    return report;
}

void Run::show(const std::string& path, TaskState state, int attempt, const std::string& error,
               std::optional<Instant> started, std::optional<Instant> finished) {
    const std::filesystem::path log = attempt_folder(folder_, path, attempt) / "log";
    board_->with([&](auto& board) {
        TaskRecord& task = board[path];
        task.name = path;
        task.state = state;
        task.attempt = attempt;
        task.error = error;
        if (started) {
            task.started_at = *started;
            task.finished_at = finished.value_or(Instant{});
            task.log_path = log.string();
        }
    });
}

/// States that the interpreter decides: DAGs, what is skipped or cancelled, waiting for a retry.
void Run::show_changes() {
    for (const TaskChange& change : machine_->take_changes()) {
        const Instant now = clock_.now();
        board_->with([&](auto& board) {
            TaskRecord& task = board[change.path];
            task.name = change.path;
            task.state = change.state;
            task.error = change.error;
            if (change.state == TaskState::Pending) return;
            if (task.started_at == Instant{}) task.started_at = now;
            if (change.state != TaskState::Running && task.finished_at == Instant{}) task.finished_at = now;
        });
    }
}

} // namespace weir::flows::local
