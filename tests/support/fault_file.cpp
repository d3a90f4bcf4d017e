#include "fault_disk.hpp"

#include <cstring>

namespace weir::support {

std::optional<DiskFault> FaultDisk::State::next(DiskOp op) {
    const auto index = static_cast<std::size_t>(op);
    ++counts[index];
    auto& order = orders[index];
    std::optional<DiskFault> fault;
    if (order.in > 1) {
        --order.in;
    } else if (order.in == 1) {
        fault = order.fault;
        if (!order.for_ever && --order.times == 0) order.in = 0;
    } else if (one_in != 0 && op != DiskOp::Read && chance.below(one_in) == 0) {
        fault = chance.half() ? DiskFault::Full : DiskFault::Error;
    }
    if (fault == DiskFault::Power) power_off = true;
    return fault;
}

namespace fault {

namespace {

Handle& of(sqlite3_file* file) {
    return *reinterpret_cast<File*>(file)->handle;
}

void unlock_to(Handle& h, int level) {
    auto& node = *h.node;
    if (h.lock <= level) return;
    if (level <= SQLITE_LOCK_SHARED) {
        for (auto* owner : {&node.reserved, &node.waiting, &node.exclusive})
            if (*owner == &h) *owner = nullptr;
    }
    if (level == SQLITE_LOCK_NONE && h.lock >= SQLITE_LOCK_SHARED) --node.shared;
    h.lock = level;
}

void release_shm(Handle& h) {
    auto& node = *h.node;
    for (int i = 0; i < shm_locks; ++i) {
        const auto slot = static_cast<std::size_t>(i);
        if ((h.shm_shared >> i & 1) != 0) --node.shm_shared[slot];
        if ((h.shm_exclusive >> i & 1) != 0) node.shm_exclusive[slot] = nullptr;
    }
    h.shm_shared = h.shm_exclusive = 0;
    if (!h.shm) return;
    h.shm = false;
    if (--node.shm_users == 0) node.regions.clear();
}

int file_close(sqlite3_file* file) {
    std::unique_ptr<Handle> handle(reinterpret_cast<File*>(file)->handle);
    const auto state = handle->state;
    std::lock_guard lock(state->mutex);
    unlock_to(*handle, SQLITE_LOCK_NONE);
    release_shm(*handle);
    if ((handle->flags & SQLITE_OPEN_DELETEONCLOSE) != 0 && !handle->dead()) state->files.erase(handle->name);
    return SQLITE_OK;
}

int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    if (h.dead() || h.state->next(DiskOp::Read)) return SQLITE_IOERR_READ;
    const auto& content = h.node->current;
    const auto at = static_cast<std::size_t>(offset), wanted = static_cast<std::size_t>(size);
    const std::size_t there = at < content.size() ? std::min(wanted, content.size() - at) : 0;
    if (there > 0) std::memcpy(out, content.data() + at, there);
    if (there == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(out) + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    auto& h = of(file);
    auto& state = *h.state;
    std::lock_guard lock(state.mutex);
    if (h.dead()) return SQLITE_IOERR_WRITE;
    if (h.read_only()) return SQLITE_READONLY;
    auto fault = state.next(DiskOp::Write);
    const auto end = static_cast<std::uint64_t>(offset) + static_cast<std::uint64_t>(size);
    if (!fault && state.capacity != UINT64_MAX && end > h.node->current.size() &&
        state.size() + end - h.node->current.size() > state.capacity)
        fault = DiskFault::Full;
    if (fault == DiskFault::Power) return SQLITE_IOERR_WRITE;
    auto kept = static_cast<std::size_t>(size);
    if (fault) kept = state.capacity != UINT64_MAX ? 0 : state.chance.below(kept + 1);
    if (kept > 0)
        h.node->write(
            {static_cast<std::uint64_t>(offset), std::string(static_cast<const char*>(data), kept), false});
    if (!fault) return SQLITE_OK;
    return fault == DiskFault::Full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    if (h.dead()) return SQLITE_IOERR_TRUNCATE;
    if (h.read_only()) return SQLITE_READONLY;
    if (h.state->next(DiskOp::Truncate)) return SQLITE_IOERR_TRUNCATE;
    h.node->write({static_cast<std::uint64_t>(size), {}, true});
    return SQLITE_OK;
}

int file_sync(sqlite3_file* file, int) {
    auto& h = of(file);
    auto& state = *h.state;
    std::lock_guard lock(state.mutex);
    if (h.dead()) return SQLITE_IOERR_FSYNC;
    if (const auto fault = state.next(DiskOp::Sync)) {
        if (*fault != DiskFault::Power) h.node->fail_sync();
        return SQLITE_IOERR_FSYNC;
    }
    h.node->sync();
    const auto it = state.files.find(h.name);
    if (it != state.files.end() && it->second == h.node) state.durable[h.name] = h.node;
    return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    if (h.dead()) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(h.node->current.size());
    return SQLITE_OK;
}

int file_lock(sqlite3_file* file, int level) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    if (h.dead()) return SQLITE_IOERR_LOCK;
    auto& node = *h.node;
    const auto others = [&](const void* owner) { return owner != nullptr && owner != &h; };
    if (h.lock >= level) return SQLITE_OK;
    if (h.lock == SQLITE_LOCK_NONE) {
        if (others(node.waiting) || others(node.exclusive)) return SQLITE_BUSY;
        ++node.shared;
        h.lock = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_SHARED) return SQLITE_OK;
    if (others(node.reserved) || others(node.waiting)) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_RESERVED) {
        node.reserved = &h;
        h.lock = SQLITE_LOCK_RESERVED;
        return SQLITE_OK;
    }
    node.waiting = &h;
    h.lock = SQLITE_LOCK_PENDING;
    if (node.shared > 1) return SQLITE_BUSY;
    node.exclusive = &h;
    h.lock = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
}

int file_unlock(sqlite3_file* file, int level) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    unlock_to(h, level);
    return SQLITE_OK;
}

int file_check_reserved(sqlite3_file* file, int* out) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    if (h.dead()) return SQLITE_IOERR_CHECKRESERVEDLOCK;
    *out = h.node->reserved != nullptr || h.node->waiting != nullptr ? 1 : 0;
    return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) {
    return SQLITE_NOTFOUND;
}
int file_sector_size(sqlite3_file*) {
    return 4096;
}
int file_characteristics(sqlite3_file*) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    *out = nullptr;
    if (h.dead()) return SQLITE_IOERR_SHMMAP;
    auto& node = *h.node;
    if (!h.shm) {
        h.shm = true;
        ++node.shm_users;
    }
    const auto index = static_cast<std::size_t>(region);
    if (index >= node.regions.size()) {
        if (extend == 0) return SQLITE_OK;
        while (node.regions.size() <= index)
            node.regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    }
    *out = node.regions[index].get();
    return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int offset, int n, int flags) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    auto& node = *h.node;
    if ((flags & SQLITE_SHM_LOCK) != 0 && h.dead()) return SQLITE_IOERR_SHMLOCK;
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    if ((flags & SQLITE_SHM_LOCK) != 0) {
        for (int i = offset; i < offset + n; ++i) {
            const auto slot = static_cast<std::size_t>(i);
            const auto* owner = node.shm_exclusive[slot];
            if (owner != nullptr && owner != &h) return SQLITE_BUSY;
            const int own = (h.shm_shared >> i & 1) != 0 ? 1 : 0;
            if (exclusive && node.shm_shared[slot] - own > 0) return SQLITE_BUSY;
        }
    }
    for (int i = offset; i < offset + n; ++i) {
        const auto slot = static_cast<std::size_t>(i);
        const unsigned bit = 1u << i;
        auto& mine = exclusive ? h.shm_exclusive : h.shm_shared;
        if ((flags & SQLITE_SHM_LOCK) != 0) {
            if ((mine & bit) == 0 && !exclusive) ++node.shm_shared[slot];
            if (exclusive) node.shm_exclusive[slot] = &h;
            mine |= bit;
        } else if ((mine & bit) != 0) {
            if (exclusive)
                node.shm_exclusive[slot] = nullptr;
            else
                --node.shm_shared[slot];
            mine &= ~bit;
        }
    }
    return SQLITE_OK;
}

void shm_barrier(sqlite3_file* file) {
    // Taking the lock orders memory between threads as the interface asks.
    std::lock_guard lock(of(file).state->mutex);
}

int shm_unmap(sqlite3_file* file, int) {
    auto& h = of(file);
    std::lock_guard lock(h.state->mutex);
    release_shm(h);
    return SQLITE_OK;
}

} // namespace

const sqlite3_io_methods file_methods = {
    2,
    file_close,
    file_read,
    file_write,
    file_truncate,
    file_sync,
    file_size,
    file_lock,
    file_unlock,
    file_check_reserved,
    file_control,
    file_sector_size,
    file_characteristics,
    shm_map,
    shm_lock,
    shm_barrier,
    shm_unmap,
    nullptr,
    nullptr,
};

} // namespace fault

} // namespace weir::support
