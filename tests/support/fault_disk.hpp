#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sqlite3.h>

#include <support/fault_vfs.hpp>

/// What a FaultDisk is made of; for its own files only.
namespace weir::support {

namespace fault {

inline constexpr std::size_t sector_bytes = 512;
inline constexpr int shm_locks = SQLITE_SHM_NLOCK;

/// SplitMix64: enough chance for a test, the same everywhere.
struct Chance {
    std::uint64_t state = 1;
    std::uint64_t next() {
        std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    bool half() { return (next() & 1) != 0; }
    std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
};

/// A write, or (without bytes) a truncation to `offset`.
struct Change {
    std::uint64_t offset = 0;
    std::string bytes;
    bool truncates = false;
};

inline void apply_change(std::string& content, const Change& change) {
    if (change.truncates) {
        content.resize(change.offset);
        return;
    }
    if (content.size() < change.offset + change.bytes.size())
        content.resize(change.offset + change.bytes.size());
    content.replace(change.offset, change.bytes.size(), change.bytes);
}

inline void apply_sectors(std::string& content, const Change& change, Chance& chance) {
    std::size_t at = 0;
    while (at < change.bytes.size()) {
        const std::size_t to_edge = sector_bytes - (change.offset + at) % sector_bytes;
        const std::size_t size = std::min(to_edge, change.bytes.size() - at);
        if (chance.half()) apply_change(content, {change.offset + at, change.bytes.substr(at, size), false});
        at += size;
    }
}

/// A file, whatever its name is.
struct Node {
    std::string current;
    std::string durable;
    std::vector<Change> pending; ///< since the last sync
    std::vector<Change> limbo;   ///< of failed syncs: durable by chance only

    int shared = 0;
    const void* reserved = nullptr;
    const void* waiting = nullptr; ///< PENDING
    const void* exclusive = nullptr;

    std::vector<std::unique_ptr<char[]>> regions;
    int shm_users = 0;
    std::array<int, shm_locks> shm_shared{};
    std::array<const void*, shm_locks> shm_exclusive{};

    void write(Change change) {
        apply_change(current, change);
        pending.push_back(std::move(change));
    }
    void sync() {
        // A sync settles the file's size: a truncation that an earlier one lost cannot come back.
        std::erase_if(limbo, [](const Change& lost) { return lost.truncates; });
        for (auto& change : pending) {
            std::erase_if(limbo, [&](const Change& lost) {
                if (change.truncates) return lost.offset >= change.offset;
                return lost.offset < change.offset + change.bytes.size() &&
                       change.offset < lost.offset + lost.bytes.size();
            });
            apply_change(durable, change);
        }
        pending.clear();
    }
    void fail_sync() {
        limbo.insert(limbo.end(), pending.begin(), pending.end());
        pending.clear();
    }
    [[nodiscard]] std::string after_loss(PowerLoss how, Chance& chance) const {
        std::string content = durable;
        if (how == PowerLoss::DropAll) return content;
        for (const auto* list : {&limbo, &pending}) {
            for (const auto& change : *list) {
                if (how == PowerLoss::Torn && !change.truncates)
                    apply_sectors(content, change, chance);
                else if (chance.half())
                    apply_change(content, change);
            }
        }
        return content;
    }
};

using Files = std::map<std::string, std::shared_ptr<Node>, std::less<>>;

struct Order {
    std::uint64_t in = 0; ///< operations still to go; 0: none ordered
    std::uint64_t times = 0;
    bool for_ever = false;
    DiskFault fault = DiskFault::Error;
};

} // namespace fault

struct FaultDisk::State {
    std::mutex mutex;
    std::string name;
    sqlite3_vfs vfs{};
    fault::Chance chance;
    fault::Files files;   ///< as seen
    fault::Files durable; ///< names that survive
    std::uint64_t generation = 0;
    bool power_off = false;
    bool read_only = false;
    std::uint64_t capacity = UINT64_MAX;
    std::uint64_t one_in = 0;
    std::array<fault::Order, 4> orders{};
    std::array<std::uint64_t, 4> counts{};

    /// Counts an operation; the fault it is to have, if any.
    std::optional<DiskFault> next(DiskOp op);
    [[nodiscard]] std::uint64_t size() const {
        std::uint64_t sum = 0;
        for (const auto& [file, node] : files)
            sum += node->current.size();
        return sum;
    }
};

namespace fault {

using State = FaultDisk::State;

/// What one open file of SQLite is.
struct Handle {
    std::shared_ptr<State> state;
    std::shared_ptr<Node> node;
    std::string name;
    std::uint64_t generation = 0;
    int flags = 0;
    int lock = SQLITE_LOCK_NONE;
    bool shm = false;
    unsigned shm_shared = 0;
    unsigned shm_exclusive = 0;

    [[nodiscard]] bool dead() const { return state->power_off || generation != state->generation; }
    [[nodiscard]] bool read_only() const { return (flags & SQLITE_OPEN_READONLY) != 0; }
};

struct File {
    sqlite3_file base;
    Handle* handle;
};

/// What SQLite calls for an open file.
extern const sqlite3_io_methods file_methods;

} // namespace fault

} // namespace weir::support
