#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/flows/records.hpp>

namespace simdjson::dom {
class element;
}

// What may be sent as parameters: stricter than the server, which takes 1.5 for an integer, rounds 2^53 + 1
// in silence, rewrites macros, and starts a workflow before its database refuses a text.
namespace weir::flows::kubeflow {

/// A parameter as a pipeline version declares it (root.inputDefinitions.parameters).
struct SpecParameter {
    std::string type; ///< "NUMBER_INTEGER"...
    bool required = true;
};

/// What is known of a pipeline version.
struct SpecView {
    std::map<std::string, SpecParameter> parameters;
};

/// Reads `pipeline_spec` of a version: the spec itself, or {pipeline_spec, platform_spec}. `unsupported` if
/// it is no v2 IR.
Result<SpecView> read_spec(simdjson::dom::element pipeline_spec);

/// "STRING" for String...
std::string_view spec_type(ParameterType type) noexcept;

/// Says with every fault found why the server must not be given these arguments; ok: they arrive there
/// unchanged. `where` names the version: "version v2 of the pipeline train". Errors: `invalid`, `exhausted`.
///   - an object with a value of the declared type for each; null is refused by the server, always
///   - whole numbers within +-(2^53 - 1), also inside lists and objects, where all numbers become doubles
///   - no code point above U+FFFF and no NUL: MySQL's utf8 takes none, and refuses the row after the workflow
///     was started
///   - no `[[RunUUID` and `[[CurrentTime` in a text parameter: the server would put something else there
///   - the version has each of them, of the same type, and demands no other
Status check_arguments(const std::vector<Parameter>& declared, const SpecView& spec,
                       std::string_view arguments_json, std::size_t bytes_max, std::string_view where);

/// The first code point above U+FFFF, as "U+1F600"; empty: none.
std::string beyond_plane(std::string_view text);

/// Cut to so many code points.
std::string cut_text(std::string text, std::size_t code_points);

} // namespace weir::flows::kubeflow
