#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>

#include "sqlite/connection.hpp"

namespace weir::ledger::sqlite {

/// How long a second event of one source and id counts as a duplicate.
inline constexpr Duration seen_window = std::chrono::hours(7 * 24);

/// The day an instant falls in, counted from 1970; times before count as the first.
std::int64_t day_of(Instant time) noexcept;

/// Keyed hash (SipHash-2-4) of event identities, so that nobody outside can choose ids that collide.
/// Thread: one at a time.
class IdentityHash {
  public:
    /// `key`: at least 16 bytes.
    explicit IdentityHash(std::string_view key);
    ~IdentityHash();
    IdentityHash(const IdentityHash&) = delete;
    IdentityHash& operator=(const IdentityHash&) = delete;

    /// 43 bits: 28 of the id, then 15 of the source, so that all sources of one id are neighbours.
    std::int64_t bits(std::string_view source, std::string_view id);
    /// First of the 2^15 values that bits() may give for this id.
    std::int64_t id_bits(std::string_view id);

    static std::int64_t key(std::int64_t day, std::int64_t bits) noexcept { return day << 43 | bits; }

  private:
    std::uint64_t sip(std::string_view text);
    struct State;
    std::unique_ptr<State> state_;
};

/// Which identities were surely not seen on a day: Bloom filters in layers, 2 bytes an identity, so that a
/// look-up that finds nothing (nearly every one) asks no file. A day that would pass the budget, or was not
/// loaded at the start, has no filter and is always asked. Limits: `bytes_max` over all days (64 MiB: 32
/// million identities in the window); at the start the newest `load_max` identities (4 million) are loaded.
class SeenFilter {
  public:
    static constexpr std::size_t bytes_max = 64u << 20;
    static constexpr std::int64_t load_max = 4'000'000;

    /// Reads the window before `now` from the table.
    Status load(Connection& connection, Instant now);
    /// A key that is now in the table.
    void add(std::int64_t key);
    /// False: surely not in the table.
    [[nodiscard]] bool maybe(std::int64_t key) const;
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

  private:
    struct Layer {
        std::vector<std::uint64_t> words; ///< blocks of 8
        std::size_t left = 0;             ///< keys it still takes
    };
    struct Day {
        std::vector<Layer> layers;
        bool unfiltered = false;
    };
    static bool test(const Layer& layer, std::uint64_t bits, bool set_them, Layer* target);
    void grow(Day& day);
    void drop_before(std::int64_t day);

    std::map<std::int64_t, Day> days_;
    std::int64_t filtered_from_ = 0; ///< days before are always asked
    std::size_t bytes_ = 0;
};

} // namespace weir::ledger::sqlite
