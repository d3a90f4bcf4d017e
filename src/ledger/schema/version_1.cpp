#include "schema/version_1.hpp"

namespace weir::ledger::schema {

// Rules: STRICT; times are int64 nanoseconds since 1970; a column named like another table holds its key;
// names, types, sources, teams, leaves and principals are interned in `name`; 0 is "none" for keys that need
// no index. Append-only but for what the comments call ends.
const char* const version_1 = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

-- One row a log; the commit is conditional on its epoch. The counters spare whole-table counts.
CREATE TABLE log(
  log INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, next_seq INTEGER NOT NULL, time INTEGER NOT NULL,
  decisions INTEGER NOT NULL, runs INTEGER NOT NULL, held INTEGER NOT NULL) STRICT;

CREATE TABLE stream(
  stream INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, incarnation TEXT NOT NULL) STRICT;
CREATE TABLE position(
  log INTEGER NOT NULL, stream INTEGER NOT NULL, pos INTEGER NOT NULL, time INTEGER NOT NULL, digest BLOB,
  PRIMARY KEY(log, stream)) STRICT, WITHOUT ROWID;
CREATE TABLE name(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE blob(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL) STRICT;

-- An arrival is its input row. flags: 1 conflicting duplicate, 2 echo.
CREATE TABLE input(
  seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, flags INTEGER NOT NULL, time INTEGER NOT NULL,
  late INTEGER NOT NULL, stream INTEGER NOT NULL, pos INTEGER NOT NULL, type INTEGER NOT NULL,
  source INTEGER NOT NULL, team INTEGER NOT NULL, dup_of INTEGER, id TEXT, subject TEXT, digest BLOB) STRICT;
-- Retention deletes from here by range of seq. codec 0: bytes as given.
CREATE TABLE payload(seq INTEGER PRIMARY KEY, codec INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
-- k = day << 43 | 28 bits of keyed hash of id << 15 | 15 bits of keyed hash of source; a hit is verified in input.
CREATE TABLE seen(k INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(k, seq)) STRICT, WITHOUT ROWID;

CREATE TABLE uncounted(
  minute INTEGER NOT NULL, stream INTEGER NOT NULL, type INTEGER NOT NULL, source INTEGER NOT NULL,
  count INTEGER NOT NULL, PRIMARY KEY(minute, stream, type, source)) STRICT, WITHOUT ROWID;
CREATE TABLE gap(
  id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, stream INTEGER NOT NULL, from_pos INTEGER NOT NULL,
  to_pos INTEGER NOT NULL, kind TEXT NOT NULL) STRICT;

-- Ends: state, state_reason, state_seq. state 3: deleted.
CREATE TABLE trigger(
  trig INTEGER PRIMARY KEY, uid BLOB NOT NULL UNIQUE, team INTEGER NOT NULL, name INTEGER NOT NULL,
  grp INTEGER NOT NULL, state INTEGER NOT NULL, state_reason TEXT NOT NULL, state_seq INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX trigger_alive ON trigger(team, name) WHERE state <> 3;
CREATE INDEX trigger_name ON trigger(team, name, trig);
-- Ends: to_seq. In force for from_seq <= seq < to_seq.
CREATE TABLE trigger_version(
  trig INTEGER NOT NULL, version INTEGER NOT NULL, hash TEXT NOT NULL, document TEXT NOT NULL,
  source_text TEXT NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER, principal INTEGER NOT NULL,
  PRIMARY KEY(trig, version)) STRICT;
CREATE TABLE trigger_state(
  id INTEGER PRIMARY KEY, trig INTEGER NOT NULL, seq INTEGER NOT NULL, state INTEGER NOT NULL,
  reason TEXT NOT NULL) STRICT;
CREATE INDEX trigger_state_trig ON trigger_state(trig, id);
-- One update a batch and trigger: how often it fired.
CREATE TABLE trigger_count(trig INTEGER PRIMARY KEY, fired INTEGER NOT NULL) STRICT;

CREATE TABLE flow(flow INTEGER PRIMARY KEY, team INTEGER NOT NULL, name INTEGER NOT NULL, UNIQUE(team, name)) STRICT;
-- Ends: to_seq. ir: key in blob, 0 for none. parameters: JSON.
CREATE TABLE flow_version(
  id INTEGER PRIMARY KEY, flow INTEGER NOT NULL, version TEXT NOT NULL, backend INTEGER NOT NULL,
  parameters TEXT NOT NULL, settings TEXT NOT NULL, ir INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER,
  deleted INTEGER NOT NULL, principal INTEGER NOT NULL) STRICT;
CREATE INDEX flow_version_flow ON flow_version(flow, id);
CREATE INDEX flow_version_current ON flow_version(id) WHERE to_seq IS NULL;

-- dec rises with seq. The id is two integers: the first leads with its time, so its index grows at one end.
-- A decision on a single event has no row in `included`. without: JSON array or NULL. occasion NULL: live.
CREATE TABLE decision(
  dec INTEGER PRIMARY KEY, id_hi INTEGER NOT NULL, id_lo INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL,
  trig INTEGER NOT NULL, version INTEGER NOT NULL, semantics INTEGER NOT NULL, verdict INTEGER NOT NULL,
  reason INTEGER NOT NULL, leaf INTEGER NOT NULL, team INTEGER NOT NULL, time INTEGER NOT NULL,
  detail TEXT, occasion TEXT, cause TEXT, key TEXT, without TEXT) STRICT;
CREATE INDEX decision_seq ON decision(seq);
CREATE INDEX decision_trig ON decision(trig);
CREATE INDEX decision_id ON decision(id_hi);
CREATE INDEX decision_failed ON decision(dec) WHERE verdict = 2;
CREATE TABLE included(
  dec INTEGER NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL, leaf INTEGER NOT NULL,
  PRIMARY KEY(dec, n)) STRICT, WITHOUT ROWID;
CREATE INDEX included_seq ON included(seq, dec);

-- What is held now; a row that leaves moves to held_past, so this table is what a start has to read.
CREATE TABLE held(
  trig INTEGER NOT NULL, event INTEGER NOT NULL, leaf INTEGER NOT NULL, leaf_name INTEGER NOT NULL,
  in_seq INTEGER NOT NULL, time INTEGER NOT NULL, key TEXT NOT NULL,
  PRIMARY KEY(trig, event, leaf)) STRICT, WITHOUT ROWID;
CREATE TABLE held_past(
  trig INTEGER NOT NULL, event INTEGER NOT NULL, leaf INTEGER NOT NULL, leaf_name INTEGER NOT NULL,
  in_seq INTEGER NOT NULL, time INTEGER NOT NULL, key TEXT NOT NULL, out_seq INTEGER NOT NULL,
  why INTEGER NOT NULL, dec INTEGER, PRIMARY KEY(trig, event, leaf)) STRICT, WITHOUT ROWID;
CREATE INDEX held_past_out ON held_past(trig, out_seq);

-- Ends: end_seq, why.
CREATE TABLE timer(
  timer INTEGER PRIMARY KEY, trig INTEGER NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, due INTEGER NOT NULL,
  set_seq INTEGER NOT NULL, tzdata TEXT NOT NULL, previous INTEGER NOT NULL, end_seq INTEGER, why TEXT) STRICT;
CREATE UNIQUE INDEX timer_open ON timer(trig, kind, key) WHERE end_seq IS NULL;

-- Is the launch outbox. Ends: everything from `state` on. state 6: settled. events: JSON [[seq, leaf], ...].
CREATE TABLE run(
  run INTEGER PRIMARY KEY, id_hi INTEGER NOT NULL, id_lo INTEGER NOT NULL, dec INTEGER NOT NULL,
  dec_hi INTEGER NOT NULL, dec_lo INTEGER NOT NULL, trig INTEGER NOT NULL, trigger_name INTEGER NOT NULL,
  trigger_version INTEGER NOT NULL, team INTEGER NOT NULL, flow_team INTEGER NOT NULL, flow INTEGER NOT NULL,
  backend INTEGER NOT NULL, launch_no INTEGER NOT NULL, depth INTEGER NOT NULL, principal INTEGER NOT NULL,
  created INTEGER NOT NULL, created_seq INTEGER NOT NULL, arguments TEXT NOT NULL, events TEXT NOT NULL,
  state INTEGER NOT NULL, changed INTEGER NOT NULL, hold INTEGER NOT NULL, flow_version TEXT NOT NULL,
  sent_epoch INTEGER NOT NULL, sent_deadline INTEGER NOT NULL, looks INTEGER NOT NULL, attempt INTEGER NOT NULL,
  outcome INTEGER, reason TEXT NOT NULL, outputs TEXT NOT NULL, started INTEGER NOT NULL, finished INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL) STRICT;
CREATE INDEX run_id ON run(id_hi);
CREATE INDEX run_dec ON run(dec);
CREATE INDEX run_trig ON run(trig);
CREATE INDEX run_flow ON run(flow);
CREATE INDEX run_team ON run(team);
CREATE INDEX run_changed ON run(changed);
CREATE INDEX run_open ON run(run) WHERE state <> 6;
-- Ends: everything from settled_seq on.
CREATE TABLE attempt(
  run INTEGER NOT NULL, n INTEGER NOT NULL, opened_seq INTEGER NOT NULL, settled_seq INTEGER, outcome INTEGER,
  error TEXT, started INTEGER NOT NULL, finished INTEGER NOT NULL, PRIMARY KEY(run, n)) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_settled ON attempt(settled_seq, run) WHERE settled_seq IS NOT NULL;

CREATE TABLE artifact(artifact INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE run_artifact(
  run INTEGER NOT NULL, attempt INTEGER NOT NULL, output INTEGER NOT NULL, n INTEGER NOT NULL,
  artifact INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, metadata TEXT NOT NULL,
  PRIMARY KEY(run, attempt, output, n)) STRICT, WITHOUT ROWID;
CREATE INDEX run_artifact_artifact ON run_artifact(artifact);

-- Ends: done.
CREATE TABLE outgoing(
  seq INTEGER NOT NULL, n INTEGER NOT NULL, stream TEXT NOT NULL, bytes BLOB NOT NULL, done INTEGER,
  PRIMARY KEY(seq, n)) STRICT;
CREATE TABLE audit(
  seq INTEGER NOT NULL, n INTEGER NOT NULL, principal INTEGER NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
  team INTEGER NOT NULL, time INTEGER NOT NULL, reason TEXT NOT NULL CHECK(reason <> ''),
  PRIMARY KEY(seq, n)) STRICT, WITHOUT ROWID;
)sql";

} // namespace weir::ledger::schema
