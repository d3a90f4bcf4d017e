#include "backend.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include <weir/base/digest.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/files.hpp>

#include "environment_variables.hpp"

namespace weir::flows::local {

namespace {

constexpr auto settle_interval = std::chrono::seconds(1);
constexpr std::size_t posted_max = 100'000;

/// Ids of processes are unique in this process, so that a supervisor may serve one backend after the other.
std::uint64_t next_process_id() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

} // namespace

Result<std::unique_ptr<LocalBackend>> LocalBackend::open(LocalSettings settings, Supervisor& supervisor,
                                                         const Clock& clock) {
    auto backend = std::make_unique<Backend>(std::move(settings), supervisor, clock);
    WEIR_TRY(backend->begin());
    return std::unique_ptr<LocalBackend>(std::move(backend));
}

Backend::Backend(LocalSettings settings, Supervisor& supervisor, const Clock& clock)
    : settings_(std::move(settings)),
      supervisor_(supervisor),
      clock_(clock),
      runs_folder_(settings_.folder / "runs") {
    if (settings_.environments.empty()) settings_.environments = settings_.folder / "environments";
    if (settings_.tasks_max == 0) settings_.tasks_max = std::max(1U, std::thread::hardware_concurrency());
}

Backend::~Backend() {
    close();
}

/// Takes the folder for this process alone. A weir that was killed lets go when its supervisor has ended its
/// tasks.
Status Backend::take_folder() {
    WEIR_TRY(make_folders(runs_folder_));
    const std::filesystem::path path = settings_.folder / "lock";
    lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) return unavailable("cannot open " + path.string() + ": " + std::strerror(errno));
    const SystemClock real; // a test's clock may stand still
    const SteadyInstant until = real.steady_now() + settings_.lock_wait;
    while (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        if (real.steady_now() >= until)
            return conflict("the folder " + settings_.folder.string() +
                            " is in use by another weir, or tasks of one that was killed do not end");
        ::poll(nullptr, 0, 20);
    }
    WEIR_TRY(supervisor_.hold(lock_));
    const std::filesystem::path id_path = settings_.folder / "id";
    auto id = read_file(id_path, 1'024);
    if (!id.ok()) {
        id = to_hex(sha256(random_bytes(16))).substr(0, 16);
        WEIR_TRY(write_durably(id_path, *id));
    }
    mark_ = "WEIR_LOCAL_BACKEND=" + *id;
    // Only if the old supervisor was killed too, and only what cleaned neither its group nor its environment.
    if (const std::size_t killed = kill_marked(mark_); killed > 0)
        log::warn("processes of an earlier weir were still alive and have been killed", {{"count", killed}});
    return {};
}

Status Backend::begin() {
    WEIR_TRY(take_folder());
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(runs_folder_, error))
        if (entry.path().filename().string().starts_with(".new-"))
            std::filesystem::remove_all(entry.path(), error);
    const std::string path = search_path();
    Environments::Settings environments;
    environments.folder = settings_.environments;
    environments.python = ir::find_command(settings_.python, path).value_or(settings_.python);
    environments.environment = base_environment();
    environments.environment.push_back(mark_);
    environments.progress = settings_.progress;
    environments.next_id = next_process_id;
    environments_ = std::make_unique<Environments>(std::move(environments), supervisor_, clock_);
    wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake_ < 0) return unavailable(std::string("no eventfd: ") + std::strerror(errno));
    thread_ = std::thread([this] { run_thread(); });
    return {};
}

bool Backend::post(std::function<void()> work) {
    {
        std::lock_guard lock(mutex_);
        if (closed_ || posted_.size() >= posted_max) return false;
        posted_.push_back(std::move(work));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
    return true;
}

void Backend::close() {
    {
        std::lock_guard lock(mutex_);
        if (closed_) return;
        closed_ = true;
    }
    if (thread_.joinable()) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
        thread_.join();
    }
    environments_.reset();
    if (wake_ >= 0) ::close(wake_);
    if (lock_ >= 0) {
        ::flock(lock_, LOCK_UN); // the supervisor's duplicate lets go with it
        ::close(lock_);
    }
    wake_ = lock_ = -1;
}

void Backend::run_thread() {
    while (!stopping_) {
        std::vector<std::function<void()>> work;
        {
            std::lock_guard lock(mutex_);
            work.swap(posted_);
            stopping_ = closed_;
        }
        for (const auto& task : work)
            task();
        if (stopping_) break;
        receive();
        environments_->tick();
        for (auto& [id, run] : runs_) {
            run->check_time(supervisor_, settings_.kill_grace);
            run->advance();
        }
        schedule();
        settle_finished();
        if (clock_.steady_now() >= next_clean_) clean();
        wait();
    }
    stop_processes();
}

void Backend::wait() {
    {
        std::lock_guard lock(mutex_);
        if (!posted_.empty() || closed_) return;
    }
    pollfd fds[2] = {{wake_, POLLIN, 0}, {supervisor_.fd(), POLLIN, 0}};
    ::poll(fds, supervisor_lost_ ? 1 : 2, timeout_ms());
    std::uint64_t count = 0;
    while (::read(wake_, &count, sizeof count) > 0) {
    }
}

int Backend::timeout_ms() const {
    // With runs under way the clock is looked at every second, so that a wall clock set forward is noticed.
    Duration wait = runs_.empty() ? Duration(std::chrono::minutes(1)) : Duration(std::chrono::seconds(1));
    for (const auto& [id, run] : runs_)
        if (const auto next = run->next_wait()) wait = std::min(wait, *next);
    if (const auto tick = environments_->next_tick())
        wait = std::min(wait, Duration(*tick - clock_.steady_now()));
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000));
}

void Backend::receive() {
    if (supervisor_lost_) return;
    auto ends = supervisor_.receive();
    if (!ends.ok()) {
        supervisor_lost_ = true;
        log::error("the supervisor is gone: no task can be started until weir restarts; runs will go on then",
                   {{"error", ends.error().message}});
        kill_marked(mark_);
        // Nobody can say any more how they ended: they stay unsettled and count as interrupted.
        for (const auto& [process, run] : processes_)
            if (const auto it = runs_.find(run); it != runs_.end()) it->second->lost(process);
        processes_.clear();
        return;
    }
    for (const ProcessEnd& end : *ends) {
        if (environments_->ended(end)) continue;
        const auto process = processes_.find(end.id);
        if (process == processes_.end()) continue;
        if (const auto run = runs_.find(process->second); run != runs_.end()) {
            run->second->ended(end);
            run->second->advance();
        }
        processes_.erase(process);
    }
}

/// Finds out for everything that waits for an environment whether it is there now.
void Backend::resolve_environments() {
    std::map<std::vector<std::vector<std::string>>, Environments::Answer> answers;
    for (auto& [id, run] : runs_) {
        std::vector<std::pair<Work, Environments::Answer>> failed;
        std::erase_if(run->pending(), [&](PendingTask& task) {
            if (!task.step || !task.python.empty()) return false;
            auto installs = task.step->installs;
            if (installs.empty()) installs = run->default_installs();
            auto answer = answers.find(installs);
            if (answer == answers.end())
                answer = answers.emplace(installs, environments_->get(installs)).first;
            task.python = answer->second.python;
            if (answer->second.state != Environments::State::Failed) return false;
            failed.emplace_back(task.work, answer->second);
            return true;
        });
        for (const auto& [work, answer] : failed)
            run->fail(work, answer.error, answer.log);
        if (!failed.empty()) run->advance();
    }
}

/// Starts what there is room for, one task a run in turn.
void Backend::schedule() {
    if (supervisor_lost_) return;
    resolve_environments();
    while (processes_.size() < settings_.tasks_max && start_one()) {
    }
}

bool Backend::start_one() {
    for (std::size_t i = 0; i < rotation_.size(); ++i) {
        const RunId id = rotation_.front();
        rotation_.pop_front();
        rotation_.push_back(id);
        Run& run = *runs_.at(id);
        const std::size_t parallel = run.settings().parallel;
        if (parallel > 0 && run.jobs().size() >= parallel) continue;
        auto& pending = run.pending();
        const auto task = std::find_if(pending.begin(), pending.end(),
                                       [](const PendingTask& t) { return !t.step || !t.python.empty(); });
        if (task == pending.end()) continue;
        PendingTask taken = std::move(*task);
        pending.erase(task);
        const std::uint64_t process = next_process_id();
        run.start(std::move(taken), process, supervisor_,
                  task_environment(run.request(), run.settings(),
                                   server_.with([](const auto& server) { return server; }), mark_),
                  search_path());
        if (run.jobs().contains(process))
            processes_.emplace(process, id);
        else
            run.advance();
        return true;
    }
    return false;
}

void Backend::settle_finished() {
    for (auto it = runs_.begin(); it != runs_.end();) {
        Run& run = *it->second;
        const bool wait = run.settle_again && clock_.steady_now() < *run.settle_again;
        if (!run.finished() || wait) {
            ++it;
            continue;
        }
        auto settled = run.settle();
        if (!settled.ok()) {
            log::error("a run's end could not be recorded; trying again",
                       {{"run", run.request().run}, {"error", settled.error().message}});
            run.settle_again = clock_.steady_now() + settle_interval;
            ++it;
            continue;
        }
        const RunId id = it->first;
        const bool watched = run.watched;
        boards_.with([&](auto& boards) { boards.erase(id); });
        std::erase(rotation_, id);
        it = runs_.erase(it);
        if (watched) report(*settled);
    }
}

/// Ends what runs, unrecorded: it counts as interrupted and runs again when weir is back.
void Backend::stop_processes() {
    std::set<std::uint64_t> left;
    for (const auto& [process, run] : processes_)
        left.insert(process);
    if (environments_->process()) left.insert(*environments_->process());
    for (const std::uint64_t process : left)
        if (!supervisor_.stop(process, Duration(0)).ok()) return;
    while (!left.empty()) {
        pollfd fd{supervisor_.fd(), POLLIN, 0};
        ::poll(&fd, 1, 1'000);
        auto ends = supervisor_.receive();
        if (!ends.ok()) return;
        for (const ProcessEnd& end : *ends)
            left.erase(end.id);
    }
}

void Backend::report(const RunReport& report) {
    if (report_) report_(report);
}

} // namespace weir::flows::local
