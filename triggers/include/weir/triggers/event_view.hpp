#pragma once

#include <optional>
#include <string_view>

#include <weir/cel/value.hpp>
#include <weir/events/event.hpp>

namespace weir::triggers {

/// Type of the events that tell of a run's end; their data is the run line (run, flow, team, outcome...).
inline constexpr std::string_view finish_type = "weir.run.finished";
/// Type of the events made for the slots of schedules.
inline constexpr std::string_view slot_type = "weir.schedule.slot";

/// The CloudEvent as a CEL map: its attributes and extensions as strings (extensions: bool, int too), `time`
/// as timestamp if it reads as one (else the text), `data` as parsed JSON, string, bytes or null. Strings are
/// borrowed where they can be: `event` must outlive the value. Limits: JSON past JsonLimits or malformed (it
/// is checked at the edge) becomes null.
cel::Value event_value(const events::Event& event);

/// The event of a schedule's slot: type slot_type, source `/weir/schedules/TEAM/TRIGGER`, subject the leaf's
/// name, id LEAF/SLOT, data {"slot": ..., "previous_slot": ... or null} as RFC 3339 texts.
events::Event slot_event(std::string_view team, std::string_view trigger, std::string_view leaf, Instant slot,
                         std::optional<Instant> previous_slot);

/// Where an event comes from. Only what weir itself settled tells of the end of a run: an event of that type
/// that came from outside is an event like any other, whoever sent it.
enum class Origin { Arrived, Settled };

/// An event as matching sees it: data is parsed once, when first asked for. Thread: one at a time.
class EventView {
  public:
    /// The event must outlive the view and all values taken from it.
    explicit EventView(const events::Event& event, Origin origin = Origin::Arrived)
        : event_(&event), origin_(origin) {}

    [[nodiscard]] const events::Event& event() const { return *event_; }
    [[nodiscard]] Origin origin() const { return origin_; }
    /// event_value(), made once.
    const cel::Value& value();
    /// `data` alone, parsed once.
    const cel::Value& data();
    /// The event of a settlement as `run`: its data with `id` (the run's id) added. Null if data is no map.
    const cel::Value& run();
    /// A slot's event as its leaf sees it: value() with `slot` and `previous_slot` as timestamps, at the top
    /// and in `data`.
    const cel::Value& slot();

  private:
    const events::Event* event_;
    Origin origin_;
    std::optional<cel::Value> data_, value_, run_, slot_;
};

} // namespace weir::triggers
