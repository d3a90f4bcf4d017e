#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <weir/base/clock.hpp>
#include <weir/base/digest.hpp>
#include <weir/base/result.hpp>

namespace weir {

/// An integer that cannot be mixed up with another kind of integer.
template <class Tag, class Int = std::int64_t>
struct Number {
    Int value{};
    constexpr Number() = default;
    constexpr explicit Number(Int v) : value(v) {}
    constexpr auto operator<=>(const Number&) const = default;
};

/// Place of an input in its log: gap-free, log << 48 | n. Replay order is this and nothing else.
using Seq = Number<struct SeqTag>;
/// Place of an event in its stream, as the bus counts (embedded: from 1).
using Position = Number<struct PositionTag>;

/// 16 bytes printed as a UUID. Time-led ones (version 8, RFC 9562) sort by their cause's time.
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Uuid&) const = default;
    [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
    [[nodiscard]] std::string to_string() const;
    /// 8-4-4-4-12 hexadecimal digits, any case. `invalid` otherwise.
    static Result<Uuid> parse(std::string_view text);
    /// UUIDv8: 48 bits of `time` in milliseconds, then the leading bits of `digest`. Same input, same id.
    static Uuid time_led(Instant time, const Digest& digest);
};

/// Ids that must not be mixed up though all are UUIDs.
template <class Tag>
struct Id {
    Uuid uuid;
    auto operator<=>(const Id&) const = default;
    [[nodiscard]] std::string to_string() const { return uuid.to_string(); }
    [[nodiscard]] bool is_nil() const { return uuid.is_nil(); }
};
using DecisionId = Id<struct DecisionTag>;
using RunId = Id<struct RunTag>;
/// Minted when a trigger is created; its name may change hands, this never does.
using TriggerUid = Id<struct TriggerTag>;

} // namespace weir

template <class Tag, class Int>
struct std::hash<weir::Number<Tag, Int>> {
    std::size_t operator()(const weir::Number<Tag, Int>& n) const noexcept {
        return std::hash<Int>{}(n.value);
    }
};
template <>
struct std::hash<weir::Uuid> {
    std::size_t operator()(const weir::Uuid& u) const noexcept {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(u.bytes.data()), u.bytes.size()});
    }
};
template <class Tag>
struct std::hash<weir::Id<Tag>> {
    std::size_t operator()(const weir::Id<Tag>& id) const noexcept {
        return std::hash<weir::Uuid>{}(id.uuid);
    }
};
