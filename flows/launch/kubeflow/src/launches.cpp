#include "launches.hpp"

#include <algorithm>

#include <weir/base/crash_point.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "query.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t known_max = 200'000;
/// What is under way this long is shown as waiting though nothing failed: it stands in a queue.
constexpr auto shown_after = std::chrono::seconds(1);
/// How long no run is created after the server gave one another id.
constexpr auto not_honoured_hold = std::chrono::minutes(1);
constexpr std::size_t tries_max = 100'000;
/// How long no `plugins_input` is sent after the server did not take it.
constexpr auto no_plugins_for = std::chrono::minutes(10);

} // namespace

struct Launches::Launch {
    LaunchRequest request;
    std::function<void(LaunchReply)> done;
    Stage stage = Stage::Pipeline;
    Binding binding;
    View view;
    Target target;
    std::string experiment_name;
    Pipeline pipeline;
    Version version;
    std::string experiment_id;
    std::string made_id; ///< of the run that the server made instead
    std::string fault;   ///< why it can never be made, by what the configuration and the flow say now
    bool again = false;  ///< an earlier request of it may have left
    bool plugins = false;
    int tries = 0;
};

Launches::Launches(const Clock& clock, const KubeflowOptions& options, Client& client, Lookups& lookups,
                   Timers& timers, Sync<KubeflowStatus>& status, Learn learn)
    : clock_(clock),
      options_(options),
      client_(client),
      lookups_(lookups),
      timers_(timers),
      status_(status),
      learn_(std::move(learn)) {}

void Launches::remember(RunId run) {
    if (!known_.emplace(run, true).second) return;
    known_order_.push_back(run);
    if (known_order_.size() <= known_max) return;
    known_.erase(known_order_.front());
    known_order_.pop_front();
}

std::vector<WaitingLaunch> Launches::waiting() const {
    const auto now = clock_.steady_now();
    return shown_.with([&](const auto& shown) {
        std::vector<WaitingLaunch> list;
        for (const auto& [run, one] : shown) {
            if (one.launch.reason.empty() && now - one.since < shown_after) continue;
            list.push_back(one.launch);
            if (list.back().reason.empty())
                list.back().reason = "it waits for its turn (limits.in_flight, limits.requests_per_second)";
        }
        return list;
    });
}

std::size_t Launches::size() const {
    return shown_.with([](const auto& shown) { return shown.size(); });
}

void Launches::begin(LaunchRequest request, std::function<void(LaunchReply)> done) {
    if (open_.contains(request.run))
        return done({LaunchAnswer::Unknown, "it is being launched at this moment", {}, {}});
    auto launch = std::make_shared<Launch>();
    launch->request = std::move(request);
    launch->done = std::move(done);
    const auto& of = launch->request;
    open_.emplace(of.run, launch);
    if (const auto tries = tries_.find(of.run); tries != tries_.end()) launch->tries = tries->second;
    Shown shown;
    shown.launch.run = of.run;
    shown.since = clock_.steady_now();
    shown_.with([&](auto& all) { all[of.run] = shown; });
    if (clock_.now() > of.deadline)
        return end(launch, LaunchAnswer::Late,
                   "the deadline of the launch had passed before anything was sent");
    if (open_.size() > options_.limits.launches)
        return end(
            launch, LaunchAnswer::Postponed,
            "more than " + std::to_string(options_.limits.launches) + " launches wait for this backend",
            clock_.now() + options_.timeouts.retry_max);
    // What is wrong now says nothing of an earlier request.
    const bool again = launch->again = of.again || known_.contains(of.run);
    const Binding* binding = find_binding(options_, of.flow->team);
    if (binding == nullptr)
        return end(
            launch, again ? LaunchAnswer::Unknown : LaunchAnswer::Refused,
            "the backend \"" + options_.name + "\" has no binding for the team \"" + of.flow->team + "\"");
    launch->binding = *binding;
    launch->view = {binding->user, binding->namespace_};
    const auto read = read_settings(*launch);
    if (!read.ok()) launch->fault = read.error().message;
    enter(launch, again ? Stage::Look : Stage::Pipeline);
}

Status Launches::read_settings(Launch& launch) {
    WEIR_ASSIGN(target, read_target(*launch.request.flow));
    WEIR_ASSIGN(experiment, experiment_of(launch.binding, target));
    launch.target = std::move(target);
    launch.experiment_name = std::move(experiment);
    return {};
}

void Launches::enter(const Ptr& launch, Stage stage) {
    launch->stage = stage;
    switch (stage) {
        case Stage::Look: return look(launch);
        case Stage::Pipeline: return pipeline(launch);
        case Stage::Version: return version(launch);
        case Stage::Check: return check(launch);
        case Stage::Experiment: return experiment(launch);
        case Stage::Create: return create(launch);
        case Stage::Stray: return stray(launch);
        case Stage::End: return;
    }
}

void Launches::step(const Ptr& launch, Step step, std::string reason, Duration retry_after) {
    const Move next = move(launch->stage, step);
    expects(next.kind != Move::Kind::Never, "a launch made a step that its table does not have");
    if (next.stage == Stage::End && next.answer == LaunchAnswer::Postponed) {
        const Instant again = clock_.now() + pause(launch, retry_after);
        return end(launch, next.answer, std::move(reason), again);
    }
    if (next.stage == Stage::End) return end(launch, next.answer, std::move(reason));
    if (step == Step::Wait) return wait(launch, next.stage, reason, retry_after);
    enter(launch, next.stage);
}

/// Once more in vain: how long nothing is tried now.
Duration Launches::pause(const Ptr& launch, Duration retry_after) {
    ++launch->tries;
    return std::max(client_.backoff().after(launch->tries), retry_after);
}

/// Tries `stage` again after a while, in this launch or, where its deadline comes first, in the next one.
void Launches::wait(const Ptr& launch, Stage stage, const std::string& reason, Duration retry_after) {
    status_.with([](KubeflowStatus& status) { ++status.retried_reads; });
    const Duration pause = this->pause(launch, retry_after);
    const Instant next = clock_.now() + pause;
    if (next >= launch->request.deadline) return end(launch, LaunchAnswer::Postponed, reason, next);
    shown_.with([&](auto& all) {
        WaitingLaunch& shown = all[launch->request.run].launch;
        shown.reason = reason;
        shown.next = next;
        shown.tries = launch->tries;
    });
    timers_.at(clock_.steady_now() + pause, [this, launch, stage] { enter(launch, stage); });
}

void Launches::end(const Ptr& launch, LaunchAnswer answer, std::string reason, Instant next) {
    open_.erase(launch->request.run);
    shown_.with([&](auto& all) { all.erase(launch->request.run); });
    launch->stage = Stage::End;
    tries_.erase(launch->request.run);
    if (tries_.size() >= tries_max) tries_.clear(); // they begin with short waits again
    if (answer == LaunchAnswer::Postponed) tries_.emplace(launch->request.run, launch->tries);
    LaunchReply reply;
    reply.answer = answer;
    reply.reason = std::move(reason);
    reply.next = next;
    if (answer == LaunchAnswer::Accepted) {
        learn_(launch->request.run, launch->view);
        if (!launch->version.id.empty()) reply.version = launch->pipeline.id + "/" + launch->version.id;
    }
    if (answer == LaunchAnswer::Unknown) status_.with([](KubeflowStatus& status) { ++status.unknown; });
    const auto done = std::move(launch->done);
    done(std::move(reply));
}

template <class T>
bool Launches::usable(const Ptr& launch, const Found<T>& found) {
    if (found.value) return true;
    step(launch, found.refused ? Step::Refuse : Step::Wait, found.reason, found.retry_after);
    return false;
}

void Launches::look(const Ptr& launch) {
    Call call;
    call.what = "GetRun";
    call.path = "/runs/" + launch->request.run.to_string();
    call.user = launch->view.user;
    client_.call(std::move(call), [this, launch](const Answer& answer) {
        if (answer.kind == Kind::Missing) return step(launch, Step::Go, {});
        // It does not say that there is no run: the server looks for it before it looks at grants.
        if (after_read(answer.kind) == ReadNext::Refuse) return step(launch, Step::Lost, answer.reason);
        if (!answer.good()) return step(launch, Step::Wait, answer.reason, answer.retry_after);
        const auto run = read_run(answer.body);
        if (!run.ok()) return step(launch, Step::Wait, "GetRun: the answer is no run");
        const std::string other = difference(*run, launch->request);
        if (!other.empty())
            return step(launch, Step::Refuse,
                        "conflict: the server has a run of this id that is not ours: " + other);
        launch->pipeline.id = run->pipeline_id;
        launch->version.id = run->version_id;
        step(launch, Step::Have, "it was there already");
    });
}

void Launches::pipeline(const Ptr& launch) {
    if (!launch->fault.empty()) return step(launch, Step::Refuse, launch->fault);
    lookups_.pipeline(launch->view, launch->target.pipeline, [this, launch](const Found<Pipeline>& found) {
        if (!usable(launch, found)) return;
        launch->pipeline = *found.value;
        step(launch, Step::Go, {});
    });
}

void Launches::version(const Ptr& launch) {
    lookups_.version(launch->view, launch->pipeline, launch->target.version,
                     [this, launch](const Found<Version>& found) {
                         if (!usable(launch, found)) return;
                         launch->version = *found.value;
                         step(launch, Step::Go, {});
                     });
}

void Launches::check(const Ptr& launch) {
    const auto& of = launch->request;
    const std::string where = "the version \"" + printable(launch->version.name, 140) +
                              "\" of the pipeline \"" + printable(launch->pipeline.name, 140) + "\"";
    const Status checked = check_arguments(of.flow->parameters, *launch->version.spec, of.arguments_json,
                                           options_.limits.parameter_bytes, where);
    if (!checked.ok()) return step(launch, Step::Refuse, checked.error().message);
    step(launch, Step::Go, {});
}

void Launches::experiment(const Ptr& launch) {
    if (launch->experiment_name.empty()) return step(launch, Step::Go, {});
    lookups_.experiment(launch->view, launch->experiment_name, true,
                        [this, launch](const Found<Experiment>& found) {
                            if (!usable(launch, found)) return;
                            if (found.value->archived)
                                return step(launch, Step::Refuse,
                                            "the experiment \"" + printable(launch->experiment_name, 140) +
                                                "\" is archived; unarchive it, or name another one");
                            launch->experiment_id = found.value->id;
                            step(launch, Step::Go, {});
                        });
}

/// CreateRun leaves only once it is on record that it does, and what is on record is true of one request:
/// whatever comes back, this launch sends no second one.
void Launches::create(const Ptr& launch) {
    if (const auto hold = not_honoured_until_ - clock_.steady_now(); hold > Duration(0))
        return launch->again ? step(launch, Step::Wait, not_honoured_, hold)
                             : step(launch, Step::Refuse, not_honoured_);
    launch->plugins =
        clock_.steady_now() >= no_plugins_until_ &&
        takes_plugins(status_.with([](const KubeflowStatus& status) { return status.server_version; }));
    RunBody body{launch->request,    launch->binding,       launch->target, launch->pipeline.id,
                 launch->version.id, launch->experiment_id, launch->plugins};
    Call call;
    call.what = "CreateRun";
    call.method = "POST";
    call.path = "/runs";
    call.body = run_body(body);
    call.user = launch->view.user;
    call.timeout = options_.timeouts.create;
    call.deadline = launch->request.deadline;
    call.once = true;
    call.leave = launch->request.leave;
    call.before_sending = [this, launch] {
        // The last look at the clock: after the deadline the engine may think that nothing is on its way.
        if (clock_.now() > launch->request.deadline) return false;
        remember(launch->request.run);
        crash_point("kubeflow_in_request");
        return true;
    };
    client_.call(std::move(call), [this, launch](const Answer& answer) { created(launch, answer); });
}

void Launches::created(const Ptr& launch, const Answer& answer) {
    crash_point("kubeflow_after_reply");
    switch (after_create(answer.kind)) {
        case CreateNext::Compare: break;
        case CreateNext::Refuse:
            // Older than its healthz said: it reads fields before it does anything.
            if (launch->plugins && answer.kind == Kind::BadRequest &&
                answer.reason.find("plugins_input") != std::string::npos) {
                no_plugins_until_ = clock_.steady_now() + no_plugins_for;
                client_.greet();
                return step(launch, Step::Stale, answer.reason + "; once more without it");
            }
            return step(launch, Step::Refuse, answer.reason);
        case CreateNext::Resolve:
            lookups_.forget();
            return step(launch, Step::Stale, answer.reason, answer.retry_after);
        case CreateNext::Wait: return step(launch, Step::Wait, answer.reason, answer.retry_after);
        case CreateNext::Late: return step(launch, Step::Held, answer.reason);
        case CreateNext::Unknown:
            if (answer.kind == Kind::ServerFault) {
                // Its row is the last thing that the server writes: the workflow may execute without it.
                status_.with([](KubeflowStatus& status) { ++status.stray_suspected; });
                lookups_.forget();
            }
            return step(launch, Step::Lost, answer.reason);
    }
    const auto run = read_run(answer.body);
    if (!run.ok()) return step(launch, Step::Lost, "CreateRun: the answer is no run");
    if (run->id != launch->request.run.to_string()) {
        launch->made_id = run->id;
        return step(launch, Step::Other, {});
    }
    launch->version.id = run->version_id.empty() ? launch->version.id : run->version_id;
    step(launch, Step::Have, {});
}

/// A server that gives runs ids of its own cannot be asked about ours: what it made is ended, and no more
/// runs are created here for a while, since each would be a run that nobody can account for.
void Launches::stray(const Ptr& launch) {
    not_honoured_ = "this server does not take the run ids that weir gives (asked for one, it made " +
                    printable(launch->made_id, 80) + "); weir cannot keep its promises on it";
    not_honoured_until_ = clock_.steady_now() + not_honoured_hold;
    Call call;
    call.what = "terminate";
    call.method = "POST";
    call.path = "/runs/" + percent_encode(launch->made_id) + ":terminate";
    call.user = launch->view.user;
    client_.call(std::move(call), [this, launch](const Answer& answer) {
        const std::string what = "run id not honoured: the server made the run " +
                                 printable(launch->made_id, 80) + " instead, which was ";
        log::error("a Kubeflow server does not take the run ids that it is given",
                   {{"backend", options_.name},
                    {"run", launch->request.run.to_string()},
                    {"made", printable(launch->made_id, 80)},
                    {"ended", answer.good()}});
        if (answer.good()) return step(launch, Step::Go, what + "ended");
        step(launch, Step::Go, what + "not ended (" + answer.reason + "): end it by hand");
    });
}

} // namespace weir::flows::kubeflow
