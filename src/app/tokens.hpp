#pragma once

#include <string>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/config/config.hpp>
#include <weir/config/tokens.hpp>

namespace weir::app {

/// The token that `weir dev` makes for whoever owns the data folder: DATA/token (0600), scope admin. One that
/// is there already is kept.
Result<config::Token> own_token(const std::string& data);

/// The tokens to begin with: those of the file, and with `makes_token` the data folder's own.
Result<std::vector<config::Token>> first_tokens(const config::Config& config, bool makes_token);

/// Tells when a file has become another one: inode, size or times differ.
class FileWatch {
  public:
    explicit FileWatch(std::string path = {}) : path_(std::move(path)) {}
    [[nodiscard]] const std::string& path() const { return path_; }
    /// True once for each change since the call before, and the first time. A file that is gone has not
    /// changed.
    bool changed();

  private:
    std::string path_;
    std::string seen_;
};

} // namespace weir::app
