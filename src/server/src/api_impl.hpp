#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/server/api.hpp>

#include "guard.hpp"
#include "problem.hpp"
#include "request_metrics.hpp"
#include "target.hpp"
#include "visible_reader.hpp"

namespace weir::server {

/// A request that passed every check, as an answer sees it.
struct Call {
    const Request& request;
    const Target& target;
    std::vector<std::string> values; ///< of the {…} segments, decoded, in order
    const Caller& caller;
    ledger::LedgerReader& reader; ///< shows what the caller may see

    /// A query parameter, or empty.
    [[nodiscard]] std::string query(std::string_view name) const {
        const auto* value = target.find(name);
        return value == nullptr ? std::string() : *value;
    }
};

/// What a route takes as its body.
enum class BodyKind : std::uint8_t {
    None,    ///< no body at all
    Command, ///< a JSON object, or nothing
    Event,   ///< CloudEvents
    Apply,   ///< a JSON object with files
    Report,  ///< a JSON object: what a run says of itself
};

struct Route {
    using Answer = Result<Response> (Api::Impl::*)(const Call&);

    std::string_view method;
    /// Segments; `{}` is a name (no `:` in it), `{*}` any text, `{}:verb` a name with a verb behind it.
    std::string_view pattern;
    Role role;
    std::string_view query; ///< names of query parameters, separated by spaces
    BodyKind body;
    Answer answer; ///< nullptr: not built yet
};

std::span<const Route> routes();

struct Api::Impl {
    Impl(ApiPorts given, ApiConfig given_config);

    Response handle(const Request& request);
    Admission admit(const Request& head);

    // Answers, one per route; the file that holds them is named before each group.
    // answer_events.cpp
    Result<Response> publish_events(const Call& call);
    Result<Response> list_events(const Call& call);
    Result<Response> show_event(const Call& call);
    // answer_runs.cpp
    Result<Response> list_runs(const Call& call);
    Result<Response> show_run(const Call& call);
    Result<Response> start_run(const Call& call);
    Result<Response> cancel_run(const Call& call);
    Result<Response> retry_run(const Call& call);
    Result<Response> list_tasks(const Call& call);
    Result<Response> show_log(const Call& call);
    using WaitingRuns = std::map<RunId, flows::WaitingLaunch>;
    /// What open runs wait for, where their backend or the engine knows.
    [[nodiscard]] WaitingRuns waiting_runs() const;
    /// A run's line with that.
    [[nodiscard]] std::string run_line_now(const ledger::RunRow& row, const WaitingRuns& waits) const;
    // answer_reports.cpp
    Result<Response> report_run(const Call& call);
    // answer_triggers.cpp
    Result<Response> list_triggers(const Call& call);
    Result<Response> show_trigger(const Call& call);
    Result<Response> delete_trigger(const Call& call);
    Result<Response> pause_trigger(const Call& call);
    Result<Response> resume_trigger(const Call& call);
    Result<Response> list_flows(const Call& call);
    Result<Response> show_flow(const Call& call);
    Result<Response> apply(const Call& call);
    // answer_explain.cpp
    Result<Response> list_decisions(const Call& call);
    Result<Response> show_decision(const Call& call);
    Result<Response> why(const Call& call);
    Result<Response> lineage(const Call& call);
    Result<Response> list_audits(const Call& call);
    // answer_streams.cpp
    Result<Response> list_streams(const Call& call);
    Result<Response> accept_gap(const Call& call);
    Result<Response> list_dead_letters(const Call& call);
    Result<Response> show_dead_letter(const Call& call);
    Result<Response> replay_dead_letter(const Call& call);
    // answer_health.cpp
    Result<Response> healthz(const Call& call);
    Result<Response> readyz(const Call& call);
    Result<Response> metrics(const Call& call);
    Result<Response> openapi(const Call& call);

    ApiPorts ports;
    ApiConfig config;
    Guard guard;
    std::atomic<std::uint16_t> port{0};
    RequestMetrics request_metrics;
    std::vector<Mount> mounts;

  private:
    struct Checked;
    std::optional<Response> check(const Request& request, Checked& checked);
    std::optional<Response> find_route(const Request& request, Checked& checked) const;
    std::optional<Response> check_mount(const Request& request, Checked& checked);
    std::optional<Response> check_caller(const Request& request, Role role, Checked& checked);
    std::optional<Response> check_size(const Request& request, const Checked& checked) const;
    Response answer(const Request& request, Checked& checked);
    [[nodiscard]] std::size_t body_bytes_max(const Request& request, BodyKind kind) const;
};

} // namespace weir::server
