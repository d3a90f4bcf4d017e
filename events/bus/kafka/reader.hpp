#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "probe.hpp"

namespace weir::events::kafka {

/// Why a partition is not read on. What it means is found out by asking the brokers.
struct Fault {
    enum class Kind { None, Range, Gone, Damaged, Denied } kind = Kind::None;
    std::int64_t offset = 0; ///< Damaged: where
    std::string reason;
};

/// What was there for one partition.
struct Taken {
    bool begun = false; ///< false: this partition is not being read behind the place asked for; call begin()
    std::vector<Record> records;
    std::int64_t upto = 0;    ///< as Reading::upto
    bool interrupted = false; ///< as Reading::interrupted
    Fault fault;              ///< only if there is nothing else
};

/// Reads all partitions over one handle, by a thread of its own: the only one that calls into it. Each
/// partition is fetched into a queue of its own, so that beginning anew at one disturbs no other. Nothing is
/// assigned by a group. Thread: take() and begin() from any thread, one at a time per partition. Limits:
/// `records_max` records and `bytes_max` bytes wait in all; once they do, each partition that has its share
/// of
///         them stops being fetched until half of it was taken, so the most is twice that. What the library
///         fetched and did not hand over yet comes on top: one answer of a broker, as a rule.
class Reader {
  public:
    static constexpr std::size_t records_max = 50'000;
    static constexpr std::size_t bytes_max = std::size_t{32} * 1024 * 1024;

    /// `news` is called on the reader's thread when something came for a partition that had nothing.
    static Result<std::unique_ptr<Reader>> make(const KafkaBusOptions& options, std::function<void()> news);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    [[nodiscard]] const std::shared_ptr<Signals>& signals() const { return signals_; }

    /// What came behind position `after`, at most so much. Goes on where the last one ended.
    Taken take(const Place& place, std::int64_t after, std::size_t records, std::size_t bytes);
    /// Begins anew behind `after`, whose place was checked when Signals::epoch() was `epoch`. The first that
    /// comes on a later connection is marked as interrupted; `interrupted`: in any case.
    void begin(const Place& place, std::int64_t after, std::uint64_t epoch, bool interrupted);
    void close();

  private:
    struct Item {
        Record record;
        std::int64_t upto = 0;
        std::size_t bytes = 0;
        bool interrupted = false;
    };
    struct Part;

    Reader(std::shared_ptr<Signals> signals, Handle handle, std::function<void()> news);
    static void on_ready(rd_kafka_t* handle, void* part);
    void run();
    bool serve(Part& part);
    bool drain(Part& part);
    bool pass_on(Part& part, rd_kafka_message_t** messages, std::size_t count);
    bool item_of(Part& part, Record record, Item& item);
    bool full(const Part& part) const;
    void start(Part& part, std::int64_t offset);
    void stop(Part& part);
    void wake();

    const std::shared_ptr<Signals> signals_;
    const Handle handle_;
    const std::function<void()> news_;

    std::mutex mutex_; ///< over what follows, and over Part's shared half
    std::map<Place, std::shared_ptr<Part>> parts_;
    std::size_t records_ = 0, bytes_ = 0; ///< waiting, of all partitions
    bool closed_ = false;

    std::mutex wake_mutex_; ///< taken by the library's threads: nothing of the library is called under it
    std::condition_variable woken_;
    bool wanted_ = true;
    std::thread thread_;
};

} // namespace weir::events::kafka
