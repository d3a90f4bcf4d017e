#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include <weir/base/result.hpp>

namespace weir::facade {

/// Codes of google.rpc.Code that KFP answers with.
enum class Code : std::uint8_t {
    Invalid = 3,
    NotFound = 5,
    AlreadyExists = 6,
    Denied = 7,
    FailedPrecondition = 9,
    Aborted = 10,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
};
/// As grpc-gateway maps it.
int http_status(Code code) noexcept;

/// A failure as KFP tells it: `message` is the whole chain, `detail` what the user did wrong.
struct Fault {
    Code code = Code::Internal;
    std::string message;
    std::string detail;
    bool bare = false;  ///< found by the gateway, before KFP saw the call: no details
    bool plain = false; ///< written as text, not as JSON

    Fault() = default;
    Fault(Code c, std::string m, std::string d) : code(c), message(std::move(m)), detail(std::move(d)) {}
    /// What failed inside of weir, by its kind.
    Fault(const Error& error); // NOLINT: implicit by design

    /// The same with "context: " before its message.
    [[nodiscard]] Fault in(const std::string& context) const;
};

/// What the gateway refuses: a message that is not of its type, an unknown route.
Fault gateway_fault(Code code, std::string message);
/// A client's mistake that KFP says is one.
Fault invalid_fault(std::string detail);
/// "Run X not found".
Fault missing(const std::string& kind, const std::string& id);
/// A client's mistake that KFP takes for its own: 500, with the truth only in the outer message.
Fault internal_fault(std::string message);

/// A value or a Fault; goes with WEIR_TRY and WEIR_ASSIGN, also where these meet a Result.
template <class T>
class [[nodiscard]] Outcome {
  public:
    Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}     // NOLINT: implicit by design
    Outcome(Fault fault) : state_(std::in_place_index<1>, std::move(fault)) {} // NOLINT
    Outcome(const Error& error) : state_(std::in_place_index<1>, Fault(error)) {} // NOLINT

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    T* operator->() { return &value(); }
    [[nodiscard]] const Fault& error() const { return std::get<1>(state_); }

  private:
    std::variant<T, Fault> state_;
};

struct Nothing {};
using Done = Outcome<Nothing>;

} // namespace weir::facade
