#pragma once

#include <functional>
#include <string>
#include <vector>

#include <weir/events/event.hpp>

#include "bus_side.hpp"

namespace weir::bench {

/// Events number `first` and on, of one type.
using MakeEvents =
    std::function<std::vector<events::Event>(const std::string& type, std::int64_t first, std::size_t count)>;

/// From just before publish() until the launcher is asked: one event at a time on an idle engine, then beside
/// `rate` decided events a second. Makes streams whose names begin with `mark`.
Result<Report> measure_bus_latency(BusSide& side, const std::string& folder, const std::string& mark,
                                   double rate, const MakeEvents& make);

} // namespace weir::bench
