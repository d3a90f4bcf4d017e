#include "client.hpp"

#include <cstring>
#include <utility>

#include <weir/base/digest.hpp>
#include <weir/base/log.hpp>
#include <weir/base/text.hpp>

#include "json.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr auto circuit_first = std::chrono::seconds(1);
constexpr auto greeting_interval = std::chrono::minutes(5);
/// However little is left to a deadline, a request that leaves before it may be answered.
constexpr auto timeout_least = std::chrono::milliseconds(100);

std::uint64_t seed_of(std::uint64_t given) {
    if (given != 0) return given;
    std::uint64_t seed = 0;
    std::memcpy(&seed, random_bytes(sizeof seed).data(), sizeof seed);
    return seed;
}

std::string base_of(const KubeflowOptions& options) {
    std::string base = options.url;
    while (base.ends_with('/'))
        base.pop_back();
    return base + options.base_path;
}

} // namespace

struct Client::Job {
    Call call;
    std::function<void(Answer)> done;
    bool renewed = false;
    bool counted = false; ///< takes one of the places of launches
    bool asking = false;  ///< whether it may leave
    bool may_leave = false;
};

Client::Client(const Clock& clock, const KubeflowOptions& options, Http& http, Timers& timers,
               Sync<KubeflowStatus>& status, Post post)
    : clock_(clock),
      options_(options),
      http_(http),
      timers_(timers),
      status_(status),
      post_(std::move(post)),
      credentials_(clock, options, http),
      breaker_(options.circuit_failures, circuit_first, options.timeouts.retry_max),
      backoff_(options.timeouts.retry_min, options.timeouts.retry_max, seed_of(options.seed)),
      pace_(options.limits.requests_per_second),
      base_(base_of(options)) {}

void Client::call(Call call, std::function<void(Answer)> done) {
    auto job = std::make_shared<Job>();
    job->call = std::move(call);
    job->done = std::move(done);
    if (job->call.use == Call::Use::Launch) {
        queue_.push_back(std::move(job));
        return admit();
    }
    timers_.at(clock_.steady_now(), [this, job] { send(job); });
}

Duration Client::left_alone_for() const {
    if (breaker_.lets_pass()) return Duration(0);
    return std::max(Duration(0), Duration(breaker_.until() - clock_.steady_now()));
}

void Client::admit() {
    if (admit_set_ || queue_.empty() || in_flight_ >= options_.limits.in_flight) return;
    admit_set_ = true;
    timers_.at(std::max(clock_.steady_now(), pace_.next()), [this] {
        admit_set_ = false;
        while (!queue_.empty() && in_flight_ < options_.limits.in_flight &&
               pace_.next() <= clock_.steady_now()) {
            const JobPtr job = queue_.front();
            queue_.pop_front();
            ++in_flight_;
            job->counted = true;
            if (options_.limits.requests_per_second > 0) pace_.took(clock_.steady_now());
            send(job);
        }
        admit();
    });
}

void Client::count(const Call& call) {
    status_.with([&](KubeflowStatus& status) {
        ++status.requests;
        if (call.use == Call::Use::Watch) ++status.watch_requests;
        if (call.once) ++status.creates;
        status.in_flight = http_.open() + 1;
    });
}

/// True if the server is left alone, and the job has ended of it.
bool Client::left_alone(const JobPtr& job) {
    if (job->call.use == Call::Use::Probe || breaker_.lets_pass()) return false;
    Answer answer;
    answer.kind = Kind::NotSent;
    answer.reason = job->call.what + ": the server does not answer and is left alone for a while; " +
                    status_.with([](const KubeflowStatus& status) { return status.last_error; });
    answer.retry_after = left_alone_for();
    finish(job, std::move(answer));
    return true;
}

void Client::hold_back(const JobPtr& job, const std::string& why) {
    Answer answer;
    answer.kind = Kind::HeldBack;
    answer.reason = job->call.what + ": " + why;
    finish(job, std::move(answer));
}

void Client::send(const JobPtr& job) {
    if (left_alone(job)) return;
    credentials_.headers(job->call.user, [this, job](std::vector<std::string> headers, std::string fault) {
        if (fault.empty()) return leave(job, std::move(headers));
        Answer answer;
        answer.kind = Kind::NotSent;
        answer.reason = job->call.what + ": " + fault;
        record(answer);
        // Nobody else asks whether the server is back.
        const bool was_probe = job->call.use == Call::Use::Probe && breaker_.circuit() == Circuit::Probing;
        if (was_probe && breaker_.failed(clock_.steady_now())) open_circuit();
        finish(job, std::move(answer));
    });
}

void Client::leave(const JobPtr& job, std::vector<std::string> headers) {
    if (!job->call.leave || job->may_leave) return start(job, std::move(headers));
    const Duration left = job->call.deadline ? *job->call.deadline - clock_.now() : Duration(0);
    if (job->call.deadline && left < Duration(0)) return hold_back(job, "the deadline had passed");
    job->asking = true;
    if (job->call.deadline)
        timers_.at(clock_.steady_now() + left, [this, waiting = std::weak_ptr(job)] {
            const JobPtr late = waiting.lock();
            if (!late || !std::exchange(late->asking, false)) return;
            hold_back(late, "the deadline passed before it was on record that it leaves");
        });
    job->call.leave([this, alive = std::weak_ptr(alive_), job, headers = std::move(headers)](bool go) {
        if (alive.expired()) return;
        post_([this, job, headers, go] {
            if (!std::exchange(job->asking, false)) return;
            if (!go) return hold_back(job, "it was given up before it could leave");
            job->may_leave = true;
            if (!left_alone(job)) start(job, headers);
        });
    });
}

void Client::start(const JobPtr& job, std::vector<std::string> headers) {
    HttpRequest request;
    request.method = job->call.method;
    request.url = base_ + job->call.path;
    request.body = job->call.body;
    request.headers = std::move(headers);
    // A proxy of a mesh must not send it a second time either.
    if (job->call.once) request.headers.emplace_back("x-envoy-max-retries: 0");
    request.timeout = job->call.timeout.count() > 0 ? job->call.timeout : options_.timeouts.request;
    if (job->call.deadline) {
        const Duration left = *job->call.deadline - clock_.now() + options_.timeouts.server_timeout;
        request.timeout = std::min(request.timeout, std::max<Duration>(left, timeout_least));
    }
    request.before_sending = job->call.before_sending;
    request.once = job->call.once;
    count(job->call);
    http_.start(std::move(request), [this, job](HttpReply reply) { answered(job, std::move(reply)); });
}

void Client::answered(const JobPtr& job, HttpReply reply) {
    Answer answer = sort(std::move(reply), job->call.what);
    record(answer);
    if (answer.kind == Kind::Unidentified && !job->renewed) {
        job->renewed = true;
        // The server looks at identities before it does anything: nothing was created.
        if (credentials_.renew()) return send(job);
    }
    if (is_outage(answer.kind)) {
        if (breaker_.failed(clock_.steady_now())) open_circuit();
    } else if (answer.kind != Kind::HeldBack) {
        breaker_.succeeded();
        status_.with([](KubeflowStatus& status) { status.circuit = Circuit::Closed; });
    }
    finish(job, std::move(answer));
}

void Client::record(const Answer& answer) {
    const auto now = clock_.now();
    status_.with([&](KubeflowStatus& status) {
        status.in_flight = http_.open();
        if (answer.status == 0 && answer.kind != Kind::HeldBack && answer.kind != Kind::Oversize)
            ++status.no_answer;
        if (answer.status >= 200 && answer.status < 300) ++status.answers_ok;
        if (answer.status >= 400 && answer.status < 500) ++status.answers_client;
        if (answer.status >= 500) ++status.answers_server;
        switch (answer.kind) {
            case Kind::Good: status.last_error.clear(); [[fallthrough]];
            case Kind::BadRequest:
            case Kind::Missing:
            case Kind::Conflict:
                status.reachable = true;
                status.last_success_at = now;
                break;
            case Kind::HeldBack: break;
            case Kind::Forbidden:
            case Kind::ServerFault:
            case Kind::TooLarge:
            case Kind::Oversize:
                status.last_error = answer.reason;
                status.last_error_at = now;
                break;
            default:
                status.reachable = false;
                status.last_error = answer.reason;
                status.last_error_at = now;
        }
    });
}

void Client::open_circuit() {
    const Duration wait = left_alone_for();
    const auto until = clock_.now() + wait;
    const std::string error = status_.with([&](KubeflowStatus& status) {
        status.circuit = Circuit::Open;
        status.circuit_until = until;
        return status.last_error;
    });
    log::warn("a Kubeflow server does not answer and is left alone for a while",
              {{"backend", options_.name}, {"for", format_duration(wait)}, {"error", error}});
    timers_.at(clock_.steady_now() + wait, [this] {
        if (!breaker_.may_probe(clock_.steady_now())) return;
        status_.with([](KubeflowStatus& status) { status.circuit = Circuit::Probing; });
        greet();
    });
}

void Client::finish(const JobPtr& job, Answer answer) {
    if (job->counted) {
        --in_flight_;
        job->counted = false;
    }
    timers_.at(clock_.steady_now(),
               [job, answer = std::move(answer)]() mutable { job->done(std::move(answer)); });
    admit();
}

void Client::greet_in(Duration wait) {
    const auto due = clock_.steady_now() + wait;
    greeting_due_ = due;
    timers_.at(due, [this, due] {
        if (greeting_due_ == due) greet();
    });
}

void Client::greet() {
    greeting_due_ = {};
    Call ask;
    ask.what = "healthz";
    ask.path = "/healthz";
    ask.use = Call::Use::Probe;
    call(std::move(ask), [this](const Answer& answer) {
        const auto document = Document::parse(answer.good() ? answer.body : "{}");
        if (!answer.good() || !document.ok()) {
            // Where it opened the circuit again there is a probe on its way already.
            const bool asked_anyhow = !breaker_.lets_pass();
            return greet_in(asked_anyhow ? Duration(greeting_interval) : options_.timeouts.retry_max);
        }
        const std::string version(text_of(document->root(), "tag_name"));
        const bool multi = flag_of(document->root(), "multi_user", false);
        status_.with([&](KubeflowStatus& status) {
            status.server_version = printable(version, 60);
            status.multi_user = multi;
        });
        greet_in(greeting_interval);
    });
}

} // namespace weir::flows::kubeflow
