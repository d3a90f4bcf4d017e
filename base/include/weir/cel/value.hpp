#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>

namespace weir::cel {

enum class Kind : std::uint8_t {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    List,
    Map,
    Timestamp,
    Duration,
    Type
};

/// The name CEL gives to a kind: "int", "list", "google.protobuf.Timestamp"...
std::string_view type_name(Kind kind) noexcept;

/// An immutable CEL value (CEL language definition, "Values"), 16 bytes; strings, lists and maps are shared.
/// Thread: a value may be read and copied from any thread, like a std::shared_ptr.
/// Limits: a string holds less than 4 GiB; what comes from outside is bounded by JsonLimits and by the
/// evaluator's cost.
class Value {
  public:
    using Entry = std::pair<Value, Value>;

    Value() noexcept : kind_(Kind::Null), int_(0) {} ///< null
    Value(const Value& other) noexcept
        : kind_(other.kind_), flags_(other.flags_), size_(other.size_), int_(other.int_) {
        if (flags_ & shared_flag) retain();
    }
    Value(Value&& other) noexcept
        : kind_(other.kind_), flags_(other.flags_), size_(other.size_), int_(other.int_) {
        other.kind_ = Kind::Null;
        other.flags_ = 0;
    }
    // What is assigned may lie inside what this value owns: it is taken over before anything is let go.
    Value& operator=(const Value& other) noexcept {
        Value held(other);
        swap(held);
        return *this;
    }
    Value& operator=(Value&& other) noexcept {
        Value held(std::move(other));
        swap(held);
        return *this;
    }
    ~Value() {
        if (flags_ & shared_flag) release();
    }

    static Value null() noexcept { return {}; }
    static Value boolean(bool v) noexcept { return {Kind::Bool, v ? 1 : 0}; }
    static Value integer(std::int64_t v) noexcept { return {Kind::Int, v}; }
    static Value unsigned_integer(std::uint64_t v) noexcept {
        return {Kind::Uint, static_cast<std::int64_t>(v)};
    }
    static Value real(double v) noexcept;
    static Value string(std::string_view v);
    /// A string that is not copied: `v` must outlive every copy of the value.
    static Value borrowed(std::string_view v) noexcept;
    static Value bytes(std::string_view v);
    static Value timestamp(Instant v);
    /// A timestamp beyond the years an Instant holds (CEL has the years 1 to 9999): seconds since 1970 and
    /// 0 to 999,999,999 nanoseconds after them.
    static Value timestamp(std::int64_t seconds, std::uint32_t nanoseconds) noexcept;
    static Value duration(Duration v) noexcept;
    static Value type(std::string_view name);
    /// The type of values of a kind; allocates nothing.
    static Value type(Kind kind) noexcept;
    static Value list(std::vector<Value> items);
    /// Keys are bool, int, uint or string. Of keys of one kind and value the last one stays.
    static Value map(std::vector<Entry> entries);
    /// Convenience for maps with string keys.
    static Value object(std::vector<std::pair<std::string, Value>> members);

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool is_null() const noexcept { return kind_ == Kind::Null; }
    [[nodiscard]] bool is_string() const noexcept { return kind_ == Kind::String; }

    // Each aborts when asked of another kind.
    [[nodiscard]] bool as_bool() const {
        must_be(Kind::Bool);
        return int_ != 0;
    }
    [[nodiscard]] std::int64_t as_int() const {
        must_be(Kind::Int);
        return int_;
    }
    [[nodiscard]] std::uint64_t as_uint() const {
        must_be(Kind::Uint);
        return static_cast<std::uint64_t>(int_);
    }
    [[nodiscard]] double as_double() const {
        must_be(Kind::Double);
        return double_;
    }
    /// String, Bytes (raw), Type (name).
    [[nodiscard]] std::string_view as_string() const {
        if (kind_ != Kind::String && kind_ != Kind::Bytes && kind_ != Kind::Type) [[unlikely]]
            wrong_kind(Kind::String);
        return {text_, size_};
    }
    /// Times before 1677 or after 2262 come as the first or last Instant; timestamp_seconds() has them whole.
    [[nodiscard]] Instant as_timestamp() const;
    [[nodiscard]] std::int64_t timestamp_seconds() const {
        must_be(Kind::Timestamp);
        return int_;
    }
    [[nodiscard]] std::uint32_t timestamp_nanoseconds() const {
        must_be(Kind::Timestamp);
        return size_;
    }
    [[nodiscard]] Duration as_duration() const {
        must_be(Kind::Duration);
        return Duration(int_);
    }
    [[nodiscard]] std::span<const Value> as_list() const;
    /// In the order given to map() (JSON objects: document order).
    [[nodiscard]] std::span<const Entry> as_map() const;

    /// The member of a map, or nullptr. Numeric keys compare across kinds, as CEL does; the same kind wins.
    [[nodiscard]] const Value* find(const Value& key) const;
    [[nodiscard]] const Value* find(std::string_view key) const;

    /// CEL equality: numbers across kinds, lists and maps deeply, NaN equals nothing. An int or uint beyond
    /// 2^53 meets a double after conversion to double, as in cel-go and as the conformance cases want.
    [[nodiscard]] bool equals(const Value& other) const;

  private:
    struct Rep;
    struct ListRep;
    struct MapRep;
    static constexpr std::uint8_t shared_flag = 1; ///< owns a reference to a Rep

    Value(Kind kind, std::int64_t v) noexcept : kind_(kind), int_(v) {}
    static Value text(Kind kind, std::string_view v);
    void must_be(Kind kind) const {
        if (kind_ != kind) [[unlikely]]
            wrong_kind(kind);
    }
    [[noreturn]] void wrong_kind(Kind wanted) const;
    void retain() const noexcept;
    void release() noexcept;
    void swap(Value& other) noexcept {
        std::swap(kind_, other.kind_);
        std::swap(flags_, other.flags_);
        std::swap(size_, other.size_);
        std::swap(int_, other.int_);
    }
    [[nodiscard]] Rep* rep() const noexcept;

    Kind kind_;
    std::uint8_t flags_ = 0;
    std::uint32_t size_ = 0; ///< of a text; the nanoseconds of a timestamp
    union {
        std::int64_t int_; ///< Bool, Int, Uint (same bits), Timestamp (seconds), Duration (nanoseconds)
        double double_;
        const char* text_; ///< String, Bytes, Type: a shared one lies right behind its Rep
        Rep* rep_;         ///< List, Map
    };
};

/// The order of two values: numbers across kinds, strings and bytes bytewise, bool, timestamps, durations.
/// `unordered` where CEL has no order (other kinds, mixed kinds, NaN).
std::partial_ordering order(const Value& a, const Value& b) noexcept;

/// A JSON text as a value. Numbers that are whole by value and fit a signed 64 bit integer are Int (1.0 and
/// 1e3 too), all others Double, with as many digits as it may have. `invalid` if it is not JSON, `exhausted`
/// past the default limits of validate_json().
Result<Value> from_json(std::string_view text);

/// The value as compact JSON. Int without fraction; Double with the shortest digits that read back, a whole
/// one with ".0" left off ("1"); Bytes as base64, Timestamp as RFC 3339, Duration as "1.5s". `invalid` for
/// NaN, infinities, Type and maps with keys that are not strings.
Result<std::string> to_json(const Value& value);

/// One text per equality class, so that two values are CEL-equal if and only if their texts are: the form in
/// which join keys are held and hashed. `invalid` for null, NaN, lists and maps holding those.
/// Numbers stand by their exact value: an int beyond 2^53 that merely rounds to a double keeps its own text.
Result<std::string> canonical_key(const Value& value);

/// What stands in a canonical_key() text, as compact JSON for a person or a program: `"2026-11-20"`, `17`.
/// Bytes as base64, timestamps and durations as to_json() has them. A text that is no such key comes back as
/// a string.
std::string key_json(std::string_view canonical);

} // namespace weir::cel
