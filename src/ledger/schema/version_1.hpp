#pragma once

namespace weir::ledger::schema {

/// The first schema, from an empty file.
extern const char* const version_1;

} // namespace weir::ledger::schema
