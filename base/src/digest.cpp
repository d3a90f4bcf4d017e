#include <weir/base/digest.hpp>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <weir/base/result.hpp>

namespace weir {

Digest sha256(std::string_view bytes) {
    Digest out{};
    unsigned size = out.size();
    expects(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr) == 1,
            "SHA-256 failed");
    return out;
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
    Digest out{};
    unsigned size = out.size();
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    expects(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data, bytes.size(), out.data(),
                 &size) != nullptr,
            "HMAC-SHA-256 failed");
    return out;
}

std::string to_hex(const Digest& digest) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string text;
    text.reserve(64);
    for (const auto byte : digest) {
        text += hex[byte >> 4];
        text += hex[byte & 15];
    }
    return text;
}

std::uint64_t leading_bits(const Digest& digest) noexcept {
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i)
        bits = bits << 8 | digest[static_cast<std::size_t>(i)];
    return bits;
}

void append_field(std::string& out, std::int64_t number) {
    for (int i = 0; i < 8; ++i)
        out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i) & 0xff);
}

void append_field(std::string& out, std::string_view field) {
    append_field(out, static_cast<std::int64_t>(field.size()));
    out += field;
}

std::string random_bytes(std::size_t n) {
    std::string bytes(n, '\0');
    expects(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(n)) == 1,
            "the operating system gave no random bytes");
    return bytes;
}

} // namespace weir
