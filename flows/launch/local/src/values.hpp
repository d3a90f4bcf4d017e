#pragma once

#include <map>
#include <string>
#include <string_view>

#include <weir/flows/local/interpreter.hpp>

namespace weir::flows::local {

/// Values as JSON text: {"parameters": {...}, "artifacts": {name: [{...}]}}, and back.
std::string write_values(const Values& values);
/// `corrupt` if the text is not what write_values() wrote.
Result<Values> read_values(const cel::Value& json);

/// Parameters alone, as an object.
std::string write_parameters(const std::map<std::string, cel::Value>& parameters);

/// One artifact in the form of KFP's RuntimeArtifact.
std::string write_artifact(const Artifact& artifact);
Artifact read_artifact(const cel::Value& json);

/// A string member of an object, or nothing.
std::string text_member(const cel::Value& object, std::string_view name);

/// An artifact for the ledger.
ArtifactRecord record_of(const std::string& name, const Artifact& artifact);

} // namespace weir::flows::local
