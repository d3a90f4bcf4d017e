#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ast.hpp"

namespace weir::cel {

using Path = std::vector<std::string>;

/// variable.field.field of a chain of selections and constant string indexes, or nothing.
std::optional<Path> path_of(const Program::Impl& program, const Node& node);
/// The longest paths used below a node, and those that has() asks for, each once in order of first use.
void collect_paths(const Program::Impl& program, const Node& node, std::vector<Path>& used,
                   std::vector<Path>& guarded);
/// As it would be written: event.data["a-b"].c
std::string written(const Path& path);

} // namespace weir::cel
