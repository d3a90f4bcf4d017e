#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <nats/nats.h>

#include <weir/base/clock.hpp>
#include <weir/events/bus.hpp>
#include <weir/events/nats_bus.hpp>

#include "link.hpp"

namespace weir::events::nats {

/// Publishes to JetStream and waits for its acknowledgements. Not the library's asynchronous publishing:
/// there a lost acknowledgement is waited for for ever, and which message an answer belongs to is not told in
/// all versions. Thread: any. Limits: window_max messages and about window_bytes_max bytes of one call are
/// under way at a time.
class Publisher {
  public:
    Publisher(const Link& link, const NatsBusOptions& options);
    ~Publisher();

    /// In this order, to the stream of this name. Errors as Bus::publish().
    Result<std::vector<Position>> publish(const std::string& stream, std::span<const Event> events);
    /// Something about the connection changed: who waits looks again.
    void changed();
    /// Frees what the library has left. True if nothing is left to be freed.
    bool sweep();
    void close();

  private:
    struct Inbox;
    struct Call;
    struct Ready;
    Result<std::shared_ptr<Inbox>> inbox();
    Result<std::vector<Ready>> prepare(const std::string& stream, std::span<const Event> events);
    Status send(Inbox& inbox, const std::shared_ptr<Call>& call, const Ready& message, std::size_t index);
    Status run(const std::shared_ptr<Call>& shared);

    const Link& link_;
    const NatsBusOptions& options_;
    const SystemClock clock_;
    mutable std::mutex mutex_;
    std::shared_ptr<Inbox> inbox_;
    std::vector<std::shared_ptr<Inbox>> ended_;
    std::vector<std::weak_ptr<Call>> calls_;
    std::atomic<bool> closed_{false};
};

} // namespace weir::events::nats
