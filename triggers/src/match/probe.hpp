#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/cel/program.hpp>
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
/// The number that a value of any numeric kind is. Those that conditions are lifted with lie within 2^53, so
/// that comparing doubles is what CEL means.
std::optional<double> number_of(const cel::Value& value);

/// `event` and a leaf's own name are the event, `run` its settlement: a leaf's condition knows no other name.
class EventBindings final : public cel::Bindings {
  public:
    explicit EventBindings(EventView& event) : event_(event) {}
    [[nodiscard]] const cel::Value* find(std::string_view name) const override {
        return name == "run" ? &event_.run() : &event_.value();
    }

  private:
    EventView& event_;
};

/// All operands that conditions compare, each once: paths from the event on ("type", "data.table") and
/// expressions. Each has a number as long as something holds it.
/// Limit: `computed_max` expressions; further ones get none.
class Paths {
  public:
    static constexpr PathId type = 0; ///< always there
    static constexpr std::size_t computed_max = 4096;

    Paths();
    /// The number of a path, or of an expression where `computed` is one; held once more. Nothing: past the
    /// limit, or not an expression.
    std::optional<PathId> acquire(const std::vector<std::string>& path, const std::string& computed);
    void hold(PathId id) { ++paths_[id].holders; }
    void release(PathId id);
    [[nodiscard]] bool is_computed(PathId id) const { return paths_[id].root == Root::Computed; }
    [[nodiscard]] std::size_t size() const { return paths_.size(); }
    [[nodiscard]] std::size_t bytes() const;

  private:
    friend class Probe;
    enum class Root : std::uint8_t { Type, Source, Subject, Id, Data, Other, Computed };
    using Key = std::pair<std::string, std::vector<std::string>>;
    struct Path {
        Root root = Root::Other;
        std::uint32_t holders = 0;
        std::vector<std::string> members; ///< below the root; Other: from the event on
        std::optional<cel::Program> program;
        std::map<Key, PathId>::iterator key;
    };
    std::vector<Path> paths_;
    std::vector<PathId> free_;
    std::size_t computed_ = 0;
    std::map<Key, PathId> ids_;
};

/// The values of one event at the paths of indexes, looked up when first asked for.
class Probe {
  public:
    explicit Probe(const Paths& paths) : paths_(paths) {}

    enum class Kind : std::uint8_t { Missing, Text, Number, Bool, Other };
    struct Found {
        Kind kind = Kind::Missing;
        bool truth = false;     ///< Bool
        bool hashed = false;    ///< `hash` is known
        std::uint64_t hash = 0; ///< value_hash(); 0: equals no literal
        double number = 0;      ///< Number
        std::string_view text;  ///< Text
    };

    /// Begins with another event. It must outlive the use.
    void start(EventView& event) {
        event_ = &event;
        ++epoch_;
        if (found_.size() < paths_.size()) found_.resize(paths_.size());
    }
    const Found& at(PathId path) { return cached(path).found; }
    /// Where the operand's equals stand in a hash table; 0: nowhere.
    std::uint64_t hash_at(PathId path) {
        auto& found = cached(path).found;
        if (!found.hashed) hash(found);
        return found.hash;
    }

  private:
    struct alignas(64) Cached {
        std::uint64_t epoch = 0;
        Found found;
        cel::Value computed; ///< what `found` lies in, if it was computed
    };
    Cached& cached(PathId path) {
        auto& cached = found_[path];
        if (cached.epoch != epoch_) {
            cached.epoch = epoch_;
            look_up(path, cached);
        }
        return cached;
    }
    void look_up(PathId path, Cached& out);
    static void hash(Found& found);

    const Paths& paths_;
    EventView* event_ = nullptr;
    std::uint64_t epoch_ = 0;
    std::vector<Cached> found_;
};

} // namespace weir::triggers::match
