#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include <weir/base/digest.hpp>
#include <weir/base/result.hpp>
#include <weir/events/event.hpp>

#include "commands.hpp"

namespace weir::cli {

/// Reads events from JSON lines. A line is a CloudEvent (an object with `specversion`), or, where a type is
/// given, the data of one. Empty lines are passed over.
///
/// An event without an id gets one from the whole content of the file and the line's number: publishing the
/// same file again after an interruption repeats nothing, since what was accepted is known by its id (for 7
/// days). A file that grew is another file. Standard input cannot be read twice, so its ids hold for one call
/// only. Limit: a line of 1 MiB.
class EventLines {
  public:
    /// `base`: digest of the content, or random for standard input.
    EventLines(std::istream& in, std::string name, const PublishOptions& options, const Digest& base)
        : in_(in), name_(std::move(name)), options_(options), base_(base) {}

    /// The next event, or nothing at the end. Errors begin with file:line.
    Result<std::optional<events::Event>> next();
    /// Bytes read so far.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t line() const { return line_; }

  private:
    Result<events::Event> read(const std::string& line) const;

    std::istream& in_;
    std::string name_;
    const PublishOptions& options_;
    const Digest base_;
    std::uint64_t line_ = 0;
    std::uint64_t bytes_ = 0;
};

/// The event of `--data` and its companions. `id`: used if the options give none.
Result<events::Event> single_event(const PublishOptions& options, const std::string& id);

/// `/weir/cli`: the source where none is given.
inline constexpr std::string_view default_source = "/weir/cli";

} // namespace weir::cli
