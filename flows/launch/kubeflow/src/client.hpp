#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/sync.hpp>
#include <weir/flows/kubeflow/kubeflow_backend.hpp>

#include "answers.hpp"
#include "credentials.hpp"
#include "gate.hpp"
#include "http.hpp"
#include "timers.hpp"

namespace weir::flows::kubeflow {

struct Call {
    std::string what; ///< for reasons: "CreateRun"
    std::string method = "GET";
    std::string path; ///< with the query; after the base path
    std::string body;
    std::string user;
    Duration timeout{0}; ///< 0: TimeoutOptions::request
    /// Nothing of it leaves after this, and its answer is awaited for no longer than
    /// TimeoutOptions::server_timeout after it. Nothing: whenever it may.
    std::optional<Instant> deadline;
    enum class Use : std::uint8_t {
        Launch, ///< held to in_flight and requests_per_second
        Watch,  ///< paced by the watcher
        Probe,  ///< passes an open circuit
    } use = Use::Launch;
    bool once = false;
    /// Asked when nothing but the connection stands between this and the wire any more (its place, the pace,
    /// the circuit, a token). It keeps its place until that is answered: on any thread, or never, which is a
    /// no once the deadline has passed.
    std::function<void(std::function<void(bool)>)> leave;
    std::function<bool()> before_sending;
};

/// Requests to one server: who we are, how many at a time, whether at all, what came back.
/// Thread: the backend's. Callbacks never come from inside call().
class Client {
  public:
    /// Brings work to the backend's thread.
    using Post = std::function<void(std::function<void()>)>;
    Client(const Clock& clock, const KubeflowOptions& options, Http& http, Timers& timers,
           Sync<KubeflowStatus>& status, Post post);

    void call(Call call, std::function<void(Answer)> done);
    [[nodiscard]] bool lets_pass() const { return breaker_.lets_pass(); }
    /// How long until the server is asked again, if it is left alone.
    [[nodiscard]] Duration left_alone_for() const;
    [[nodiscard]] Backoff& backoff() { return backoff_; }
    /// Asks healthz who the server is, now and from time to time: it may be another version by then.
    void greet();

  private:
    struct Job;
    using JobPtr = std::shared_ptr<Job>;
    void admit();
    void send(const JobPtr& job);
    void leave(const JobPtr& job, std::vector<std::string> headers);
    void start(const JobPtr& job, std::vector<std::string> headers);
    bool left_alone(const JobPtr& job);
    void hold_back(const JobPtr& job, const std::string& why);
    void answered(const JobPtr& job, HttpReply reply);
    void finish(const JobPtr& job, Answer answer);
    void record(const Answer& answer);
    void count(const Call& call);
    void open_circuit();
    void greet_in(Duration wait);

    const Clock& clock_;
    const KubeflowOptions& options_;
    Http& http_;
    Timers& timers_;
    Sync<KubeflowStatus>& status_;
    Post post_;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
    Credentials credentials_;
    Breaker breaker_;
    Backoff backoff_;
    Pace pace_;
    std::string base_;
    std::deque<JobPtr> queue_;
    std::size_t in_flight_ = 0;
    bool admit_set_ = false;
    SteadyInstant greeting_due_{};
};

} // namespace weir::flows::kubeflow
