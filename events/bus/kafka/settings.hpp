#pragma once

#include <string>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/events/kafka_bus.hpp>

// What librdkafka is told, from KafkaBusOptions. Private to the Kafka adapter.
namespace weir::events::kafka {

/// Properties of librdkafka, in the order they are applied.
using Properties = std::vector<std::pair<std::string, std::string>>;

/// `invalid` names the option that cannot be meant, and properties that weir's promises rest on.
Status check_options(const KafkaBusOptions& options);

/// For the handle that reads all partitions.
Properties reader_properties(const KafkaBusOptions& options);
/// For the handle that asks: metadata, offsets, single records, settings of topics; and commits hints.
Properties probe_properties(const KafkaBusOptions& options);
/// For the handle that publishes.
Properties producer_properties(const KafkaBusOptions& options);

/// The group under which positions are committed for lag tools.
std::string group_of(const KafkaBusOptions& options);
/// Bytes of the largest record that is published: an event at its limit and its frame.
std::size_t record_bytes_max(const KafkaBusOptions& options);

} // namespace weir::events::kafka
