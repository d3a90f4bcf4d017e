#pragma once

#include <string>
#include <string_view>

#include <weir/base/result.hpp>
#include <weir/facade/records.hpp>

// The façade's records as the JSON texts that the store keeps. What stands in columns of its own is not in
// them, but for names: their columns have them without regard to case.
namespace weir::facade {

std::string body_of(const PipelineRecord& record);
std::string body_of(const VersionRecord& record);
std::string body_of(const ExperimentRecord& record);
std::string body_of(const RunNote& record);
std::string body_of(const RecurringRecord& record);

/// Fill in what the text says; `corrupt` if it says nothing that can be read.
Status read_body(std::string_view text, PipelineRecord& record);
Status read_body(std::string_view text, VersionRecord& record);
Status read_body(std::string_view text, ExperimentRecord& record);
Status read_body(std::string_view text, RunNote& record);
Status read_body(std::string_view text, RecurringRecord& record);

} // namespace weir::facade
