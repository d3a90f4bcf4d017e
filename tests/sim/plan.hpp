#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <weir/events/event.hpp>
#include <weir/flows/records.hpp>

#include "chance.hpp"

namespace weir::sim {

/// Something a person does.
struct Edit {
    enum class Kind {
        Apply,
        Delete,
        Pause,
        ResumeReplay,
        ResumeDrop,
        Run,
        CancelNewest,
        RetryNewest
    } kind = Kind::Apply;
    Instant at;
    std::string trigger;                ///< name within team "t"
    std::vector<std::string> documents; ///< Apply: trigger documents
    std::string request_id;             ///< Run
};

struct Publication {
    Instant at;
    events::Event event;
    std::size_t bus = 0; ///< which one takes it
};

/// What happens to weir from outside: drawn from a seed, the same in every weather.
struct Plan {
    std::vector<flows::FlowVersion> flows;
    std::vector<std::string> triggers; ///< applied before anything else
    std::vector<Edit> edits;           ///< by time
    std::vector<Publication> publications;
    Instant start;
    Instant end; ///< publications and edits end here
};

struct PlanOptions {
    int publications = 60;
    bool edits = true;
    /// Only triggers on events and schedules that launch independently of each other: their decisions depend
    /// on the one stream alone.
    bool single_stream = false;
    bool one_waits = false; ///< what would queue has overlap latest or cancel_running
    /// Events come by so many buses, one stream each.
    std::size_t buses = 1;
};

Plan make_plan(std::uint64_t seed, const PlanOptions& options);

} // namespace weir::sim
