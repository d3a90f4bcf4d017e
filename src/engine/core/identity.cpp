#include "identity.hpp"

#include <weir/base/digest.hpp>

namespace weir::engine {

Cause arrival_cause(std::string_view stream, std::string_view incarnation, Position position,
                    std::string_view source, std::string_view id, Instant time) {
    std::string identity;
    append_field(identity, source);
    append_field(identity, id);
    std::string text = "arrival ";
    text += stream;
    text += ' ';
    text += incarnation;
    text += ' ';
    text += std::to_string(position.value);
    text += ' ';
    text += to_hex(sha256(identity)).substr(0, 16);
    return {std::move(text), time};
}

Cause slot_cause(std::string_view leaf, Instant slot) {
    return {"slot " + std::string(leaf) + " " + format_rfc3339(slot), slot};
}

Cause settlement_cause(const RunId& run, int attempt, Instant time) {
    return {"settlement " + run.to_string() + "/" + std::to_string(attempt), time};
}

Cause manual_cause(std::string_view request_id, Instant time) {
    return {"manual " + std::string(request_id), time};
}

Cause run_cause(std::string_view word, const RunId& run, Instant time) {
    return {std::string(word) + " " + run.to_string(), time};
}

DecisionId decision_id(std::string_view secret, const TriggerUid& trigger, std::string_view occasion,
                       const Cause& cause, int n) {
    std::string fields;
    append_field(fields, std::string_view("weir decision 1"));
    append_field(fields, std::string_view(reinterpret_cast<const char*>(trigger.uuid.bytes.data()),
                                          trigger.uuid.bytes.size()));
    append_field(fields, occasion);
    append_field(fields, std::string_view(cause.text));
    append_field(fields, std::int64_t{n});
    return {Uuid::time_led(cause.time, hmac_sha256(secret, fields))};
}

RunId run_id(const DecisionId& decision, int launch_no, Instant cause_time) {
    std::string fields;
    append_field(fields, std::string_view("weir run 1"));
    append_field(fields, std::string_view(reinterpret_cast<const char*>(decision.uuid.bytes.data()),
                                          decision.uuid.bytes.size()));
    append_field(fields, std::int64_t{launch_no});
    return {Uuid::time_led(cause_time, sha256(fields))};
}

} // namespace weir::engine
