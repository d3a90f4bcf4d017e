#include <weir/engine/service.hpp>

#include <condition_variable>
#include <mutex>

#include <weir/base/text.hpp>
#include <weir/events/wire_codec.hpp>

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

Status EngineService::read(std::function<void()> work) {
    auto outcome = carry([work = std::move(work)](const Shell::Done& done) {
        work();
        done({});
    });
    if (!outcome.ok()) return outcome.error();
    return {};
}

Result<ApplyReport> EngineService::apply(const ApplyRequest& request) {
    auto plan = std::make_shared<ApplyPlan>(read_apply(request, ports_.path));
    if (ports_.check_flow) check_flows(*plan, ports_.check_flow);
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

Result<RunId> EngineService::start_run(const StartRun& run, const Actor& actor) {
    expects(run.flow != nullptr, "a run is started of no flow");
    StartRunInput input{run.id, run.flow, run.arguments_json, run.description, actor.principal, actor.reason};
    auto outcome = carry([this, input = std::move(input)](const Shell::Done& done) {
        if (ports_.reader.run(input.id).ok())
            return done({conflict("there is a run " + input.id.to_string() + " already"), {}});
        ports_.shell.submit(input, done);
    });
    if (!outcome.ok()) return outcome.error();
    return run.id;
}

Result<bool> EngineService::report_run(const RunSaid& said, const Actor& actor) {
    ReportInput input{said.run,       said.attempt,    said.outcome, said.error, said.outputs_json,
                      said.artifacts, actor.principal, false,        0};
    bool recorded = true;
    auto outcome = carry([this, &recorded, input = std::move(input)](const Shell::Done& done) mutable {
        if (ports_.shell.core().run(input.run) == nullptr) {
            const auto row = ports_.reader.run(input.run);
            if (!row.ok() && row.error().kind != ErrorKind::NotFound) return done({row.error(), {}});
            input.settled = row.ok();
            if (row.ok()) input.next_attempt = next_attempt_of(*row);
            // What adds nothing to what is settled needs no row.
            if (row.ok() && input.attempt <= row->attempt &&
                (!input.outcome || input.outcome == row->outcome) && input.outputs_json == "{}" &&
                input.artifacts.empty()) {
                recorded = false;
                return done({});
            }
        }
        ports_.shell.submit(std::move(input), done);
    });
    if (!outcome.ok()) return outcome.error();
    return recorded && outcome->recorded;
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
    if (!ports_.bus.remote()) {
        const auto positions = ports_.bus.publish("", events);
        if (!positions.ok()) return positions.error();
        return {};
    }
    for (std::size_t i = 0; i < events.size(); ++i)
        if (const auto valid = events::check(events[i]); !valid.ok())
            return events.size() == 1 ? valid.error() : valid.error().in("event " + std::to_string(i + 1));
    std::vector<std::string> wires;
    wires.reserve(events.size());
    for (const auto& event : events)
        wires.push_back(events::encode_wire(event));
    auto outcome = carry([this, wires = std::move(wires)](Shell::Done done) mutable {
        ports_.shell.publish(std::move(wires), std::move(done));
    });
    if (!outcome.ok()) return outcome.error();
    return {};
}

} // namespace weir::engine
