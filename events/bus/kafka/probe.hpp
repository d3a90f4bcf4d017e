#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "handle.hpp"

namespace weir::events::kafka {

/// One partition by name.
struct Place {
    std::string topic;
    std::int32_t partition = 0;
    auto operator<=>(const Place&) const = default;
};

/// Of one partition, in offsets.
struct Ends {
    std::int64_t low = 0;  ///< the oldest record still there
    std::int64_t high = 0; ///< behind the newest one that a reader of committed records reaches
};

struct TopicFacts {
    int partitions = 0;
    int replication = 0; ///< the least of its partitions
};

/// Asks the brokers: short questions, each bounded by its timeout. Thread-safe.
/// Newer versions of the library hold on to what they knew of a topic when it is made anew (its leader's
/// epoch falls): questions about its partitions time out for ever, though the brokers answer. Then the handle
/// is made anew as well, and renewals() tells the owner that other handles are to be doubted.
class Probe {
  public:
    static Result<std::unique_ptr<Probe>> make(const KafkaBusOptions& options);

    [[nodiscard]] const std::shared_ptr<Signals>& signals() const { return signals_; }

    /// Those of `topics` that exist.
    Result<std::map<std::string, TopicFacts>> topics(const std::vector<std::string>& topics,
                                                     Duration timeout);
    Result<std::string> cluster_id(Duration timeout);
    /// In the order of `places`, in as many requests as there are brokers, twice.
    Result<std::vector<Ends>> ends(const std::vector<Place>& places, Duration timeout);
    Result<Ends> ends(const Place& place, Duration timeout);
    /// The first offset whose record came at `time_ms` or later; `high` if none did.
    Result<std::int64_t> offset_from(const Place& place, std::int64_t time_ms, Duration timeout);
    /// The record at exactly `offset`; an empty one if there is none (any more). `not_found`: the topic is
    /// not known just now.
    Result<Record> record_at(const Place& place, std::int64_t offset, Duration timeout);
    /// Settings of a topic, by name.
    Result<std::map<std::string, std::string>> settings(const std::string& topic, Duration timeout);
    /// Makes a topic; one that is there already is left as it is.
    Status create(const KafkaTopicOptions& topic, std::map<std::string, std::string> settings,
                  Duration timeout);
    /// Commits offsets for lag tools, without waiting for an answer.
    void commit(const std::map<Place, std::int64_t>& offsets);
    /// Serves what the handle has to tell.
    void poll();
    /// How often the handle was made anew.
    [[nodiscard]] std::uint64_t renewals() const { return renewals_.load(); }

  private:
    /// A handle and the topics that it was told of, which have to go first.
    struct Client {
        explicit Client(Handle made) : handle(std::move(made)) {}
        Handle handle;
        std::mutex mutex;
        std::map<std::string, Topic> topics;
    };

    Probe(const KafkaBusOptions& options, std::shared_ptr<Signals> signals, Handle handle);
    [[nodiscard]] std::shared_ptr<Client> client() const;
    void doubt(Client& client, const std::vector<Place>& places);
    Result<std::vector<std::int64_t>> list_offsets(const std::vector<Place>& places, std::int64_t which,
                                                   Duration timeout);

    const KafkaBusOptions options_;
    const std::shared_ptr<Signals> signals_;
    std::mutex fetching_; ///< one record_at() at a time
    mutable std::mutex client_mutex_;
    std::shared_ptr<Client> client_;
    SteadyInstant renewed_{};
    std::atomic<std::uint64_t> renewals_{0};
};

} // namespace weir::events::kafka
