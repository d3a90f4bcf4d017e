#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <weir/events/bus.hpp>

#include "api.hpp"
#include "arrival.hpp"
#include "link.hpp"
#include "session.hpp"

namespace weir::events::nats {

/// One stream: its reading, and what is asked about it.
/// Thread: read() on one thread at a time, the rest on any.
class StreamReader {
  public:
    StreamReader(const Link& link, StreamSettings settings, NatsStreamOptions options, Durability durability,
                 std::function<void()> notify);

    [[nodiscard]] const std::string& name() const { return settings_->name; }
    [[nodiscard]] const NatsStreamOptions& options() const { return options_; }

    /// Makes the stream if it is to be made and not there. `not_found`, `invalid` (not a stream that weir can
    /// read).
    Status adopt();
    Result<StreamInfo> look();
    Result<Reading> read(Position after, std::size_t events_max, std::size_t bytes_max);
    Result<Arrival> at(Position position);
    Result<Arrival> decode(const Message& message, Position position, Instant time) const;
    Result<Position> last_before(Instant time);

    /// Once a second: is the stream still what is being read, and is there anything behind what came?
    void check();
    /// Frees sessions that the library has left. True if none is left to be freed.
    bool sweep();
    /// Ends reading.
    void close();

  private:
    Result<Reading> read_some(Session& session, std::size_t events_max, std::size_t bytes_max, bool& cut);
    bool forget_interruption(); ///< was there one?
    Status start(Position after);
    void end(bool interrupted);
    void check(Session& session);
    void look_behind(Session& session, const Session::Standing& standing, const StreamState& state);
    [[nodiscard]] std::shared_ptr<Session> session() const;
    [[nodiscard]] Status in_range(const StreamState& state, std::int64_t after) const;
    [[nodiscard]] bool lost(const StreamState& state, std::int64_t after) const;
    [[nodiscard]] std::vector<std::string> wanted() const;
    Result<std::int64_t> newest_wanted(const StreamState& state);
    Result<std::int64_t> newest_under(const std::string& filter, const StreamState& state);

    const Link& link_;
    const std::shared_ptr<const StreamSettings> settings_;
    const NatsStreamOptions options_;
    const Durability durability_;
    const std::function<void()> notify_;
    const SystemClock clock_;

    mutable std::mutex mutex_;
    std::shared_ptr<Session> session_;
    std::vector<std::shared_ptr<Session>> ended_;
    bool interrupted_ = false;
    bool closed_ = false;
    bool known_ = false;        ///< it was there once
    bool removes_seen_ = false; ///< a message was missing in the middle
    std::string start_created_; ///< of the stream that start_ was looked up for
    std::optional<Position> start_;
    // The keeper's: what stands still for a second is looked behind, and a gap is believed when it is seen
    // twice.
    std::int64_t stood_at_ = -1;
    std::int64_t suspected_ = 0;
};

} // namespace weir::events::nats
