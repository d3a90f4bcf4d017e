#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/base/sync.hpp>
#include <weir/flows/records.hpp>

namespace weir::flows {

using FlowPointer = std::shared_ptr<const FlowVersion>;

/// What flows there are. Versions are immutable, so what is returned may be kept.
/// Thread: any. Errors: a nullptr for what is not there.
class FlowRegistry {
  public:
    virtual ~FlowRegistry() = default;
    /// The current version.
    [[nodiscard]] virtual FlowPointer find(std::string_view team, std::string_view flow) const = 0;
    /// A version by its hash, current or not.
    [[nodiscard]] virtual FlowPointer find(std::string_view team, std::string_view flow,
                                           std::string_view version) const = 0;
    /// Current versions by team, then flow; all teams if `team` is empty.
    [[nodiscard]] virtual std::vector<FlowPointer> list(std::string_view team = {}) const = 0;
    /// `; did you mean "x"?` among the flows of the team, or nothing.
    [[nodiscard]] virtual std::string suggestion(std::string_view team, std::string_view flow) const = 0;
};

/// The registry in memory; the ledger holds it durably and fills it at the start.
/// Limits: 100,000 flows with 10,000 versions each, then `exhausted`.
class MemoryFlowRegistry final : public FlowRegistry {
  public:
    enum class Change : std::uint8_t { Created, Updated, Unchanged };
    /// Makes `flow` the current version of its team and name. An old version put again becomes current again.
    Result<Change> put(FlowPointer flow);
    /// Adds a version without making it current (history read back from the ledger).
    Status put_old(FlowPointer flow);
    /// Takes the flow off the list; its versions can still be found by hash. `not_found` if it is not there.
    Status remove(std::string_view team, std::string_view flow);

    [[nodiscard]] FlowPointer find(std::string_view team, std::string_view flow) const override;
    [[nodiscard]] FlowPointer find(std::string_view team, std::string_view flow,
                                   std::string_view version) const override;
    [[nodiscard]] std::vector<FlowPointer> list(std::string_view team = {}) const override;
    [[nodiscard]] std::string suggestion(std::string_view team, std::string_view flow) const override;

  private:
    struct Entry {
        FlowPointer current;
        std::map<std::string, FlowPointer, std::less<>> versions;
    };
    using Key = std::pair<std::string, std::string>;
    Status add(Entry& entry, const FlowPointer& flow);
    Sync<std::map<Key, Entry>> entries_;
};

} // namespace weir::flows
