#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>

#include "interrupt.hpp"

namespace weir::cli {

/// What every command needs of the world around it.
struct Environment {
    std::string server = "http://127.0.0.1:9347";
    std::string token;     ///< shown as `Authorization: Bearer`; empty: none
    std::string principal; ///< "local:alice"; counts only where no token is asked for
    const Clock& clock;
    Interrupt& interrupt;
    bool stdout_is_terminal = false;
    bool stderr_is_terminal = false;
    std::size_t width = 0; ///< columns of the terminal; 0: not one, never cut
};

/// Prints "weir: message" to stderr, made safe for a terminal, several lines kept apart.
void complain(std::string_view message);
/// A line for a person, on stderr.
void note(std::string_view message);
/// Text to stdout as it is.
void print(std::string_view text);

/// Text from outside made safe for a terminal, line breaks and tabs kept, nothing cut.
std::string safe_lines(std::string_view text);

/// "local:" and the name of the user who runs this.
std::string local_principal();

/// A line on a terminal that is overwritten as work goes on; silent in a pipe.
class Progress {
  public:
    explicit Progress(const Environment& environment) : environment_(environment) {}
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    /// At most ten times a second.
    void show(std::string_view text);
    void clear();

  private:
    const Environment& environment_;
    SteadyInstant shown_{};
    bool visible_ = false;
};

} // namespace weir::cli
