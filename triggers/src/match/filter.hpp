#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <weir/cel/program.hpp>

#include "probe.hpp"

namespace weir::triggers::match {

/// A comparison whose operand has its number.
struct Condition {
    PathId path = 0;
    cel::Comparison::Op op = cel::Comparison::Op::Equal;
    std::vector<cel::Value> literals;
};
/// Conditions that must all hold.
using Conjunction = std::vector<Condition>;

/// Lifted comparisons in a form that is checked without touching a program: a few words that lie together,
/// for candidates are spread over all of memory and what costs is how many places each of them is looked at.
/// Texts, numbers and bools are compared exactly as CEL does; other conditions are left out.
class Filter {
  public:
    Filter() = default;
    /// Of any of the alternatives. `whole`: nothing had to be left out. Filters past 4 KB are left out as a
    /// whole.
    Filter(const std::vector<Conjunction>& alternatives, Paths& paths, bool& whole);

    /// False only if no alternative can hold. The numbers of its operands must be held.
    [[nodiscard]] bool holds(Probe& probe) const {
        return words_ == 0 || any_alternative(words_ > small_words ? large_.get() : small_.data(), probe);
    }
    void release(Paths& paths) const;
    [[nodiscard]] std::size_t bytes() const {
        return words_ > small_words ? words_ * std::size_t{8} + 16 : 0;
    }

  private:
    static constexpr std::size_t small_words = 9, words_max = 512;

    template <class Take>
    void each_path(Take take) const;
    bool any_alternative(const std::uint64_t* at, Probe& probe) const;

    std::unique_ptr<std::uint64_t[]> large_;
    std::array<std::uint64_t, small_words> small_{};
    std::uint32_t words_ = 0;
};

} // namespace weir::triggers::match
