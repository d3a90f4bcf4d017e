#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

namespace weir::events {

/// Takes events for good: when it returns success they are durable. `unavailable`: try again later.
using Sink = std::function<Status(std::span<const Event>)>;

/// What a source says of itself on `/v1/sources` and `/readyz`.
struct SourceState {
    std::string name;
    std::string kind; ///< "folder"...
    bool healthy = true;
    std::string detail; ///< why not, or what it watches
    std::int64_t published = 0;
};

/// Something outside that becomes events.
/// Owner:  the application; no event is handed to the sink once stop() has returned.
/// Thread: start(), stop(), state() from any thread; the sink is called on the source's own thread.
/// Errors: start() returns them; later ones show in state() and the log, and the source keeps trying.
/// Time:   none; an event's arrival time is given by the bus.
/// Limits: at most one unfinished sink call; while the sink blocks or refuses, the source waits.
class Source {
  public:
    virtual ~Source() = default;
    virtual Status start(Sink sink) = 0;
    virtual void stop() = 0;
    [[nodiscard]] virtual SourceState state() const = 0;
};

} // namespace weir::events
