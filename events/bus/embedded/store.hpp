#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/result.hpp>
#include <weir/events/embedded_bus.hpp>

#include "database.hpp"

// The embedded bus's file. Private to it.
namespace weir::events::embedded {

/// Where a stream begins and ends in the file.
struct Extent {
    std::int64_t first = 1; ///< head + 1 if it is empty
    std::int64_t head = 0;
    Instant time{}; ///< of head
};

/// What retention may and should drop.
struct CutQuery {
    std::int64_t first = 1; ///< oldest position there is
    std::int64_t last = 0;  ///< newest one that may be dropped
    std::int64_t head = 0;
    Instant older_than{};       ///< those are to be dropped
    std::int64_t bytes_max = 0; ///< and the oldest while used pages exceed this; 0: no limit
};
struct Cut {
    std::int64_t first_kept = 1;
    bool more = false; ///< there is more to drop than one step takes
};

/// Two connections: one that writes, one that reads meanwhile.
/// Thread: begin() to drop_before(), look() and find_cut() from one thread at a time; read() from any.
class Store {
  public:
    static Result<Store> open(const std::string& path, const EmbeddedBusOptions& options);

    /// As found at opening.
    [[nodiscard]] const Extent& opened() const { return opened_; }
    [[nodiscard]] const std::string& incarnation() const { return incarnation_; }

    Status begin();
    Status append(std::int64_t position, Instant time, std::string_view bytes);
    Status commit();
    void roll_back();
    Result<Extent> look();
    Result<Cut> find_cut(const CutQuery& query);
    Status drop_before(std::int64_t first_kept);

    /// Events after `after` up to `head`, at least one if there is any. `corrupt` if one is missing or
    /// damaged.
    Result<std::vector<Arrival>> read(std::int64_t after, std::int64_t head, std::size_t events_max,
                                      std::size_t bytes_max);
    void close();

  private:
    struct Parts;
    struct Closer {
        void operator()(Parts* parts) const;
    };
    std::unique_ptr<Parts, Closer> parts_;
    Extent opened_;
    std::string incarnation_;
};

} // namespace weir::events::embedded
