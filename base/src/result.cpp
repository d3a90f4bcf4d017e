#include <weir/base/result.hpp>

#include <cstdio>

namespace weir {

std::string_view to_string(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::Invalid: return "invalid";
        case ErrorKind::NotFound: return "not_found";
        case ErrorKind::Conflict: return "conflict";
        case ErrorKind::Unavailable: return "unavailable";
        case ErrorKind::Timeout: return "timeout";
        case ErrorKind::Cancelled: return "cancelled";
        case ErrorKind::Denied: return "denied";
        case ErrorKind::Corrupt: return "corrupt";
        case ErrorKind::Unsupported: return "unsupported";
        case ErrorKind::Exhausted: return "exhausted";
        case ErrorKind::Internal: return "internal";
    }
    return "internal";
}

bool retryable(ErrorKind kind) noexcept {
    return kind == ErrorKind::Unavailable || kind == ErrorKind::Timeout;
}

Error Error::in(std::string_view context) const {
    std::string text(context);
    text += ": ";
    text += message;
    return {kind, std::move(text)};
}

void broken_invariant(std::string_view what, std::source_location where) {
    std::fprintf(stderr, "weir: broken invariant: %.*s (%s:%u)\n", static_cast<int>(what.size()), what.data(),
                 where.file_name(), static_cast<unsigned>(where.line()));
    std::abort();
}

} // namespace weir
