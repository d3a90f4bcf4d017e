#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/ids.hpp>

namespace weir::flows {

/// Types of pipeline parameters (KFP IR, ParameterTypeEnum).
enum class ParameterType : std::uint8_t { Integer, Double, String, Boolean, List, Struct };
/// "integer", "double", "string", "boolean", "list", "struct".
std::string_view to_string(ParameterType type) noexcept;

struct Parameter {
    std::string name;
    ParameterType type = ParameterType::String;
    bool optional = false;    ///< may be left out (a default, or optional without one)
    std::string default_json; ///< empty: none
    std::string description;
    std::vector<std::string> literals_json; ///< empty: any value
    bool operator==(const Parameter&) const = default;
};

/// One registered version of a flow. The version is a hash of its content, so the same content is the same
/// version.
struct FlowVersion {
    std::string team;
    std::string flow;
    std::string version; ///< 12 hexadecimal digits of the SHA-256 over document and pipeline
    std::string backend; ///< "local", "null" or the name of a Kubeflow backend
    std::vector<Parameter> parameters;
    std::string pipeline;      ///< pipeline IR as given (YAML or JSON); empty where the document names none
    std::string settings_json; ///< what else the flow document says, as JSON: on_restart, timeout, labels...
};

/// How a run ended (design: outcomes). `Refused`: never started. `Lost`: vanished.
enum class Outcome : std::uint8_t { Succeeded, Failed, Cancelled, Skipped, Refused, Lost };
std::string_view to_string(Outcome outcome) noexcept;

/// An artifact a run made or used.
struct ArtifactRecord {
    std::string name; ///< "task.output"
    std::string uri;
    std::string type; ///< schema title, "system.Model"
    std::string metadata_json = "{}";
    bool operator==(const ArtifactRecord&) const = default;
};

} // namespace weir::flows
