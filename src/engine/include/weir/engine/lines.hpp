#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/ids.hpp>
#include <weir/ledger/records.hpp>

/// The lines of `--json` listings: one JSON object a line, snake_case keys, always all of them and always in
/// the same order, null where a thing is unknown. Used everywhere a row is shown: listings, why, lineage, the
/// data of settlement events. Keys may be added at the end; none is ever renamed or taken away. Thread: any.
/// Errors: none; a recorded JSON text that is damaged is shown as a string.
namespace weir::engine {

/// Keys: run, flow, team, backend, state, outcome, attempt, trigger, trigger_version, decision,
/// events [{source, id, role}], parameters, outputs, created_at, started_at, finished_at, flow_team,
/// flow_version, depth, launch_no, reason, hold, cancel_requested_at, principal, seq. `attempt` 0: none was
/// opened. `trigger`, `trigger_version` are null for a manual run; `principal` says who asked for one.
std::string run_line(const ledger::RunRow& run);

/// Keys: decision, trigger, trigger_version, verdict, reason, events [{source, id, role}], run, at, detail,
/// key, team, leaf, seq, n, occasion, cause, without, semantics. `run`: the run it launched, null if none.
std::string decision_line(const ledger::DecisionRow& decision, const std::string& trigger_name,
                          const std::vector<ledger::EventRef>& events, const std::optional<RunId>& run);

/// Keys: id, source, type, subject, time, arrived_at, seq, stream, position, duplicate_of, team, conflicting,
/// echo, late_by, datacontenttype, extensions, data_retained; with `with_data` also data (JSON as it is, text
/// as a string) and data_base64 (binary; else null). What stands in the payload alone (time, datacontenttype,
/// extensions, data) is null when the payload is no longer retained or the row was read without its body.
/// `stream`: its name; "internal" for a settlement; null where the caller does not know it.
std::string event_line(const ledger::InputRow& input, bool with_data, std::string_view stream = {});

/// `text` as one compact JSON value without line breaks: whitespace between tokens is dropped, nothing else
/// changes. Empty text: null. What is no JSON becomes a string of its printable form.
void append_json_value(std::string& out, std::string_view text);

} // namespace weir::engine
