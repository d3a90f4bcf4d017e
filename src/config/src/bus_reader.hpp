#pragma once

#include <optional>
#include <string>

#include <weir/config/config.hpp>

namespace weir::config {

/// Paths of a configuration: relative ones are taken from the folder of its file.
class Paths {
  public:
    explicit Paths(const std::string& file);
    [[nodiscard]] std::string of(const std::string& path) const;

  private:
    std::string folder_;
};

/// One entry of `buses`; its fields have been checked against the table of its kind. Adds what the table
/// cannot know. Nothing: its kind is none.
std::optional<BusConfig> read_bus(const std::string& name, const Node& node, const Paths& paths,
                                  Problems& problems);

/// Where a secret is, by a field of type Secret, or by its value.
Secret read_reference(const Fields& fields, std::string_view name, const Paths& paths);
Secret read_reference(const Node& node, const Paths& paths);

/// A duration that must not be zero (or, with `zero`, may be), at most ten years.
void read_duration(const Fields& fields, std::string_view name, const std::string& path, Duration& into,
                   Problems& problems, bool zero = false);

} // namespace weir::config
