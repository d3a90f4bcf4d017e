#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "sqlite/file.hpp"

namespace weir::ledger::sqlite {

namespace {

// SQLite never writes more than a page at a time, and its own VFS for Unix takes only the lower 17 bits of a
// length: a larger write is cut short and reported as a full disk.
constexpr std::int64_t chunk_bytes = 64 * 1024;

/// A file opened through a VFS as SQLite itself would.
class VfsFile {
  public:
    VfsFile(sqlite3_vfs& vfs, const char* name)
        : memory_(static_cast<std::size_t>(vfs.szOsFile) / sizeof(std::max_align_t) + 1),
          file_(reinterpret_cast<sqlite3_file*>(memory_.data())) {
        code_ = vfs.xOpen(&vfs, name, file_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, nullptr);
    }
    ~VfsFile() {
        if (file_->pMethods != nullptr) file_->pMethods->xClose(file_);
    }
    VfsFile(const VfsFile&) = delete;
    VfsFile& operator=(const VfsFile&) = delete;

    [[nodiscard]] int code() const { return code_; }
    /// An SQLite result code.
    int rewrite(std::int64_t& size) {
        sqlite3_int64 bytes = 0;
        int code = file_->pMethods->xFileSize(file_, &bytes);
        size = bytes;
        std::vector<char> chunk(static_cast<std::size_t>(std::min<std::int64_t>(size, chunk_bytes)));
        for (std::int64_t at = 0; at < size && code == SQLITE_OK; at += chunk_bytes) {
            const int length = static_cast<int>(std::min<std::int64_t>(size - at, chunk_bytes));
            code = file_->pMethods->xRead(file_, chunk.data(), length, at);
            if (code == SQLITE_OK) code = file_->pMethods->xWrite(file_, chunk.data(), length, at);
        }
        if (code == SQLITE_OK && size > 0) code = file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL);
        return code;
    }

  private:
    std::vector<std::max_align_t> memory_;
    sqlite3_file* file_;
    int code_ = SQLITE_OK;
};

} // namespace

Result<std::int64_t> secure_log(const std::string& path, const std::string& vfs_name) {
    auto* vfs = sqlite3_vfs_find(vfs_name.empty() ? nullptr : vfs_name.c_str());
    if (vfs == nullptr) return not_found("there is no SQLite VFS " + vfs_name);
    std::vector<char> full(static_cast<std::size_t>(vfs->mxPathname) + 1);
    if (vfs->xFullPathname(vfs, path.c_str(), vfs->mxPathname, full.data()) != SQLITE_OK)
        return unavailable("ledger " + path + ": its full path cannot be found");
    const std::string log = std::string(full.data()) + "-wal";
    int there = 0;
    if (vfs->xAccess(vfs, log.c_str(), SQLITE_ACCESS_EXISTS, &there) != SQLITE_OK || there == 0)
        return std::int64_t{0};
    // A VFS may look for parameters behind the name.
    const std::unique_ptr<const char, void (*)(const char*)> name(
        sqlite3_create_filename(log.c_str(), "", "", 0, nullptr), sqlite3_free_filename);
    if (!name) return unavailable("out of memory");
    VfsFile file(*vfs, name.get());
    // What cannot be opened for writing is refused with a better sentence right after.
    if (file.code() != SQLITE_OK) return std::int64_t{0};
    std::int64_t size = 0;
    const int code = file.rewrite(size);
    if (code != SQLITE_OK) return error_of(code, sqlite3_errstr(code), path);
    return size;
}

} // namespace weir::ledger::sqlite
