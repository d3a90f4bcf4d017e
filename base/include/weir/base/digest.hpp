#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

/// A SHA-256 value.
using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 of the bytes (FIPS 180-4). Thread-safe.
Digest sha256(std::string_view bytes);
/// HMAC-SHA-256 (RFC 2104). Thread-safe.
Digest hmac_sha256(std::string_view key, std::string_view bytes);
/// Lower-case hexadecimal.
std::string to_hex(const Digest& digest);
/// The first 8 bytes as a big-endian number: a short, stable hash for indexes.
std::uint64_t leading_bits(const Digest& digest) noexcept;

/// Appends a length (8 bytes, little endian) and the field, so that no two field lists give the same bytes.
void append_field(std::string& out, std::string_view field);
void append_field(std::string& out, std::int64_t number);

/// `n` bytes from the operating system's generator. The only source of chance outside of tests.
std::string random_bytes(std::size_t n);

} // namespace weir
