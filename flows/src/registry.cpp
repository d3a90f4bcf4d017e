#include <weir/flows/registry.hpp>

#include <weir/base/text.hpp>

namespace weir::flows {

namespace {
constexpr std::size_t flows_max = 100'000;
constexpr std::size_t versions_max = 10'000;
} // namespace

Status MemoryFlowRegistry::add(Entry& entry, const FlowPointer& flow) {
    if (entry.versions.size() >= versions_max && !entry.versions.contains(flow->version))
        return exhausted("the flow " + flow->team + "/" + flow->flow + " has " +
                         std::to_string(versions_max) + " versions; no more are kept");
    entry.versions.emplace(flow->version, flow);
    return {};
}

Result<MemoryFlowRegistry::Change> MemoryFlowRegistry::put(FlowPointer flow) {
    return entries_.with([&](auto& entries) -> Result<Change> {
        const Key key{flow->team, flow->flow};
        if (entries.size() >= flows_max && !entries.contains(key))
            return exhausted("there are " + std::to_string(flows_max) + " flows; no more are kept");
        Entry& entry = entries[key];
        WEIR_TRY(add(entry, flow));
        const FlowPointer before = entry.current;
        // The pointer known first stays, so that all who hold a version hold the same object.
        entry.current = entry.versions.at(flow->version);
        if (!before) return Change::Created;
        return before->version == flow->version ? Change::Unchanged : Change::Updated;
    });
}

Status MemoryFlowRegistry::put_old(FlowPointer flow) {
    return entries_.with([&](auto& entries) { return add(entries[Key{flow->team, flow->flow}], flow); });
}

Status MemoryFlowRegistry::remove(std::string_view team, std::string_view flow) {
    return entries_.with([&](auto& entries) -> Status {
        const auto it = entries.find(Key{team, flow});
        if (it == entries.end() || !it->second.current)
            return not_found("there is no flow " + printable(team) + "/" + printable(flow));
        it->second.current.reset();
        return {};
    });
}

FlowPointer MemoryFlowRegistry::find(std::string_view team, std::string_view flow) const {
    return entries_.with([&](const auto& entries) {
        const auto it = entries.find(Key{team, flow});
        return it == entries.end() ? FlowPointer() : it->second.current;
    });
}

FlowPointer MemoryFlowRegistry::find(std::string_view team, std::string_view flow,
                                     std::string_view version) const {
    return entries_.with([&](const auto& entries) {
        const auto it = entries.find(Key{team, flow});
        if (it == entries.end()) return FlowPointer();
        const auto found = it->second.versions.find(version);
        return found == it->second.versions.end() ? FlowPointer() : found->second;
    });
}

std::vector<FlowPointer> MemoryFlowRegistry::list(std::string_view team) const {
    return entries_.with([&](const auto& entries) {
        std::vector<FlowPointer> found;
        for (const auto& [key, entry] : entries)
            if (entry.current && (team.empty() || key.first == team)) found.push_back(entry.current);
        return found;
    });
}

std::string MemoryFlowRegistry::suggestion(std::string_view team, std::string_view flow) const {
    return entries_.with([&](const auto& entries) {
        std::vector<std::string_view> names;
        for (const auto& [key, entry] : entries)
            if (entry.current && key.first == team) names.push_back(key.second);
        return did_you_mean(flow, names);
    });
}

} // namespace weir::flows
