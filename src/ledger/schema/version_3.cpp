#include "schema/version_3.hpp"

namespace weir::ledger::schema {

const char* const version_3 = R"sql(
-- Ends: sends, backend_version, report. Requests of runs that were sent before count as one.
ALTER TABLE run ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN sends INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN backend_version TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN report TEXT NOT NULL DEFAULT '';
UPDATE run SET sends = 1 WHERE sent_epoch > 0;

-- Reports about runs and attempts that are not known yet; attempt 0: the report names none.
CREATE TABLE early_report(
  id_hi INTEGER NOT NULL, id_lo INTEGER NOT NULL, attempt INTEGER NOT NULL, time INTEGER NOT NULL,
  body TEXT NOT NULL, PRIMARY KEY(id_hi, id_lo, attempt)) STRICT, WITHOUT ROWID;

-- Up to when the runs of a backend's watched places are on record.
CREATE TABLE watched(
  backend TEXT NOT NULL, place TEXT NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY(backend, place)) STRICT, WITHOUT ROWID;
)sql";

} // namespace weir::ledger::schema
