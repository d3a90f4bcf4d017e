#pragma once

#include <cstdlib>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace weir {

/// What kind of failure this is. The kind alone decides whether a retry makes sense (see retryable()).
enum class ErrorKind {
    Invalid,     ///< the caller's input is wrong; the same input fails again
    NotFound,    ///< the thing named does not exist
    Conflict,    ///< it exists already, or somebody else changed it
    Unavailable, ///< not reachable or out of a resource just now; worth a retry
    Timeout,     ///< no answer in time; the effect is unknown
    Cancelled,   ///< somebody asked to stop
    Denied,      ///< not allowed
    Corrupt,     ///< stored data does not say what it must
    Unsupported, ///< known by name, not built
    Exhausted,   ///< a documented limit was passed
    Internal,    ///< a bug, or an answer of a library that should not happen
};

/// Stable lower-case name of a kind, as it stands in JSON.
std::string_view to_string(ErrorKind kind) noexcept;

/// True for the kinds where the same call may succeed later without any change of input.
bool retryable(ErrorKind kind) noexcept;

/// A failure: its kind, a sentence for a person (what was wrong, where, what to do) and where it came from.
struct Error {
    ErrorKind kind = ErrorKind::Internal;
    std::string message;

    Error() = default;
    Error(ErrorKind k, std::string m) : kind(k), message(std::move(m)) {}

    /// The same error with "context: " before its message.
    [[nodiscard]] Error in(std::string_view context) const;
};

/// Aborts, in release builds too, when an invariant of weir's own does not hold. Never for bad input.
[[noreturn]] void broken_invariant(std::string_view what, std::source_location where);

inline void expects(bool holds, std::string_view what,
                    std::source_location where = std::source_location::current()) {
    if (!holds) broken_invariant(what, where);
}

/// A value or an Error. Access to the side that is not there aborts.
template <class T>
class [[nodiscard]] Result {
  public:
    using value_type = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}     // NOLINT: implicit by design
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {} // NOLINT

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    [[nodiscard]] T& value() & { return check(), std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return check(), std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return check(), std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    [[nodiscard]] const Error& error() const {
        expects(!ok(), "error() asked of a success");
        return std::get<1>(state_);
    }

  private:
    void check() const {
        if (!ok()) broken_invariant("value() asked of a failure: " + std::get<1>(state_).message, {});
    }
    std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {} // NOLINT

    [[nodiscard]] bool ok() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] const Error& error() const {
        expects(error_.has_value(), "error() asked of a success");
        return *error_;
    }

  private:
    std::optional<Error> error_;
};

using Status = Result<void>;

inline Error invalid(std::string message) {
    return {ErrorKind::Invalid, std::move(message)};
}
inline Error not_found(std::string message) {
    return {ErrorKind::NotFound, std::move(message)};
}
inline Error conflict(std::string message) {
    return {ErrorKind::Conflict, std::move(message)};
}
inline Error unavailable(std::string message) {
    return {ErrorKind::Unavailable, std::move(message)};
}
inline Error corrupt(std::string message) {
    return {ErrorKind::Corrupt, std::move(message)};
}
inline Error unsupported(std::string message) {
    return {ErrorKind::Unsupported, std::move(message)};
}
inline Error exhausted(std::string message) {
    return {ErrorKind::Exhausted, std::move(message)};
}
inline Error internal(std::string message) {
    return {ErrorKind::Internal, std::move(message)};
}

} // namespace weir

#define WEIR_CONCAT_(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_(a, b)
/// Returns the error of a failed Result from the enclosing function.
#define WEIR_TRY(expr)                                                          \
    do {                                                                        \
        if (auto weir_try_ = (expr); !weir_try_.ok()) return weir_try_.error(); \
    } while (false)
/// Declares `name` with the value of a Result, or returns its error from the enclosing function.
#define WEIR_ASSIGN(name, expr) WEIR_ASSIGN_(WEIR_CONCAT(weir_result_, __LINE__), name, expr)
#define WEIR_ASSIGN_(tmp, name, expr)  \
    auto tmp = (expr);                 \
    if (!tmp.ok()) return tmp.error(); \
    auto name = std::move(tmp).value()
