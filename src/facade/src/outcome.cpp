#include "outcome.hpp"

namespace weir::facade {
namespace {

Code code_of(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::Invalid:
        case ErrorKind::Exhausted: return Code::Invalid;
        case ErrorKind::NotFound: return Code::NotFound;
        case ErrorKind::Conflict: return Code::AlreadyExists;
        case ErrorKind::Denied: return Code::Denied;
        case ErrorKind::Unsupported: return Code::Unimplemented;
        case ErrorKind::Unavailable:
        case ErrorKind::Timeout:
        case ErrorKind::Cancelled: return Code::Unavailable;
        case ErrorKind::Corrupt:
        case ErrorKind::Internal: break;
    }
    return Code::Internal;
}

} // namespace

int http_status(Code code) noexcept {
    switch (code) {
        case Code::Invalid:
        case Code::FailedPrecondition: return 400;
        case Code::Unauthenticated: return 401;
        case Code::Denied: return 403;
        case Code::NotFound: return 404;
        case Code::AlreadyExists:
        case Code::Aborted: return 409;
        case Code::Unimplemented: return 501;
        case Code::Unavailable: return 503;
        case Code::Internal: break;
    }
    return 500;
}

Fault::Fault(const Error& error) : code(code_of(error.kind)), message(error.message), detail(error.message) {}

Fault Fault::in(const std::string& context) const {
    auto outer = *this;
    if (!bare) outer.message = context + ": " + message;
    return outer;
}

Fault gateway_fault(Code code, std::string message) {
    Fault fault(code, std::move(message), "");
    fault.bare = true;
    return fault;
}

Fault invalid_fault(std::string detail) {
    return {Code::Invalid, "Invalid input error: " + detail, detail};
}

Fault missing(const std::string& kind, const std::string& id) {
    const auto detail = kind + " " + id + " not found";
    return {Code::NotFound, "ResourceNotFoundError: " + detail, detail};
}

Fault internal_fault(std::string message) {
    return {Code::Internal, "InternalServerError: " + std::move(message), "Internal Server Error"};
}

} // namespace weir::facade
