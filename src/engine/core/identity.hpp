#pragma once

#include <string>
#include <string_view>

#include <weir/base/ids.hpp>

namespace weir::engine {

/// Where a firing comes from; hashed into the decision id, so that the same cause gives the same id for ever.
/// `text` is the readable form, kept in the ledger; `time` leads the id.
struct Cause {
    std::string text;
    Instant time;
};

/// Causes (design, section 4, Identity).
Cause arrival_cause(std::string_view stream, std::string_view incarnation, Position position,
                    std::string_view source, std::string_view id, Instant time);
Cause slot_cause(std::string_view leaf, Instant slot);
Cause settlement_cause(const RunId& run, int attempt, Instant time);
Cause manual_cause(std::string_view request_id, Instant time);
/// A run under a given id: asked for by a client of the backend's API, or seen on the backend.
Cause run_cause(std::string_view word, const RunId& run, Instant time);

/// HMAC over (secret, trigger uid, occasion, cause, n), led by the cause's time. The trigger's version is no
/// part of it: editing a trigger repeats nothing.
DecisionId decision_id(std::string_view secret, const TriggerUid& trigger, std::string_view occasion,
                       const Cause& cause, int n);
/// The id of launch `launch_no` of a decision: what the backend knows the run by.
RunId run_id(const DecisionId& decision, int launch_no, Instant cause_time);

} // namespace weir::engine
