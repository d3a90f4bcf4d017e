#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>

#include "database.hpp"
#include "landed_file.hpp"

namespace weir::events::folder {

using SeenFile = std::pair<std::string, Fingerprint>;

/// Which files were published (or were there first and ignored), kept while they exist. A small SQLite file.
/// Thread: one at a time. Errors: `unavailable`: nothing was changed, try again.
class SeenTable {
  public:
    /// A table made for another folder is emptied.
    static Result<SeenTable> open(const std::string& path, const std::string& folder);

    /// False until initialise(): the folder was never seen.
    [[nodiscard]] bool initialised() const { return initialised_; }
    /// Notes these files and that the folder has been seen, at once.
    Status initialise(std::span<const SeenFile> files);
    Result<std::optional<Fingerprint>> find(std::string_view name);
    Status record(std::span<const SeenFile> files);
    Status forget(std::span<const std::string> names);
    /// Names for which `gone` says yes are forgotten.
    Status sweep(const std::function<bool(std::string_view)>& gone);
    void close();

  private:
    Status start_for(const std::string& folder);
    Status write(std::span<const SeenFile> files);
    Status in_transaction(const std::function<Status()>& work);

    sqlite::FileLock lock_;
    sqlite::Database database_;
    sqlite::Statement find_, put_, remove_, all_;
    bool initialised_ = false;
};

} // namespace weir::events::folder
