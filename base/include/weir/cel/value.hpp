#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>

namespace weir::cel {

enum class Kind : std::uint8_t { Null, Bool, Int, Uint, Double, String, Bytes, List, Map, Timestamp, Duration, Type };

/// The name CEL gives to a kind: "int", "list", "google.protobuf.Timestamp"...
std::string_view type_name(Kind kind) noexcept;

/// An immutable CEL value (CEL language definition, "Values"), 16 bytes; strings, lists and maps are shared.
/// Thread: a value may be read and copied from any thread, like a std::shared_ptr.
/// Limits: none of its own; what comes from outside is bounded by JsonLimits and by the evaluator's cost.
class Value {
  public:
    using Entry = std::pair<Value, Value>;

    Value() noexcept;  ///< null
    Value(const Value&) noexcept;
    Value(Value&&) noexcept;
    Value& operator=(const Value&) noexcept;
    Value& operator=(Value&&) noexcept;
    ~Value();

    static Value null() noexcept { return {}; }
    static Value boolean(bool v) noexcept;
    static Value integer(std::int64_t v) noexcept;
    static Value unsigned_integer(std::uint64_t v) noexcept;
    static Value real(double v) noexcept;
    static Value string(std::string v);
    /// A string that is not copied: `v` must outlive every copy of the value.
    static Value borrowed(std::string_view v) noexcept;
    static Value bytes(std::string v);
    static Value timestamp(Instant v);
    static Value duration(Duration v);
    static Value type(std::string name);
    static Value list(std::vector<Value> items);
    /// Keys are bool, int, uint or string. Of equal keys the last one stays.
    static Value map(std::vector<Entry> entries);
    /// Convenience for maps with string keys.
    static Value object(std::vector<std::pair<std::string, Value>> members);

    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] bool is_null() const noexcept { return kind_ == Kind::Null; }
    [[nodiscard]] bool is_string() const noexcept { return kind_ == Kind::String; }

    // Each aborts when asked of another kind.
    [[nodiscard]] bool as_bool() const;
    [[nodiscard]] std::int64_t as_int() const;
    [[nodiscard]] std::uint64_t as_uint() const;
    [[nodiscard]] double as_double() const;
    [[nodiscard]] std::string_view as_string() const;  ///< String, Bytes (raw), Type (name)
    [[nodiscard]] Instant as_timestamp() const;
    [[nodiscard]] Duration as_duration() const;
    [[nodiscard]] std::span<const Value> as_list() const;
    /// In the order given to map() (JSON objects: document order).
    [[nodiscard]] std::span<const Entry> as_map() const;

    /// The member of a map, or nullptr. Numeric keys compare across kinds, as CEL does.
    [[nodiscard]] const Value* find(const Value& key) const;
    [[nodiscard]] const Value* find(std::string_view key) const;

    /// CEL equality: numbers across kinds, lists and maps deeply, NaN equals nothing.
    [[nodiscard]] bool equals(const Value& other) const;

  private:
    struct Rep;
    Kind kind_;
    std::uint8_t flags_ = 0;
    std::uint32_t size_ = 0;  ///< of a borrowed string
    union {
        std::int64_t int_;
        std::uint64_t uint_;
        double double_;
        const char* text_;
        Rep* rep_;
    };
};

/// A validated JSON text as a value. Numbers that are whole by value and fit 64 bits are Int (1.0 and 1e3 too),
/// all others Double. `invalid` if it is not JSON, `exhausted` past the limits of validate_json().
Result<Value> from_json(std::string_view text);

/// The value as compact JSON. Int without fraction; Double with the shortest digits that read back, a whole one
/// with ".0" left off ("1"); Bytes as base64, Timestamp as RFC 3339, Duration as "1.5s". `invalid` for NaN,
/// infinities, Type and maps with keys that are not strings.
Result<std::string> to_json(const Value& value);

/// One text per equality class, so that two values are CEL-equal if and only if their texts are: the form in
/// which join keys are held and hashed. `invalid` for null, NaN, lists and maps holding those.
Result<std::string> canonical_key(const Value& value);

}  // namespace weir::cel
