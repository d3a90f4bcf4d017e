#pragma once

namespace weir::ledger::schema {

/// From version 1: gaps that can be accepted, what goes out to the buses, dead letters.
extern const char* const version_3;

} // namespace weir::ledger::schema
