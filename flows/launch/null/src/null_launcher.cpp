#include <weir/flows/null/null_launcher.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include <weir/base/crash_point.hpp>
#include <weir/base/loop.hpp>
#include <weir/flows/document.hpp>
#include <weir/flows/files.hpp>

namespace weir::flows::null {

namespace {

/// A clock that is set forward is noticed after this.
constexpr auto look_interval = std::chrono::milliseconds(100);
constexpr std::size_t record_bytes_max = 4 * 1024 * 1024;

struct Entry {
    std::string version;
    std::string arguments_json;
    std::string decision;
    Instant accepted{}; ///< or when the attempt was opened
    Instant due{};
    Outcome outcome = Outcome::Succeeded;
    std::string outputs_json = "{}";
    std::string error;
    int attempt = 1;
    // What the flow document says of every attempt:
    Duration settle_after{0};
    Outcome planned = Outcome::Succeeded;
    std::string planned_outputs_json = "{}";
    bool settled = false; ///< as far as anybody has been told or asked
    bool watched = false;
};

using Json = nlohmann::json;

std::string write(const Entry& entry) {
    return Json{{"version", entry.version},
                {"arguments", entry.arguments_json},
                {"decision", entry.decision},
                {"accepted", to_ns(entry.accepted)},
                {"due", to_ns(entry.due)},
                {"outcome", to_string(entry.outcome)},
                {"outputs", entry.outputs_json},
                {"error", entry.error},
                {"attempt", entry.attempt},
                {"settle_after", entry.settle_after.count()},
                {"planned", to_string(entry.planned)},
                {"planned_outputs", entry.planned_outputs_json}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Entry> read(const std::string& text) {
    try {
        const Json json = Json::parse(text);
        Entry entry;
        entry.version = json.at("version");
        entry.arguments_json = json.at("arguments");
        entry.decision = json.at("decision");
        entry.accepted = from_ns(json.at("accepted"));
        entry.due = from_ns(json.at("due"));
        entry.outputs_json = json.at("outputs");
        entry.error = json.at("error");
        entry.attempt = json.value("attempt", 1);
        entry.settle_after = Duration(json.value("settle_after", (entry.due - entry.accepted).count()));
        entry.planned_outputs_json = json.value("planned_outputs", entry.outputs_json);
        const std::string ended = json.at("outcome");
        const std::string planned = json.value("planned", ended);
        for (const Outcome outcome : {Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled}) {
            if (to_string(outcome) == ended) entry.outcome = outcome;
            if (to_string(outcome) == planned) entry.planned = outcome;
        }
        return entry;
    } catch (const std::exception& error) {
        return corrupt(std::string("the record of a run cannot be read: ") + error.what());
    }
}

class Backend final : public NullLauncher {
  public:
    Backend(NullSettings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {}
    ~Backend() override { close(); }

    Status begin() {
        if (!settings_.folder.empty()) {
            WEIR_TRY(make_folders(settings_.folder));
            std::error_code error;
            for (const auto& file : std::filesystem::directory_iterator(settings_.folder, error)) {
                // What a process that was killed was about to write.
                if (file.path().filename().string().find(".json.new") != std::string::npos) {
                    std::error_code ignored;
                    std::filesystem::remove(file.path(), ignored);
                }
                if (file.path().extension() != ".json") continue;
                const auto id = Uuid::parse(file.path().stem().string());
                if (!id.ok()) continue;
                WEIR_ASSIGN(text, read_file(file.path(), record_bytes_max));
                WEIR_ASSIGN(entry, read(text));
                entry.settled = entry.due <= clock_.now();
                if (!entry.settled) waiting_.emplace(entry.due, RunId{*id});
                runs_.emplace(RunId{*id}, std::move(entry));
            }
            if (error)
                return unavailable("cannot read " + settings_.folder.string() + ": " + error.message());
        }
        if (!settings_.inline_callbacks) thread_ = std::thread([this] { run_thread(); });
        return {};
    }

    void launch(LaunchRequest request, std::function<void(LaunchReply)> done) override {
        act([this, request = std::move(request), done] { done(do_launch(request)); });
    }
    void look(RunId run, std::function<void(LookReply)> done) override {
        act([this, run, done] { done(do_look(run)); });
    }
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override {
        act([this, run, reason, done] {
            RunReport report;
            const Status status = do_cancel(run, reason, report);
            done(status);
            if (report.settled) tell(report);
        });
    }
    void retry(RunId run, int attempt, std::string, std::function<void(Status)> done) override {
        act([this, run, attempt, done] { done(do_retry(run, attempt)); });
    }
    void close() override {
        loop_.stop();
        if (thread_.joinable()) thread_.join();
    }
    void on_report(std::function<void(RunReport)> report) override {
        std::lock_guard lock(mutex_);
        report_ = std::move(report);
    }
    void watch(RunId run) override {
        act([this, run] {
            RunReport report;
            {
                std::lock_guard lock(mutex_);
                const auto it = runs_.find(run);
                if (it == runs_.end()) return;
                it->second.watched = true;
                if (it->second.due <= clock_.now()) {
                    it->second.settled = true;
                    waiting_.erase({it->second.due, run});
                }
                report = report_of(run, it->second);
            }
            tell(report);
        });
    }
    void forget(RunId run) override {
        std::lock_guard lock(mutex_);
        if (const auto it = runs_.find(run); it != runs_.end()) it->second.watched = false;
    }

    std::optional<Instant> settle_due() override {
        for (;;) {
            RunReport report;
            {
                std::lock_guard lock(mutex_);
                if (waiting_.empty()) return {};
                const auto [due, run] = *waiting_.begin();
                if (due > clock_.now()) return due;
                waiting_.erase(waiting_.begin());
                Entry& entry = runs_.at(run);
                entry.settled = true;
                if (!entry.watched) continue;
                report = report_of(run, entry);
            }
            tell(report);
        }
    }
    [[nodiscard]] std::size_t accepted() const override {
        std::lock_guard lock(mutex_);
        return runs_.size();
    }

    [[nodiscard]] Result<std::vector<TaskRecord>> tasks(RunId run) const override {
        std::lock_guard lock(mutex_);
        if (!runs_.contains(run)) return not_found("there is no run " + run.to_string() + " here");
        return std::vector<TaskRecord>();
    }
    [[nodiscard]] Result<std::string> log(RunId run, std::string_view, std::size_t) const override {
        return not_found("the run " + run.to_string() + " has no tasks: backend null runs nothing");
    }

  private:
    void act(std::function<void()> work) {
        if (settings_.inline_callbacks)
            work();
        else
            loop_.post(std::move(work));
    }

    void run_thread() {
        const SystemClock real; // waits; what is due is asked of clock_, which may be a test's
        std::optional<SteadyInstant> next;
        while (loop_.run_until(next)) {
            const auto due = settle_due();
            next.reset();
            if (due)
                next =
                    real.steady_now() + std::clamp(*due - clock_.now(), Duration(0), Duration(look_interval));
        }
    }

    static LaunchReply compare(const Entry& entry, const LaunchRequest& request) {
        if (entry.version == request.flow->version && entry.arguments_json == request.arguments_json &&
            entry.decision == request.decision.to_string())
            return {LaunchAnswer::Accepted, "it was there already"};
        return {LaunchAnswer::Refused, "conflict: there is another run with this id here"};
    }

    LaunchReply do_launch(const LaunchRequest& request) {
        std::lock_guard lock(mutex_);
        if (const auto* entry = find(request.run)) return compare(*entry, request);
        auto settings =
            read_settings(request.flow->settings_json.empty() ? "{}" : request.flow->settings_json);
        if (!settings.ok()) return {LaunchAnswer::Refused, settings.error().message};
        Entry entry;
        entry.version = request.flow->version;
        entry.arguments_json = request.arguments_json;
        entry.decision = request.decision.to_string();
        entry.settle_after = settings->settle_after;
        entry.planned = settings->outcome;
        entry.planned_outputs_json = settings->outputs_json;
        open(entry);
        if (clock_.now() > request.deadline)
            return {LaunchAnswer::Refused, "the deadline of the launch has passed"};
        crash_point("null_in_request");
        // Another weir may have taken over meanwhile: whose file it is decides whose run it is.
        if (const auto made = create(request.run, entry); !made.ok()) {
            if (made.error().kind != ErrorKind::Conflict)
                return {LaunchAnswer::Refused, made.error().message};
            const auto* other = find(request.run);
            return other == nullptr ? LaunchReply{LaunchAnswer::Unknown, made.error().message}
                                    : compare(*other, request);
        }
        if (!entry.settled) waiting_.emplace(entry.due, request.run);
        runs_.emplace(request.run, std::move(entry));
        return {LaunchAnswer::Accepted, {}};
    }

    /// A run, also one that another process made in this folder since it was read.
    const Entry* find(RunId run) {
        if (const auto known = runs_.find(run); known != runs_.end()) return &known->second;
        if (settings_.folder.empty()) return nullptr;
        const auto text = read_file(path_of(run), record_bytes_max);
        if (!text.ok()) return nullptr;
        auto entry = read(*text);
        if (!entry.ok()) return nullptr;
        entry->settled = entry->due <= clock_.now();
        if (!entry->settled) waiting_.emplace(entry->due, run);
        return &runs_.emplace(run, std::move(entry).value()).first->second;
    }

    /// An attempt begins now and will end as the flow document says.
    void open(Entry& entry) const {
        entry.accepted = clock_.now();
        entry.due = entry.accepted + entry.settle_after;
        entry.settled = entry.due <= entry.accepted;
        entry.outcome = entry.planned;
        entry.outputs_json = entry.planned_outputs_json;
        entry.error = entry.outcome == Outcome::Failed ? "the flow document says so (outcome: failed)" : "";
    }

    Status do_retry(RunId run, int attempt) {
        if (attempt < 2)
            return invalid("a retry opens attempt 2 or a later one, not " + std::to_string(attempt));
        std::lock_guard lock(mutex_);
        const auto it = runs_.find(run);
        if (it == runs_.end()) return not_found("there is no run " + run.to_string() + " here");
        if (it->second.attempt >= attempt) return {};
        if (!it->second.settled && it->second.due > clock_.now())
            return conflict("the run " + run.to_string() + " has not ended");
        if (it->second.outcome == Outcome::Succeeded)
            return conflict("the run " + run.to_string() + " succeeded: there is nothing to try again");
        Entry entry = it->second;
        entry.attempt = attempt;
        open(entry);
        WEIR_TRY(save(run, entry));
        waiting_.erase({it->second.due, run});
        if (!entry.settled) waiting_.emplace(entry.due, run);
        it->second = std::move(entry);
        return {};
    }

    LookReply do_look(RunId run) {
        std::lock_guard lock(mutex_);
        LookReply reply;
        const auto* entry = find(run);
        reply.answer = entry == nullptr ? LookAnswer::Absent : LookAnswer::Found;
        if (entry == nullptr) return reply;
        reply.flow_version = entry->version;
        reply.arguments_json = entry->arguments_json;
        reply.decision = entry->decision;
        return reply;
    }

    Status do_cancel(RunId run, const std::string& reason, RunReport& report) {
        std::lock_guard lock(mutex_);
        const auto it = runs_.find(run);
        if (it == runs_.end()) return not_found("there is no run " + run.to_string() + " here");
        Entry entry = it->second;
        if (entry.settled || entry.due <= clock_.now())
            return conflict("the run " + run.to_string() + " has ended already");
        const Instant due = entry.due;
        entry.outcome = Outcome::Cancelled;
        entry.error = reason.empty() ? "cancelled" : reason;
        entry.outputs_json = "{}";
        entry.due = clock_.now();
        entry.settled = true;
        WEIR_TRY(save(run, entry));
        waiting_.erase({due, run});
        it->second = std::move(entry);
        if (it->second.watched) report = report_of(run, it->second);
        return {};
    }

    [[nodiscard]] std::filesystem::path path_of(RunId run) const {
        return settings_.folder / (run.to_string() + ".json");
    }
    /// `conflict` if the run is there.
    Status create(RunId run, const Entry& entry) const {
        if (settings_.folder.empty()) return {};
        return create_file(path_of(run), write(entry), settings_.durable);
    }
    Status save(RunId run, const Entry& entry) const {
        if (settings_.folder.empty()) return {};
        return settings_.durable ? write_durably(path_of(run), write(entry))
                                 : write_plain(path_of(run), write(entry));
    }

    static RunReport report_of(RunId run, const Entry& entry) {
        RunReport report;
        report.run = run;
        report.attempt = entry.attempt;
        report.started_at = entry.accepted;
        report.settled = entry.settled;
        if (!entry.settled) return report;
        report.outcome = entry.outcome;
        report.outputs_json = entry.outcome == Outcome::Succeeded ? entry.outputs_json : "{}";
        report.error = entry.error;
        report.finished_at = entry.due;
        return report;
    }

    void tell(const RunReport& report) {
        std::function<void(RunReport)> to;
        {
            std::lock_guard lock(mutex_);
            to = report_;
        }
        if (to) to(report);
    }

    NullSettings settings_;
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<RunId, Entry> runs_;
    std::set<std::pair<Instant, RunId>> waiting_;
    std::function<void(RunReport)> report_;
    Loop loop_;
    std::thread thread_;
};

} // namespace

Result<std::unique_ptr<NullLauncher>> NullLauncher::open(NullSettings settings, const Clock& clock) {
    auto backend = std::make_unique<Backend>(std::move(settings), clock);
    WEIR_TRY(backend->begin());
    return std::unique_ptr<NullLauncher>(std::move(backend));
}

} // namespace weir::flows::null
