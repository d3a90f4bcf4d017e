#include "api_impl.hpp"

namespace weir::server {

std::span<const Route> routes() {
    using Impl = Api::Impl;
    constexpr auto none = BodyKind::None;
    constexpr auto command = BodyKind::Command;
    static const Route table[] = {
        {"GET", "/healthz", Role::Open, "", none, &Impl::healthz},
        {"GET", "/readyz", Role::Watch, "", none, &Impl::readyz},
        {"GET", "/metrics", Role::Watch, "", none, &Impl::metrics},
        {"GET", "/v1/openapi.json", Role::Open, "", none, &Impl::openapi},

        {"POST", "/v1/events", Role::Publish, "", BodyKind::Event, &Impl::publish_events},
        {"GET", "/v1/events", Role::Read, "team type source id since until after page limit data", none,
         &Impl::list_events},
        {"GET", "/v1/events/{*}", Role::Read, "source data", none, &Impl::show_event},

        {"GET", "/v1/runs", Role::Read, "team trigger flow state outcome since until after page limit", none,
         &Impl::list_runs},
        {"POST", "/v1/runs", Role::Operate, "", command, &Impl::start_run},
        {"GET", "/v1/runs/{}", Role::Read, "", none, &Impl::show_run},
        {"GET", "/v1/runs/{}/tasks", Role::Read, "", none, &Impl::list_tasks},
        {"GET", "/v1/runs/{}/logs", Role::Read, "task bytes", none, &Impl::show_log},
        {"POST", "/v1/runs/{}/report", Role::Publish, "", BodyKind::Report, &Impl::report_run},
        {"POST", "/v1/runs/{}:cancel", Role::Operate, "", command, &Impl::cancel_run},
        {"POST", "/v1/runs/{}:retry", Role::Operate, "", command, &Impl::retry_run},

        {"GET", "/v1/triggers", Role::Read, "team trigger state page limit", none, &Impl::list_triggers},
        {"GET", "/v1/triggers/{}/{}", Role::Read, "", none, &Impl::show_trigger},
        {"DELETE", "/v1/triggers/{}/{}", Role::Admin, "reason", none, &Impl::delete_trigger},
        {"POST", "/v1/triggers/{}/{}:pause", Role::Operate, "", command, &Impl::pause_trigger},
        {"POST", "/v1/triggers/{}/{}:resume", Role::Operate, "", command, &Impl::resume_trigger},
        {"POST", "/v1/triggers/{}/{}:fire", Role::Operate, "", command, nullptr},
        {"POST", "/v1/triggers/{}/{}:backfill", Role::Operate, "", command, nullptr},

        {"GET", "/v1/flows", Role::Read, "team flow page limit", none, &Impl::list_flows},
        {"GET", "/v1/flows/{}/{}", Role::Read, "", none, &Impl::show_flow},
        {"POST", "/v1/apply", Role::Admin, "", BodyKind::Apply, &Impl::apply},

        {"GET", "/v1/decisions", Role::Read, "team trigger verdict since until after page limit", none,
         &Impl::list_decisions},
        {"GET", "/v1/decisions/{}", Role::Read, "", none, &Impl::show_decision},
        {"GET", "/v1/why", Role::Read, "run trigger event format", none, &Impl::why},
        {"GET", "/v1/lineage", Role::Read, "start direction depth format", none, &Impl::lineage},
        {"GET", "/v1/audit", Role::Read, "since until after page limit", none, &Impl::list_audits},

        {"GET", "/v1/streams", Role::Read, "page limit", none, &Impl::list_streams},
        {"POST", "/v1/streams/{}:accept-gap", Role::Whole, "", command, &Impl::accept_gap},
        {"GET", "/v1/dead-letters", Role::Read, "stream since until after page limit", none,
         &Impl::list_dead_letters},
        {"GET", "/v1/dead-letters/{}", Role::Read, "", none, &Impl::show_dead_letter},
        {"POST", "/v1/dead-letters/{}:replay", Role::Whole, "", command, &Impl::replay_dead_letter},

        // Known by name, not built yet.
        {"POST", "/v1/simulate", Role::Read, "", command, nullptr},
        {"GET", "/v1/slots", Role::Read, "", none, nullptr},
        {"GET", "/v1/sources", Role::Read, "", none, nullptr},
    };
    return table;
}

} // namespace weir::server
