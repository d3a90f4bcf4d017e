#include "nkey.hpp"

#include <cstdint>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace weir::events::nats {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr unsigned seed_prefix = 18U << 3, user_prefix = 20U << 3;

/// Base32 without padding (RFC 4648, section 6); empty if a character is no digit of it.
std::string from_base32(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) return {};
        bits = (bits << 5 | static_cast<std::uint32_t>(digit)) & 0xfff;
        count += 5;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 0xff);
    }
    return out;
}

std::string to_base32(std::string_view bytes) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : bytes) {
        bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xffff;
        count += 8;
        for (; count >= 5; count -= 5)
            out += alphabet[bits >> (count - 5) & 31];
    }
    if (count > 0) out += alphabet[bits << (5 - count) & 31];
    return out;
}

/// CRC-16/XMODEM.
std::uint16_t crc16(std::string_view bytes) {
    std::uint16_t crc = 0;
    for (const char c : bytes) {
        crc = static_cast<std::uint16_t>(crc ^ static_cast<unsigned char>(c) << 8);
        for (int i = 0; i < 8; ++i)
            crc = static_cast<std::uint16_t>(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

std::string with_crc(std::string bytes) {
    const auto crc = crc16(bytes);
    bytes += static_cast<char>(crc & 0xff);
    bytes += static_cast<char>(crc >> 8);
    return bytes;
}

/// A text that leaves no copy behind in freed memory.
struct Secret {
    std::string text;
    ~Secret() { OPENSSL_cleanse(text.data(), text.size()); }
};

} // namespace

Result<std::string> public_key_of_seed(const std::string& seed) {
    const Secret raw{from_base32(seed)};
    const auto& bytes = raw.text;
    const Error wrong = invalid("it is no user seed of an nkey (SU...)");
    if (bytes.size() != 36 || with_crc(bytes.substr(0, 34)) != bytes) return wrong;
    const auto first = static_cast<unsigned char>(bytes[0]), second = static_cast<unsigned char>(bytes[1]);
    if ((first & 0xf8U) != seed_prefix || ((first & 7U) << 5 | second >> 3) != user_prefix) return wrong;
    const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                     reinterpret_cast<const unsigned char*>(bytes.data() + 2), 32),
        EVP_PKEY_free);
    unsigned char out[32];
    std::size_t size = sizeof out;
    if (!key || EVP_PKEY_get_raw_public_key(key.get(), out, &size) != 1 || size != sizeof out)
        return internal("the cryptography library made no public key of an nkey seed");
    std::string encoded(1, static_cast<char>(user_prefix));
    encoded.append(reinterpret_cast<const char*>(out), size);
    return to_base32(with_crc(std::move(encoded)));
}

Result<std::string> public_key_of_seed_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return invalid("the nkey seed file \"" + path + "\" cannot be read");
    Secret all;
    char buffer[4096];
    in.read(buffer, sizeof buffer);
    all.text.assign(buffer, static_cast<std::size_t>(in.gcount()));
    OPENSSL_cleanse(buffer, sizeof buffer);
    // A seed may stand alone or between the lines that the nk tool decorates it with.
    const auto begin = all.text.find("SU");
    if (begin == std::string::npos)
        return invalid("the file \"" + path + "\" holds no user seed of an nkey (SU...)");
    Secret seed{all.text.substr(begin, all.text.find_first_not_of(alphabet, begin) - begin)};
    auto key = public_key_of_seed(seed.text);
    if (!key.ok()) return key.error().in("the nkey seed file \"" + path + "\"");
    return key;
}

} // namespace weir::events::nats
