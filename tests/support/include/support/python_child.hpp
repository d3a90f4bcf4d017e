#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::support {

/// A Python program beside the test that takes lines and answers with lines; the end of its stdin, with this
/// object or this process, tells it to end.
/// Thread: one at a time. Errors: std::system_error, std::runtime_error, which fail the test case.
class PythonChild {
  public:
    /// `words`: the program and its arguments. `name`: for messages.
    PythonChild(std::string name, const std::vector<std::string>& words);
    ~PythonChild();
    PythonChild(const PythonChild&) = delete;
    PythonChild& operator=(const PythonChild&) = delete;

    /// One that has ended is no fault here: reading says why.
    void write_line(std::string_view line) const;
    std::string read_line(int timeout_ms);
    /// Closes its stdin, sends the signal (0: none) and waits for its end.
    void end(int signal);

  private:
    std::string name_;
    int process_ = -1;
    int commands_ = -1; ///< its stdin
    int answers_ = -1;  ///< its stdout
    std::string unread_;
};

} // namespace weir::support
