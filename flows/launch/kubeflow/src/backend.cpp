#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include <weir/base/log.hpp>
#include <weir/flows/kubeflow/kubeflow_backend.hpp>

#include "launches.hpp"
#include "query.hpp"
#include "runs.hpp"
#include "watch.hpp"

namespace weir::flows::kubeflow {

namespace {

/// Beside the requests of launches: the watcher's, looks of people, tokens.
constexpr std::size_t further_connections = 12;
constexpr auto longest_wait = std::chrono::seconds(5);

class Backend final : public KubeflowBackend {
  public:
    Backend(const Clock& clock, KubeflowOptions options, std::unique_ptr<Http> http)
        : clock_(clock),
          options_(std::move(options)),
          http_(std::move(http)),
          client_(clock_, options_, *http_, timers_, status_,
                  [this](std::function<void()> work) { post(std::move(work)); }),
          views_(options_),
          lookups_(clock_, options_, client_, timers_),
          runs_(client_, views_),
          launches_(clock_, options_, client_, lookups_, timers_, status_,
                    [this](RunId run, const View& view) { views_.learn(run, views_.index_of(view)); }),
          watch_(clock_, options_, client_, lookups_, runs_, views_, timers_, status_) {
        thread_ = std::thread([this] { work(); });
    }
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    ~Backend() override { close(); }

    [[nodiscard]] Duration absence_wait() const override {
        return options_.timeouts.server_timeout + options_.timeouts.orphan_grace;
    }
    void launch(LaunchRequest request, std::function<void(LaunchReply)> done) override {
        post([this, request = std::move(request), done = std::move(done)]() mutable {
            launches_.begin(std::move(request), std::move(done));
        });
    }
    void look(RunId run, std::function<void(LookReply)> done) override {
        post([this, run, done = std::move(done)] {
            launches_.remember(run);
            runs_.get(run, Call::Use::Launch, [done](const GotRun& got) { done(look_reply(got)); });
        });
    }
    void cancel(RunId run, std::string reason, std::function<void(Status)> done) override {
        post([this, run, reason = std::move(reason), done = std::move(done)] {
            runs_.cancel(
                run, [this, run, reason](bool sure) { watch_.cancelled(run, reason, sure); }, done);
        });
    }
    void retry(RunId run, int attempt, std::string, std::function<void(Status)> done) override {
        post([this, run, attempt, done = std::move(done)] {
            runs_.retry(run, attempt, [this, run, attempt, done](const Status& status) {
                if (status.ok()) watch_.retried(run, attempt);
                done(status);
            });
        });
    }
    [[nodiscard]] std::vector<WaitingLaunch> waiting() const override { return launches_.waiting(); }
    void close() override;

    void on_report(std::function<void(RunReport)> report) override {
        post([this, report = std::move(report)]() mutable { watch_.on_report(std::move(report)); });
    }
    void watch(RunId run) override {
        post([this, run] { watch_.watch(run); });
    }
    void forget(RunId run) override {
        post([this, run] { watch_.forget(run); });
    }
    void settled(RunId run, int attempt) override {
        post([this, run, attempt] { watch_.settled(run, attempt); });
    }
    void on_place(PlaceDone done) override {
        post([this, done = std::move(done)]() mutable { watch_.on_place(std::move(done)); });
    }
    void follow_settled(RunId run, int attempt, Instant ended) override {
        post([this, run, attempt, ended] { watch_.follow_settled(run, attempt, ended); });
    }

    [[nodiscard]] Result<std::vector<TaskRecord>> tasks(RunId run) const override;
    [[nodiscard]] Result<std::string> log(RunId run, std::string_view task, std::size_t) const override {
        WEIR_ASSIGN(known, tasks(run));
        for (const TaskRecord& one : known)
            if (one.name == task)
                return unsupported(
                    "the log of a task on Kubeflow is its pod's; `kubectl logs`, or the Kubeflow "
                    "UI, show it");
        return not_found("the run " + run.to_string() + " has no task \"" + std::string(task) + "\"");
    }
    [[nodiscard]] KubeflowStatus status() const override {
        KubeflowStatus status = status_.with([](const KubeflowStatus& now) { return now; });
        status.waiting = launches_.waiting();
        status.launches = launches_.size();
        return status;
    }
    [[nodiscard]] std::vector<std::string> probe() override;

  private:
    static LookReply look_reply(const GotRun& got);
    void post(std::function<void()> work) const {
        {
            std::lock_guard lock(mutex_);
            if (stopping_) return;
            posted_.push_back(std::move(work));
        }
        http_->wake();
    }
    /// Posts and waits; nothing if the backend was closed meanwhile.
    template <class T>
    std::optional<T> ask(const std::function<void(std::function<void(T)>)>& work) const;
    void work();

    const Clock& clock_;
    const KubeflowOptions options_;
    std::unique_ptr<Http> http_;
    mutable Timers timers_;
    mutable Sync<KubeflowStatus> status_;
    Client client_;
    Views views_;
    Lookups lookups_;
    mutable Runs runs_;
    Launches launches_;
    Watch watch_;
    mutable std::mutex mutex_;
    mutable std::vector<std::function<void()>> posted_;
    bool stopping_ = false;
    std::mutex closing_;
    std::thread thread_;
};

void Backend::work() {
    client_.greet();
    watch_.begin();
    for (;;) {
        std::vector<std::function<void()>> posted;
        {
            std::lock_guard lock(mutex_);
            if (stopping_) return;
            posted.swap(posted_);
        }
        for (auto& one : posted)
            one();
        timers_.run(clock_.steady_now());
        Duration wait = longest_wait;
        if (const auto next = timers_.next())
            wait = std::clamp<Duration>(*next - clock_.steady_now(), Duration(0), longest_wait);
        // Rounded up: a wait of less than a millisecond would be a busy loop.
        if (wait > Duration(0)) wait = std::chrono::ceil<std::chrono::milliseconds>(wait);
        http_->turn(wait);
    }
}

void Backend::close() {
    std::lock_guard once(closing_);
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    http_->wake();
    if (thread_.joinable()) thread_.join();
    // Whoever waits for one of these learns that no answer comes.
    std::vector<std::function<void()>> left;
    std::lock_guard lock(mutex_);
    left.swap(posted_);
}

LookReply Backend::look_reply(const GotRun& got) {
    LookReply reply;
    reply.reason = got.reason;
    if (got.missing) reply.answer = LookAnswer::Absent;
    if (!got.run) return reply;
    const MachineLine line = read_machine_line(got.run->description);
    reply.answer = LookAnswer::Found;
    reply.reason.clear();
    reply.flow_version = line.version;
    reply.decision = line.decision;
    reply.arguments_json = got.run->arguments_json;
    return reply;
}

template <class T>
std::optional<T> Backend::ask(const std::function<void(std::function<void(T)>)>& work) const {
    auto promise = std::make_shared<std::promise<std::optional<T>>>();
    auto answer = promise->get_future();
    // The last copy goes without a value where the backend is closed first.
    struct Giver {
        std::shared_ptr<std::promise<std::optional<T>>> promise;
        bool given = false;
        void give(std::optional<T> value) {
            if (!std::exchange(given, true)) promise->set_value(std::move(value));
        }
        ~Giver() { give(std::nullopt); }
    };
    auto giver = std::make_shared<Giver>();
    giver->promise = std::move(promise);
    post([work, giver] { work([giver](T value) { giver->give(std::move(value)); }); });
    giver.reset();
    // Closing drops what was posted, but not what stands in a request: a second bound.
    if (answer.wait_for(options_.timeouts.request + std::chrono::seconds(5)) != std::future_status::ready)
        return std::nullopt;
    return answer.get();
}

Result<std::vector<TaskRecord>> Backend::tasks(RunId run) const {
    const auto got = ask<GotRun>([this, run](std::function<void(GotRun)> give) {
        runs_.get(run, Call::Use::Launch, std::move(give));
    });
    if (!got)
        return unavailable("the backend \"" + options_.name + "\" was closed, or is too busy to answer");
    if (got->missing) return not_found("the server has no run " + run.to_string());
    if (!got->run) return Error{got->kind, got->reason};
    return got->run->tasks;
}

std::vector<std::string> Backend::probe() {
    std::vector<std::string> faults;
    for (std::size_t at = 0; at <= views_.all().size(); ++at) {
        const bool greeting = at == 0;
        const View view = greeting ? View{} : views_.all()[at - 1];
        const auto answer = ask<Answer>([&](std::function<void(Answer)> give) {
            Call call;
            call.what =
                greeting ? "healthz" : "ListRuns as \"" + view.user + "\" in \"" + view.namespace_ + "\"";
            Query query;
            query.add("page_size", "1").add("namespace", view.namespace_);
            call.path = greeting ? "/healthz" : "/runs" + query.text();
            call.user = view.user;
            call.use = Call::Use::Probe;
            client_.call(std::move(call), std::move(give));
        });
        if (!answer)
            faults.emplace_back("no answer in time");
        else if (!answer->good())
            faults.push_back(answer->reason);
        if (greeting && !faults.empty()) break; // the rest would say the same
    }
    return faults;
}

} // namespace

Result<std::unique_ptr<KubeflowBackend>> open_kubeflow_backend(const Clock& clock, KubeflowOptions options) {
    if (const Status checked = check_options(options); !checked.ok())
        return checked.error().in("backend \"" + options.name + "\"");
    Http::Settings settings;
    settings.tls = options.tls;
    settings.proxy = options.proxy;
    settings.connect_timeout = options.timeouts.connect;
    settings.connections = options.limits.in_flight + further_connections;
    settings.answer_bytes = options.limits.answer_bytes;
    WEIR_ASSIGN(http, Http::make(std::move(settings)));
    return std::unique_ptr<KubeflowBackend>(
        std::make_unique<Backend>(clock, std::move(options), std::move(http)));
}

} // namespace weir::flows::kubeflow
