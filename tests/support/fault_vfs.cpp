#include <support/fault_vfs.hpp>

#include <cstdio>
#include <cstdlib>

#include "fault_disk.hpp"

namespace weir::support {

using namespace fault;

namespace {

/// The VFS keeps the disk's state by a weak pointer: disks may go while SQLite still knows the VFS.
std::shared_ptr<State> disk_of(sqlite3_vfs* vfs) {
    return static_cast<std::weak_ptr<State>*>(vfs->pAppData)->lock();
}

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    file->pMethods = nullptr;
    const auto state = disk_of(vfs);
    if (!state) return SQLITE_CANTOPEN;
    std::lock_guard lock(state->mutex);
    if (state->power_off) return SQLITE_CANTOPEN;
    auto handle = std::make_unique<Handle>();
    handle->state = state;
    handle->generation = state->generation;
    handle->flags = flags;
    if (name == nullptr) {
        handle->node = std::make_shared<Node>();
    } else {
        handle->name = name;
        const auto it = state->files.find(name);
        if (state->read_only && (flags & SQLITE_OPEN_READWRITE) != 0)
            handle->flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
        if (it == state->files.end()) {
            if ((handle->flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
            handle->node = state->files.emplace(name, std::make_shared<Node>()).first->second;
        } else {
            handle->node = it->second;
        }
    }
    if (out_flags != nullptr) *out_flags = handle->flags;
    reinterpret_cast<File*>(file)->handle = handle.release();
    file->pMethods = &file_methods;
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    const auto state = disk_of(vfs);
    if (!state) return SQLITE_IOERR_DELETE;
    std::lock_guard lock(state->mutex);
    if (state->power_off || state->read_only) return SQLITE_IOERR_DELETE;
    if (state->files.erase(name) == 0) return SQLITE_IOERR_DELETE_NOENT;
    if (sync_folder != 0) state->durable.erase(name);
    return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
    const auto state = disk_of(vfs);
    if (!state) return SQLITE_IOERR_ACCESS;
    std::lock_guard lock(state->mutex);
    if (state->power_off) return SQLITE_IOERR_ACCESS;
    const auto it = state->files.find(name);
    *out = it != state->files.end() ? 1 : 0;
    // An empty file counts as none, as with SQLite's own VFS: a journal that was never begun.
    if (flags == SQLITE_ACCESS_EXISTS && *out == 1 && it->second->current.empty()) *out = 0;
    if (flags == SQLITE_ACCESS_READWRITE && state->read_only) *out = 0;
    return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs* vfs, int size, char* out) {
    const auto state = disk_of(vfs);
    if (!state) return 0;
    std::lock_guard lock(state->mutex);
    for (int i = 0; i < size; ++i)
        out[i] = static_cast<char>(state->chance.next());
    return size;
}

int vfs_sleep(sqlite3_vfs*, int microseconds) {
    return microseconds;
}

int vfs_time64(sqlite3_vfs*, sqlite3_int64* out) {
    *out = 210'866'760'000'000 + 1'748'736'000'000; // Julian day in milliseconds
    return SQLITE_OK;
}

int vfs_time(sqlite3_vfs*, double* out) {
    *out = (210'866'760'000'000 + 1'748'736'000'000) / 86'400'000.0;
    return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs*, int, char*) {
    return 0;
}

[[noreturn]] void misused(const char* what) {
    std::fprintf(stderr, "fault_vfs: %s\n", what);
    std::abort();
}

} // namespace

FaultDisk::FaultDisk(std::string name, std::uint64_t seed) : state_(std::make_shared<State>()) {
    if (sqlite3_vfs_find(name.c_str()) != nullptr) misused("a VFS of this name is registered already");
    state_->name = std::move(name);
    state_->chance.state = seed;
    auto& vfs = state_->vfs;
    vfs.iVersion = 2;
    vfs.szOsFile = sizeof(File);
    vfs.mxPathname = 512;
    vfs.zName = state_->name.c_str();
    vfs.pAppData = new std::weak_ptr<State>(state_);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full_path;
    vfs.xRandomness = vfs_randomness;
    vfs.xSleep = vfs_sleep;
    vfs.xCurrentTime = vfs_time;
    vfs.xGetLastError = vfs_last_error;
    vfs.xCurrentTimeInt64 = vfs_time64;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) misused("SQLite did not take the VFS");
}

FaultDisk::~FaultDisk() {
    sqlite3_vfs_unregister(&state_->vfs);
    delete static_cast<std::weak_ptr<State>*>(state_->vfs.pAppData);
}

const std::string& FaultDisk::name() const {
    return state_->name;
}

void FaultDisk::fail(DiskOp op, std::uint64_t n, DiskFault fault, std::uint64_t times) {
    std::lock_guard lock(state_->mutex);
    state_->orders[static_cast<std::size_t>(op)] = {std::max<std::uint64_t>(n, 1), times, times == 0, fault};
}

void FaultDisk::fail_at_random(std::uint64_t one_in) {
    std::lock_guard lock(state_->mutex);
    state_->one_in = one_in;
}

void FaultDisk::heal() {
    std::lock_guard lock(state_->mutex);
    state_->orders = {};
    state_->one_in = 0;
    state_->capacity = UINT64_MAX;
}

void FaultDisk::set_capacity(std::uint64_t bytes) {
    std::lock_guard lock(state_->mutex);
    state_->capacity = bytes;
}

void FaultDisk::set_read_only(bool read_only) {
    std::lock_guard lock(state_->mutex);
    state_->read_only = read_only;
}

void FaultDisk::power_loss(PowerLoss how, std::uint64_t seed) {
    std::lock_guard lock(state_->mutex);
    auto& state = *state_;
    Chance chance{seed};
    Files left;
    const auto keep = [&](const std::string& name, const Node& node) {
        auto fresh = std::make_shared<Node>();
        fresh->current = fresh->durable = node.after_loss(how, chance);
        left[name] = std::move(fresh);
    };
    for (const auto& [name, node] : state.durable) {
        const auto seen = state.files.find(name);
        const bool same = seen != state.files.end() && seen->second == node;
        // Removed, and the folder not synced: it may be there again.
        if (same || how == PowerLoss::DropAll || chance.half()) keep(name, *node);
    }
    for (const auto& [name, node] : state.files) {
        const auto known = state.durable.find(name);
        if (known != state.durable.end() && known->second == node) continue;
        // Created and never synced.
        if (how != PowerLoss::DropAll && chance.half()) keep(name, *node);
    }
    state.files = left;
    state.durable = std::move(left);
    ++state.generation;
    state.power_off = false;
}

void FaultDisk::kill() {
    std::lock_guard lock(state_->mutex);
    auto& state = *state_;
    // New nodes with the same bytes: the old ones stay with the dead files, locks and all.
    std::map<const Node*, std::shared_ptr<Node>> heirs;
    for (auto* names : {&state.files, &state.durable}) {
        for (auto& [name, node] : *names) {
            auto& heir = heirs[node.get()];
            if (!heir) {
                heir = std::make_shared<Node>();
                heir->current = node->current;
                heir->durable = node->durable;
                heir->pending = node->pending;
                heir->limbo = node->limbo;
            }
        }
    }
    for (auto* names : {&state.files, &state.durable})
        for (auto& [name, node] : *names)
            node = heirs[node.get()];
    ++state.generation;
}

bool FaultDisk::power_is_off() const {
    std::lock_guard lock(state_->mutex);
    return state_->power_off;
}

std::uint64_t FaultDisk::count(DiskOp op) const {
    std::lock_guard lock(state_->mutex);
    return state_->counts[static_cast<std::size_t>(op)];
}

std::uint64_t FaultDisk::size() const {
    std::lock_guard lock(state_->mutex);
    return state_->size();
}

std::vector<std::string> FaultDisk::files() const {
    std::lock_guard lock(state_->mutex);
    std::vector<std::string> names;
    for (const auto& [name, node] : state_->files)
        names.push_back(name);
    return names;
}

std::string FaultDisk::read_file(std::string_view file) const {
    std::lock_guard lock(state_->mutex);
    const auto it = state_->files.find(file);
    return it == state_->files.end() ? std::string() : it->second->current;
}

void FaultDisk::write_file(std::string_view file, std::string_view bytes) {
    std::lock_guard lock(state_->mutex);
    auto node = std::make_shared<Node>();
    node->current = node->durable = std::string(bytes);
    state_->files[std::string(file)] = node;
    state_->durable[std::string(file)] = node;
}

void FaultDisk::remove_file(std::string_view file) {
    std::lock_guard lock(state_->mutex);
    for (auto* files : {&state_->files, &state_->durable})
        if (const auto it = files->find(file); it != files->end()) files->erase(it);
}

void FaultDisk::copy_from(const FaultDisk& other) {
    if (other.state_ == state_) return;
    std::scoped_lock lock(state_->mutex, other.state_->mutex);
    state_->files.clear();
    for (const auto& [name, node] : other.state_->files) {
        auto copy = std::make_shared<Node>();
        copy->current = copy->durable = node->current;
        state_->files[name] = std::move(copy);
    }
    state_->durable = state_->files;
    ++state_->generation;
    state_->power_off = false;
}

} // namespace weir::support
