#include "faulty_vfs.hpp"

#include <new>

#include <sqlite3.h>

namespace weir::tests {
namespace {

FaultyVfs::Fault fault = FaultyVfs::Fault::None;
int calls_left = 0;
sqlite3_vfs vfs;

struct File {
    sqlite3_file base;
    sqlite3_file* real;
};

sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<File*>(file)->real;
}

bool fails(bool writing) {
    if (fault == FaultyVfs::Fault::None || (fault == FaultyVfs::Fault::SyncError) == writing) return false;
    if (calls_left > 0) {
        --calls_left;
        return false;
    }
    return true;
}

int close(sqlite3_file* f) {
    return real(f)->pMethods != nullptr ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
}
int read(sqlite3_file* f, void* to, int size, sqlite3_int64 at) {
    return real(f)->pMethods->xRead(real(f), to, size, at);
}
int write(sqlite3_file* f, const void* from, int size, sqlite3_int64 at) {
    if (fails(true)) {
        if (fault == FaultyVfs::Fault::ShortWrite && size > 1)
            real(f)->pMethods->xWrite(real(f), from, size / 2, at);
        return fault == FaultyVfs::Fault::WriteError ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    }
    return real(f)->pMethods->xWrite(real(f), from, size, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
    return real(f)->pMethods->xTruncate(real(f), size);
}
int sync(sqlite3_file* f, int flags) {
    return fails(false) ? SQLITE_IOERR_FSYNC : real(f)->pMethods->xSync(real(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
    return real(f)->pMethods->xFileSize(real(f), size);
}
int lock(sqlite3_file* f, int level) {
    return real(f)->pMethods->xLock(real(f), level);
}
int unlock(sqlite3_file* f, int level) {
    return real(f)->pMethods->xUnlock(real(f), level);
}
int check_lock(sqlite3_file* f, int* out) {
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int control(sqlite3_file* f, int what, void* arg) {
    return real(f)->pMethods->xFileControl(real(f), what, arg);
}
int sector(sqlite3_file* f) {
    return real(f)->pMethods->xSectorSize(real(f));
}
int device(sqlite3_file* f) {
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) {
    real(f)->pMethods->xShmBarrier(real(f));
}
int shm_unmap(sqlite3_file* f, int remove) {
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

const sqlite3_io_methods methods{2,        close,       read,       write,   truncate, sync,   file_size,
                                 lock,     unlock,      check_lock, control, sector,   device, shm_map,
                                 shm_lock, shm_barrier, shm_unmap,  nullptr, nullptr};

int open(sqlite3_vfs* self, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    auto* parent = static_cast<sqlite3_vfs*>(self->pAppData);
    auto* mine = reinterpret_cast<File*>(file);
    mine->real = reinterpret_cast<sqlite3_file*>(mine + 1);
    mine->base.pMethods = &methods;
    const int code = parent->xOpen(parent, name, mine->real, flags, out_flags);
    if (code != SQLITE_OK) mine->base.pMethods = nullptr;
    return code;
}

} // namespace

FaultyVfs::FaultyVfs() {
    auto* parent = sqlite3_vfs_find(nullptr);
    vfs = *parent;
    vfs.zName = name_.c_str();
    vfs.pAppData = parent;
    vfs.szOsFile = static_cast<int>(sizeof(File)) + parent->szOsFile;
    vfs.xOpen = open;
    sqlite3_vfs_register(&vfs, 0);
    set(Fault::None);
}

FaultyVfs::~FaultyVfs() {
    sqlite3_vfs_unregister(&vfs);
}

void FaultyVfs::set(Fault next, int after) {
    fault = next;
    calls_left = after;
}

} // namespace weir::tests
