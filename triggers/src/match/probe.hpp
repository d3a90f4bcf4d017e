#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/triggers/event_view.hpp>

namespace weir::triggers::match {

using PathId = std::uint32_t;

/// A well-mixed 64-bit number of another (the finalizer of splitmix64).
constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/// One number per equality class of a value, as far as comparisons are lifted out: strings, bytes, bools,
/// numbers (across kinds), times. 0 for what is never equal to a literal of an index.
std::uint64_t value_hash(const cel::Value& value);
std::uint64_t text_hash(std::string_view text);

/// All paths that indexes ask for, each once: "type", "data.table"... Never forgotten; there are few.
class Paths {
  public:
    PathId id(const std::vector<std::string>& path);
    /// The path's id if it has one.
    [[nodiscard]] std::optional<PathId> known(const std::vector<std::string>& path) const {
        const auto found = ids_.find(path);
        return found == ids_.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] std::size_t size() const { return paths_.size(); }

  private:
    friend class Probe;
    enum class Root : std::uint8_t { Type, Source, Subject, Id, Data, Other };
    struct Path {
        Root root;
        std::vector<std::string> members; ///< below the root; Other: from the event on
    };
    std::vector<Path> paths_;
    std::map<std::vector<std::string>, PathId> ids_;
};

/// The values of one event at the paths of indexes, looked up when first asked for.
class Probe {
  public:
    explicit Probe(const Paths& paths) : paths_(paths) {}

    struct Found {
        std::uint64_t hash = 0; ///< value_hash(); 0: missing
        std::optional<std::string_view> text;
        std::optional<double> number;
    };

    /// Begins with another event. It must outlive the use.
    void start(EventView& event) {
        event_ = &event;
        ++epoch_;
        if (found_.size() < paths_.size()) found_.resize(paths_.size());
    }
    const Found& at(PathId path) {
        auto& cached = found_[path];
        if (cached.epoch != epoch_) {
            cached.epoch = epoch_;
            cached.found = look_up(path);
        }
        return cached.found;
    }

  private:
    struct Cached {
        std::uint64_t epoch = 0;
        Found found;
    };
    Found look_up(PathId path);

    const Paths& paths_;
    EventView* event_ = nullptr;
    std::uint64_t epoch_ = 0;
    std::vector<Cached> found_;
};

} // namespace weir::triggers::match
