#pragma once

#include <memory>
#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/event.hpp>
#include <weir/triggers/compiled.hpp>

#include "bench.hpp"

namespace weir::bench {

/// The conditions and events of the filter benchmark. Shares of the classes:
///   A 60%  a type and a table            B 20%  a type, a tenant and a range of sizes
///   C 10%  an `or` of two arms            D  5%  a type and a prefix of a path, or a list of tenants
///   E  5%  something no index can use: sizes, a regular expression, arithmetic. `pure` is the share of all
///          that has nothing else, so that it must be tried on every event; the rest of E has a type besides.
/// How many values a field has grows with the number of triggers, so an event meets about 0 to 5 of them
/// always.
struct Workload {
    struct Condition {
        char kind = 'A';
        std::string type;  ///< the one type it can be true for; empty: any
        std::string where; ///< without the type
    };
    std::vector<Condition> conditions;
    std::vector<events::Event> events;
};

Workload make_workload(std::int64_t triggers, std::int64_t events, double pure, std::uint64_t seed);

/// A trigger for each condition. `type_in_pattern`: the type stands in `event:`, as people write it; else
/// everything stands in `where` and the pattern is `*`.
Result<std::vector<std::shared_ptr<const triggers::CompiledTrigger>>> make_triggers(const Workload& workload,
                                                                                    bool type_in_pattern);

} // namespace weir::bench
