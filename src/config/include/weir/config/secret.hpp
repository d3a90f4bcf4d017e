#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <weir/base/result.hpp>
#include <weir/base/text.hpp>

namespace weir::config {

/// Where a secret is, never the secret itself: `{env: NAME}` or `{file: PATH}`.
struct Secret {
    std::string env;  ///< name of an environment variable
    std::string file; ///< path of a file that its owner alone may read
    Place place;      ///< where the configuration says so

    [[nodiscard]] bool given() const { return !env.empty() || !file.empty(); }
    bool operator==(const Secret& other) const { return env == other.env && file == other.file; }
};

/// Documented limit of a secret.
inline constexpr std::size_t secret_bytes_max = 64 * 1024;

/// The secret's text. A file's trailing line break is cut. Errors name the place in the configuration, the
/// variable or the file, and never what stood in them: `not_found` (no such variable or file), `denied` (a
/// file that others than its owner may read or write, or that cannot be read), `invalid` (empty, NUL inside),
/// `exhausted` (over secret_bytes_max). Thread: not while another one changes the environment.
Result<std::string> read_secret(const Secret& secret);

/// Who besides its owner may look into a file.
enum class Privacy : std::uint8_t {
    Owner,       ///< nobody: modes 0600, 0400
    OthersRead,  ///< others may read, but not write
    OthersWrite, ///< others may write
};

/// A regular file whole, with how private it is. Errors: `not_found`, `denied`, `invalid` (a folder, a
/// device), `exhausted` past `bytes_max`.
struct PrivateFile {
    std::string text;
    Privacy privacy = Privacy::Owner;
};
Result<PrivateFile> read_private_file(const std::string& path, std::size_t bytes_max);

} // namespace weir::config
