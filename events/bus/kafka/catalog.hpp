#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <weir/events/bus.hpp>

#include "probe.hpp"

namespace weir::events::kafka {

/// What is known of one configured topic.
struct TopicState {
    const KafkaTopicOptions* options = nullptr;
    bool exists = false;
    int partitions = 0;
    int partitions_at_first = 0; ///< when it was seen for the first time; later ones are new
    int replication = 0;
    bool settings_known = false;
    bool removes = false;             ///< compacted
    int insync_min = 1;               ///< min.insync.replicas
    std::size_t record_bytes_max = 0; ///< max.message.bytes; 0: unknown
    std::string problem;              ///< why it is not there
};

Durability durability_of(const KafkaBusOptions& options, const TopicState& topic);

/// Knows the topics: reaches the brokers, makes what is missing, notices new partitions, commits hints. By a
/// thread of its own, for ever. Thread: every method from any thread.
class Catalog {
  public:
    struct Link {
        bool connected = false;
        std::string detail;
        std::int64_t reconnects = 0;
    };

    /// `news` is called on the catalog's thread when a topic or a partition appeared, or a topic went.
    Catalog(const KafkaBusOptions& options, Probe& probe, std::function<void()> news);
    ~Catalog();
    Catalog(const Catalog&) = delete;
    Catalog& operator=(const Catalog&) = delete;

    /// Waits for the first answer of a broker; `unavailable` if none comes.
    Status ready(Duration timeout);
    /// All configured topics as they are now.
    Result<std::map<std::string, TopicState>> fresh(Duration timeout);
    /// As they were last seen.
    [[nodiscard]] std::map<std::string, TopicState> known() const;
    [[nodiscard]] std::optional<TopicState> known(const std::string& topic) const;
    [[nodiscard]] std::string cluster() const;
    [[nodiscard]] Link link() const;
    [[nodiscard]] bool connected() const;
    /// False: when it was last looked at, there was no such partition.
    [[nodiscard]] bool there(const Place& place) const;
    /// A connection failed: looks at once.
    void look_soon();
    /// Commits `offset` as a hint within a second or so.
    void hint(const Place& place, std::int64_t offset);
    void close();

  private:
    void run();
    void look();
    Status make_missing();
    void learn_settings();
    bool merge(const std::map<std::string, TopicFacts>& facts, std::uint64_t asked);
    void commit_hints();

    const KafkaBusOptions& options_;
    const Duration question_; ///< how long this thread waits for one answer, and so close() for it
    Probe& probe_;
    const std::function<void()> news_;
    std::vector<std::string> names_;
    std::atomic<std::uint64_t> asked_{0}; ///< questions for the topics so far

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, TopicState> topics_;
    std::string cluster_;
    Link link_;
    std::uint64_t merged_ = 0; ///< the newest question whose answer counts
    bool reached_ = false;     ///< once
    bool soon_ = false;
    bool closed_ = false;
    std::map<Place, std::int64_t> hints_;
    std::thread thread_;
};

} // namespace weir::events::kafka
