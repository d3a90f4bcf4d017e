#pragma once

#include <string>

#include <weir/config/config.hpp>

#include "bus_reader.hpp"

namespace weir::config {

/// One Kubeflow backend; its fields have been checked against kubeflow_table(). Adds what the table cannot
/// know. Bindings are the teams' affair.
KubeflowBackend read_kubeflow(const std::string& name, const Node& node, const Paths& paths,
                              Problems& problems);

/// A team's binding, an entry of its `backends` with fields of binding_table(). `path`: of the entry.
flows::kubeflow::Binding read_binding(const Node& node, const std::string& path, Problems& problems);

} // namespace weir::config
