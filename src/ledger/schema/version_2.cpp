#include "schema/version_2.hpp"

namespace weir::ledger::schema {

// Version 1 wrote no gaps and nothing that goes out; should there be rows, they are kept as open ones. Its
// digests of positions were of payloads and cannot be compared with those of places: they go.
const char* const version_2 = R"sql(
-- Newest number given out, so that none is given twice though rows are deleted; dead_kept: rows there are;
-- claimed: the seq that was next when the ledger was last claimed as a new one.
ALTER TABLE log ADD COLUMN outgoing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN gap INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN dead_letter INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN dead_kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;

-- Ends: incarnation.
ALTER TABLE stream ADD COLUMN family TEXT NOT NULL DEFAULT '';
-- time and digest are of the arrival at `event`.
ALTER TABLE position ADD COLUMN event INTEGER NOT NULL DEFAULT 0;
UPDATE position SET digest = NULL;

ALTER TABLE gap RENAME TO gap_1;
-- Ends: accepted, the command that accepted it.
CREATE TABLE gap(
  gap INTEGER PRIMARY KEY, stream INTEGER NOT NULL, kind TEXT NOT NULL, from_pos INTEGER NOT NULL,
  to_pos INTEGER NOT NULL, detail TEXT NOT NULL, found INTEGER NOT NULL, accepted INTEGER) STRICT;
INSERT INTO gap SELECT g.id, g.stream, g.kind, g.from_pos, g.to_pos, '', coalesce(i.time, 0), NULL
  FROM gap_1 g LEFT JOIN input i ON i.seq = g.seq;
DROP TABLE gap_1;
CREATE INDEX gap_open ON gap(gap) WHERE accepted IS NULL;

ALTER TABLE outgoing RENAME TO outgoing_1;
-- Rows are deleted once the bus has them.
CREATE TABLE outgoing(outgoing INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
INSERT INTO outgoing SELECT row_number() OVER (ORDER BY seq, n), bytes FROM outgoing_1 WHERE done IS NULL;
DROP TABLE outgoing_1;

-- Ends: replayed, replayed_seq. The messages, which retention drops first, stand in a table of their own.
CREATE TABLE dead_letter(
  dead INTEGER PRIMARY KEY, stream INTEGER NOT NULL, pos INTEGER NOT NULL, time INTEGER NOT NULL,
  bytes INTEGER NOT NULL, cut INTEGER NOT NULL, replayed INTEGER, replayed_seq INTEGER NOT NULL,
  reason TEXT NOT NULL) STRICT;
CREATE INDEX dead_letter_stream ON dead_letter(stream, dead);
CREATE INDEX dead_letter_time ON dead_letter(time);
CREATE TABLE dead_message(dead INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;

UPDATE log SET gap = (SELECT coalesce(max(gap), 0) FROM gap),
  outgoing = (SELECT coalesce(max(outgoing), 0) FROM outgoing);
)sql";

} // namespace weir::ledger::schema
