#include "runs.hpp"

#include <algorithm>

namespace weir::flows::kubeflow {

namespace {

constexpr std::size_t learned_max = 500'000;

/// The server may have taken the request, whatever its answer was.
bool may_have_worked(Kind kind) {
    return kind == Kind::Good || after_create(kind) == CreateNext::Unknown;
}

Error unreached(const GotRun& got) {
    return {got.kind, got.reason};
}

ErrorKind kind_of(const Answer& answer) {
    switch (answer.kind) {
        case Kind::Forbidden: return ErrorKind::Denied;
        case Kind::Missing: return ErrorKind::NotFound;
        case Kind::NoAnswer: return ErrorKind::Timeout;
        case Kind::BadRequest:
        case Kind::TooLarge: return ErrorKind::Invalid;
        case Kind::Conflict: return ErrorKind::Conflict;
        default: return ErrorKind::Unavailable;
    }
}

} // namespace

Views::Views(const KubeflowOptions& options) {
    for (const auto& [team, binding] : options.bindings)
        if (const View view{binding.user, binding.namespace_};
            std::find(views_.begin(), views_.end(), view) == views_.end())
            views_.push_back(view);
    if (views_.empty()) views_.emplace_back();
}

std::size_t Views::index_of(const View& view) const {
    const auto found = std::find(views_.begin(), views_.end(), view);
    return found == views_.end() ? 0 : static_cast<std::size_t>(found - views_.begin());
}

void Views::learn(RunId run, std::size_t view) {
    if (of_.size() >= learned_max) of_.clear(); // learned again by looking
    of_[run] = view;
}

std::optional<std::size_t> Views::find(RunId run) const {
    if (views_.size() == 1) return 0;
    const auto found = of_.find(run);
    if (found == of_.end()) return {};
    return found->second;
}

void Runs::get(RunId run, Call::Use use, std::function<void(GotRun)> done) {
    const auto known = views_.find(run);
    get_as(run, use, known.value_or(0), known.has_value(), {}, std::move(done));
}

void Runs::get_as(RunId run, Call::Use use, std::size_t view, bool only, std::string denied,
                  std::function<void(GotRun)> done) {
    if (view >= views_.all().size()) {
        GotRun got;
        got.kind = ErrorKind::Denied;
        got.reason = std::move(denied);
        return done(std::move(got));
    }
    Call call;
    call.what = "GetRun";
    call.path = "/runs/" + run.to_string();
    call.user = views_.all()[view].user;
    call.use = use;
    client_.call(std::move(call), [this, run, use, view, only, done = std::move(done)](const Answer& answer) {
        // The server says 404 before it looks at grants, so a 403 is about a run that is there.
        if (answer.kind == Kind::Forbidden && !only)
            return get_as(run, use, view + 1, only, answer.reason, done);
        GotRun got;
        got.missing = answer.kind == Kind::Missing;
        got.reason = answer.reason;
        got.kind = kind_of(answer);
        got.oversize = answer.kind == Kind::Oversize;
        if (answer.good()) {
            auto read = read_run(answer.body);
            // A database that compares without case may find another one.
            if (!read.ok() || read->id != run.to_string()) {
                got.reason = "GetRun: the answer is not this run";
            } else {
                views_.learn(run, view);
                got.run = std::move(*read);
            }
        }
        done(std::move(got));
    });
}

void Runs::verb(RunId run, const std::string& verb, std::function<void(Answer)> done) {
    Call call;
    call.what = verb;
    call.method = "POST";
    call.path = "/runs/" + run.to_string() + ":" + verb;
    call.user = views_.all()[views_.find(run).value_or(0)].user;
    client_.call(std::move(call), std::move(done));
}

void Runs::cancel(RunId run, const std::function<void(bool)>& asked, std::function<void(Status)> done) {
    const auto decide = [this, run, asked, done](const std::string& why) {
        get(run, Call::Use::Launch, [run, why, asked, done](const GotRun& got) {
            if (got.missing) return done(not_found("the server has no run " + run.to_string()));
            if (!got.run) return done(unreached(got));
            if (is_terminal(got.run->state))
                return done(
                    conflict("the run " + run.to_string() + " has ended already (" + got.run->state + ")"));
            if (got.run->state != "CANCELING") return done(unavailable(why));
            asked(true);
            done(Status());
        });
    };
    const auto terminate = [this, run, asked, done, decide] {
        verb(run, "terminate", [run, asked, done, decide](const Answer& answer) {
            if (may_have_worked(answer.kind)) asked(answer.good());
            if (answer.good()) return done(Status());
            // Also its answer for one that ends already.
            if (answer.kind == Kind::BadRequest || answer.kind == Kind::Conflict)
                return decide(answer.reason);
            if (answer.kind == Kind::Missing)
                return done(not_found("the server has no run " + run.to_string()));
            done(Error{kind_of(answer), answer.reason});
        });
    };
    if (views_.find(run)) return terminate();
    get(run, Call::Use::Launch, [run, done, terminate](const GotRun& got) {
        if (got.missing) return done(not_found("the server has no run " + run.to_string()));
        if (!got.run) return done(unreached(got));
        terminate();
    });
}

void Runs::retry(RunId run, int attempt, std::function<void(Status)> done) {
    if (attempt < 2)
        return done(invalid("a retry opens attempt 2 or a later one, not " + std::to_string(attempt)));
    ask_retry(run, attempt, true, std::move(done));
}

/// `again`: asks the server for it if it is due; else only looks whether it has been opened.
void Runs::ask_retry(RunId run, int attempt, bool again, std::function<void(Status)> done) {
    get(run, Call::Use::Launch, [this, run, attempt, again, done = std::move(done)](const GotRun& got) {
        if (got.missing) return done(not_found("the server has no run " + run.to_string()));
        if (!got.run) return done(unreached(got));
        const auto attempts = attempts_of(*got.run);
        const AttemptView& newest = attempts.back();
        const std::string name = "the run " + run.to_string();
        if (newest.number >= attempt) return done(Status());
        if (!newest.settled) return done(conflict(name + " has not ended"));
        if (newest.state != "FAILED")
            return done(
                conflict(name + " ended " + newest.state + ": the server tries failed runs again only"));
        if (!again) return done(conflict(name + " cannot be tried again, says the server"));
        verb(run, "retry", [this, run, attempt, done](const Answer& answer) {
            if (answer.good()) return done(Status());
            if (answer.kind == Kind::Missing)
                return done(not_found("the server has no run " + run.to_string()));
            // Somebody else was quicker, or it cannot be.
            if (answer.kind == Kind::Conflict || answer.kind == Kind::BadRequest)
                return ask_retry(run, attempt, false, done);
            done(Error{kind_of(answer), answer.reason});
        });
    });
}

} // namespace weir::flows::kubeflow
