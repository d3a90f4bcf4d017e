#pragma once

#include <string>

#include <weir/base/result.hpp>

namespace weir::events::nats {

/// The public key (U...) of the user seed (SU...) in a file, which the client library wants beside the file.
/// `invalid` if there is no such seed in it. Source of the form: nats-io/nkeys (base32 of prefix, Ed25519
/// seed, CRC-16).
Result<std::string> public_key_of_seed_file(const std::string& path);
Result<std::string> public_key_of_seed(const std::string& seed);

} // namespace weir::events::nats
