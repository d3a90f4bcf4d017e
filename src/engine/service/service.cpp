#include <weir/engine/service.hpp>

#include <condition_variable>
#include <mutex>

#include <weir/base/text.hpp>

#include "apply.hpp"

namespace weir::engine {
namespace {

constexpr int calls_max = 1000;
constexpr auto closing = "weir is shutting down; nothing was changed";

} // namespace

/// One call under way: whoever comes first, the answer or the end of the loop, sets the outcome.
struct EngineService::Call {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Shell::Outcome> outcome;

    void set(Shell::Outcome value) {
        std::lock_guard lock(mutex);
        if (!outcome) outcome = std::move(value);
        changed.notify_all();
    }
};

EngineService::EngineService(ServicePorts ports) : ports_(std::move(ports)) {}
EngineService::~EngineService() = default;

void EngineService::close() {
    closed_ = true;
}

Result<Shell::Outcome> EngineService::carry(std::function<void(Shell::Done)> work) {
    if (closed_) return Error(ErrorKind::Cancelled, closing);
    struct Count {
        std::atomic<int>& n;
        explicit Count(std::atomic<int>& c) : n(c) { ++n; }
        ~Count() { --n; }
    } count(waiting_);
    if (waiting_ > calls_max) return unavailable("too many calls wait for the engine; try again");
    auto call = std::make_shared<Call>();
    const bool posted = ports_.loop.post([call, work = std::move(work)] {
        work([call](Shell::Outcome outcome) { call->set(std::move(outcome)); });
    });
    if (!posted) return Error(ErrorKind::Cancelled, closing);
    ports_.loop.wake();
    std::unique_lock lock(call->mutex);
    while (!call->outcome) {
        call->changed.wait_for(lock, std::chrono::milliseconds(200));
        if (!call->outcome && (closed_ || ports_.loop.stopped())) return Error(ErrorKind::Cancelled, closing);
    }
    if (call->outcome->error) return *call->outcome->error;
    return *call->outcome;
}

Status EngineService::change(decltype(Input::what) what) {
    auto outcome = carry(
        [this, what = std::move(what)](Shell::Done done) { ports_.shell.submit(what, std::move(done)); });
    if (!outcome.ok()) return outcome.error();
    return {};
}

void EngineService::read(std::function<void()> work) {
    (void)carry([work = std::move(work)](const Shell::Done& done) {
        work();
        done({});
    });
}

Result<ApplyReport> EngineService::apply(const ApplyRequest& request) {
    auto plan = std::make_shared<ApplyPlan>(read_apply(request, ports_.path));
    if (!plan->report.problems.empty()) return plan->report;
    WEIR_TRY(check_teams(*plan));
    auto outcome = carry([this, plan, dry_run = request.dry_run](const Shell::Done& done) {
        finish_plan(*plan, ports_.shell);
        if (!plan->report.problems.empty() || dry_run || plan->empty()) return done({});
        ports_.shell.submit(plan->input, done);
    });
    if (!outcome.ok()) return outcome.error();
    return plan->report;
}

Status EngineService::delete_trigger(const std::string& team, const std::string& name, const Actor& actor) {
    return change(DeleteTriggerInput{team, name, actor.principal, actor.reason});
}

Status EngineService::pause(const std::string& team, const std::string& name, const Actor& actor) {
    return change(PauseInput{team, name, actor.principal, actor.reason});
}

Status EngineService::resume(const std::string& team, const std::string& name, bool replay,
                             const Actor& actor) {
    return change(ResumeInput{team, name, replay, actor.principal, actor.reason});
}

Result<RunId> EngineService::run_flow(const std::string& team, const std::string& flow,
                                      const std::string& arguments_json, const std::string& request_id,
                                      const Actor& actor) {
    if (request_id.empty()) return invalid("a manual run needs a request id");
    RunFlowInput input{team, flow, arguments_json, request_id, actor.principal, actor.reason};
    auto outcome = carry([this, input = std::move(input)](const Shell::Done& done) {
        // The core forgets settled runs; the ledger does not.
        const auto id = ports_.shell.core().manual_run_id(input.request_id);
        if (ports_.reader.run(id).ok()) return done({std::nullopt, id});
        ports_.shell.submit(input, done);
    });
    if (!outcome.ok()) return outcome.error();
    expects(outcome->run.has_value(), "a manual run was taken without an id");
    return *outcome->run;
}

Status EngineService::cancel_run(const RunId& run, const Actor& actor) {
    auto outcome = carry([this, run, actor](const Shell::Done& done) {
        const auto* row = ports_.shell.core().run(run);
        if (row != nullptr)
            return ports_.shell.submit(CancelInput{row->no, actor.principal, actor.reason}, done);
        if (ports_.reader.run(run).ok())
            return done({conflict("the run " + run.to_string() + " has ended already"), {}});
        done({not_found("there is no run " + run.to_string()), {}});
    });
    if (!outcome.ok()) return outcome.error();
    return {};
}

Status EngineService::retry_run(const RunId& run, const Actor& actor) {
    auto outcome = carry([this, run, actor](const Shell::Done& done) {
        // Until the first request is durable the ledger shows the run as it was before.
        if (retried_.count(run) != 0)
            return done({conflict("the run " + run.to_string() + " is being tried again already"), {}});
        auto row = ports_.reader.run(run);
        if (!row.ok()) return done({row.error(), {}});
        retried_.insert(run);
        ports_.shell.submit(RetryInput{*row, actor.principal, actor.reason},
                            [this, run, done](Shell::Outcome made) {
                                retried_.erase(run);
                                done(std::move(made));
                            });
    });
    if (!outcome.ok()) return outcome.error();
    return {};
}

Status EngineService::publish(std::span<const events::Event> events) {
    if (closed_) return Error(ErrorKind::Cancelled, closing);
    const auto own = "/weir/" + ports_.shell.instance() + "/";
    for (const auto& event : events)
        if (event.source.starts_with(own))
            return invalid("attribute \"source\": " + own +
                           "... is the source of weir's own events, found \"" + printable(event.source, 200) +
                           "\"; publish under a source of your own");
    const auto positions = ports_.bus.publish("", events);
    if (!positions.ok()) return positions.error();
    return {};
}

std::vector<JoinWaiting> EngineService::waiting(const std::string& team, const std::string& trigger) {
    auto found = std::make_shared<std::vector<JoinWaiting>>();
    read([this, found, team, trigger] { *found = ports_.shell.core().waiting(team, trigger); });
    return *found;
}

std::vector<ReadyItem> EngineService::readiness() {
    auto items = std::make_shared<std::vector<ReadyItem>>();
    auto carried = carry([this, items](const Shell::Done& done) {
        const auto& shell = ports_.shell;
        const bool writes = shell.stalled().empty() && !shell.fatal();
        items->push_back({"ledger", writes,
                          shell.fatal()
                              ? shell.fatal()->message
                              : (writes ? "sqlite, power-safe" : "cannot write: " + shell.stalled())});
        for (const auto& stream : shell.streams())
            items->push_back({"stream " + stream.name, stream.stopped.empty(),
                              stream.stopped.empty()
                                  ? "read up to " + std::to_string(stream.position.value) + ", power-safe"
                                  : stream.stopped});
        done({});
    });
    if (!carried.ok()) return {{"engine", false, carried.error().message}};
    if (ports_.more_readiness)
        for (auto& item : ports_.more_readiness())
            items->push_back(std::move(item));
    return *items;
}

std::vector<MetricValue> EngineService::metrics() {
    auto values = std::make_shared<std::vector<MetricValue>>();
    read([this, values] {
        const auto& shell = ports_.shell;
        const auto& c = shell.counters();
        const auto counter = [&](const char* name, const char* help, std::int64_t value) {
            values->push_back({name, help, true, {}, static_cast<double>(value)});
        };
        counter("arrivals_total", "Events read from streams.", c.arrivals);
        counter("inputs_recorded_total", "Inputs written to the ledger.", c.recorded);
        counter("duplicates_total", "Arrivals with an identity seen before.", c.duplicates);
        counter("conflicting_duplicates_total", "Duplicates with another content.", c.conflicting);
        counter("decisions_total", "Decisions written.", c.decisions);
        counter("runs_total", "Runs decided.", c.runs);
        counter("commits_total", "Transactions committed.", c.commits);
        counter("commit_failures_total", "Transactions that had to be tried again.", c.commit_failures);
        counter("launches_total", "Launch requests sent.", c.launches);
        counter("looks_total", "Looks for runs whose reply was lost.", c.looks);
        for (const auto& [outcome, n] : c.settled)
            values->push_back({"settlements_total",
                               "Attempts settled.",
                               true,
                               {{"outcome", outcome}},
                               static_cast<double>(n)});
        const auto gauge = [&](const char* name, const char* help, double value) {
            values->push_back({name, help, false, {}, value});
        };
        gauge("triggers", "Live triggers.", static_cast<double>(shell.core().trigger_count()));
        gauge("held_events", "Events held by joins.", static_cast<double>(shell.core().held_count()));
        gauge("unsettled_runs", "Runs that have not ended.", static_cast<double>(shell.core().runs().size()));
        gauge("ledger_stalled", "1 while the ledger cannot write.", shell.stalled().empty() ? 0 : 1);
    });
    return *values;
}

} // namespace weir::engine
