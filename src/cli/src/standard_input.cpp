#include "standard_input.hpp"

#include <poll.h>
#include <unistd.h>

namespace weir::cli {

StandardInput::int_type StandardInput::underflow() {
    // A signal ends the wait: whoever reads looks at it between events, and here it counts as the end.
    const auto got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (got <= 0) return traits_type::eof();
    setg(buffer_.data(), buffer_.data(), buffer_.data() + got);
    return traits_type::to_int_type(*gptr());
}

std::streamsize StandardInput::showmanyc() {
    pollfd watched{STDIN_FILENO, POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1 ? 1 : 0;
}

} // namespace weir::cli
