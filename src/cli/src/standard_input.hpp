#pragma once

#include <array>
#include <streambuf>

namespace weir::cli {

/// Standard input as a stream buffer that knows whether more is there: in_avail() is 0 while a reader would
/// have to wait. (std::cin reads character by character unless all streams of the process are switched over.)
class StandardInput final : public std::streambuf {
  protected:
    int_type underflow() override;
    std::streamsize showmanyc() override;

  private:
    std::array<char, 64 * 1024> buffer_{};
};

} // namespace weir::cli
