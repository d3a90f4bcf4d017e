#include "environments.hpp"

#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <weir/base/digest.hpp>
#include <weir/base/json.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>
#include <weir/flows/files.hpp>

namespace weir::flows::local {

namespace {

constexpr auto lock_poll = std::chrono::milliseconds(200);
constexpr const char* ready_mark = "weir-ready";

std::string words(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& word : list)
        if (!word.starts_with("--")) text += (text.empty() ? "" : " ") + word;
    return text;
}

std::string describe(const std::vector<std::vector<std::string>>& installs) {
    std::string text;
    for (const auto& install : installs)
        text += (text.empty() ? "" : " ") + words(install);
    return text.empty() ? "nothing beside Python" : text;
}

std::string last_lines(const std::filesystem::path& log, std::size_t count) {
    const std::string tail = read_tail(log, 4'096);
    std::string lines;
    std::size_t end = tail.size();
    while (end > 0 && count > 0) {
        const std::size_t start = tail.rfind('\n', end - 1);
        const std::size_t from = start == std::string::npos ? 0 : start + 1;
        const std::string line = printable(std::string_view(tail).substr(from, end - from), 300);
        if (!line.empty()) {
            lines = line + (lines.empty() ? "" : " | " + lines);
            --count;
        }
        if (start == std::string::npos) break;
        end = start;
    }
    return lines;
}

} // namespace

Environments::Environments(Settings settings, Supervisor& supervisor, const Clock& clock)
    : settings_(std::move(settings)), supervisor_(supervisor), clock_(clock) {}

Environments::~Environments() {
    for (auto& [key, build] : builds_)
        release(build);
}

std::string Environments::key_of(const std::vector<std::vector<std::string>>& installs) const {
    std::string content;
    append_field(content, identity_);
    for (const auto& install : installs) {
        append_field(content, static_cast<std::int64_t>(install.size()));
        for (const std::string& word : install)
            append_field(content, word);
    }
    return to_hex(sha256(content)).substr(0, 16);
}

bool Environments::is_ready(const std::string& key) const {
    return ::access((home(key) / ready_mark).c_str(), F_OK) == 0;
}

Environments::Answer Environments::get(const std::vector<std::vector<std::string>>& installs) {
    if (identity_.empty()) {
        if (!probe_error_.empty()) return {State::Failed, {}, std::exchange(probe_error_, {}), {}};
        if (!probing_) probe();
        return {};
    }
    const std::string key = key_of(installs);
    if (is_ready(key)) {
        return {State::Ready, home(key) / "bin" / "python3", {}, {}};
    }
    auto it = builds_.find(key);
    if (it != builds_.end() && it->second.failed) {
        Answer answer{State::Failed, {}, it->second.error, log(key)};
        builds_.erase(it);
        return answer;
    }
    if (it == builds_.end()) {
        Build& build = builds_[key];
        build.key = key;
        build.installs = installs;
        advance();
    }
    return {};
}

/// Asks the Python what it is: an environment serves one version in one place only.
void Environments::probe() {
    probing_ = true;
    if (auto made = make_folders(settings_.folder); !made.ok()) {
        probing_ = false;
        probe_error_ = made.error().message;
        return;
    }
    const std::filesystem::path file = settings_.folder / ("probe-" + std::to_string(::getpid()) + ".log");
    ::unlink(file.c_str());
    run(settings_.python, {"python3", "-c", "import sys; print(sys.version, sys.base_prefix, sep='\\n')"},
        file);
}

void Environments::run(const std::string& file, std::vector<std::string> argv,
                       const std::filesystem::path& log) {
    SpawnRequest request;
    request.id = settings_.next_id();
    request.file = file;
    request.argv = std::move(argv);
    request.env = settings_.environment;
    request.cwd = settings_.folder.string();
    request.log_path = log.string();
    process_ = request.id;
    if (const auto sent = supervisor_.spawn(request); !sent.ok()) {
        ProcessEnd end;
        end.id = request.id;
        end.spawned = false;
        end.error = sent.error().message;
        ended(end);
    }
}

bool Environments::ended(const ProcessEnd& end) {
    if (!process_ || end.id != *process_) return false;
    process_.reset();
    if (probing_) {
        probing_ = false;
        const std::filesystem::path file =
            settings_.folder / ("probe-" + std::to_string(::getpid()) + ".log");
        const auto text = read_file(file, 64 * 1024);
        ::unlink(file.c_str());
        if (end.spawned && end.exit_code == 0 && end.signal == 0 && text.ok() && !text->empty())
            identity_ = *text;
        else
            probe_error_ =
                settings_.python + " cannot be run: " +
                (end.spawned ? (text.ok() ? last_line(*text) : "it ended with no output") : end.error);
        return true;
    }
    if (const auto it = builds_.find(current_); it != builds_.end()) step_ended(it->second, end);
    advance();
    return true;
}

void Environments::tick() {
    if (retry_lock_ && clock_.steady_now() >= *retry_lock_) {
        retry_lock_.reset();
        advance();
    }
}

std::optional<SteadyInstant> Environments::next_tick() const {
    return retry_lock_;
}

/// Begins the next build if none is under way.
void Environments::advance() {
    if (process_ || retry_lock_) return;
    for (auto it = builds_.begin(); it != builds_.end();) {
        auto& [key, build] = *it;
        if (build.failed) {
            ++it;
            continue;
        }
        if (!take_lock(build)) return;
        if (is_ready(key)) { // another weir has made it meanwhile
            release(build);
            it = builds_.erase(it);
            continue;
        }
        current_ = key;
        build.begun = clock_.steady_now();
        if (settings_.progress)
            settings_.progress("making a Python environment with " + describe(build.installs) +
                               " (once; log: " + log(key).string() + ")");
        std::error_code error;
        std::filesystem::remove_all(home(key), error);
        ::unlink(log(key).c_str());
        build.step = 0;
        return run(settings_.python, {"python3", "-m", "venv", home(key).string()}, log(key));
    }
}

bool Environments::take_lock(Build& build) {
    if (build.lock < 0)
        build.lock =
            ::open((settings_.folder / (build.key + ".lock")).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (build.lock < 0) {
        fail(build, "the lock file of the environment cannot be made in " + settings_.folder.string());
        return false;
    }
    if (::flock(build.lock, LOCK_EX | LOCK_NB) == 0) return true;
    retry_lock_ = clock_.steady_now() + lock_poll;
    return false;
}

void Environments::step_ended(Build& build, const ProcessEnd& end) {
    if (!end.spawned) return fail(build, end.error);
    if (end.signal != 0 || end.exit_code != 0) {
        const std::string what =
            build.step == 0 ? "python3 -m venv" : "pip install " + words(build.installs[build.step - 1]);
        std::string why = last_lines(log(build.key), 5);
        if (build.step == 0 && why.find("ensurepip") != std::string::npos)
            why = "the machine has no python3-venv; install that package";
        return fail(build, what + " failed: " + why + " (log: " + log(build.key).string() + ")");
    }
    if (build.step < build.installs.size()) {
        const std::vector<std::string>& install = build.installs[build.step++];
        const std::string python = (home(build.key) / "bin" / "python3").string();
        std::vector<std::string> argv = {python,      "-m", "pip", "install", "--disable-pip-version-check",
                                         "--no-input"};
        argv.insert(argv.end(), install.begin(), install.end());
        return run(python, std::move(argv), log(build.key));
    }
    const auto marked =
        write_durably(home(build.key) / ready_mark, describe(build.installs) + "\n" + identity_);
    if (!marked.ok()) return fail(build, marked.error().message);
    if (settings_.progress) {
        const Duration took = clock_.steady_now() - build.begun;
        settings_.progress("the Python environment is ready after " +
                           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(took).count()) +
                           " s");
    }
    release(build);
    builds_.erase(std::exchange(current_, {}));
}

void Environments::fail(Build& build, std::string error) {
    log::warn("a Python environment could not be made", {{"error", error}});
    build.failed = true;
    build.error = "no Python environment for it: " + std::move(error);
    release(build);
    current_.clear();
}

void Environments::release(Build& build) {
    if (build.lock >= 0) ::close(build.lock);
    build.lock = -1;
}

} // namespace weir::flows::local
