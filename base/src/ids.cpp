#include <weir/base/ids.hpp>

namespace weir {

std::string Uuid::to_string() const {
    static constexpr char hex[] = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += hex[bytes[i] >> 4];
        text += hex[bytes[i] & 15];
    }
    return text;
}

Result<Uuid> Uuid::parse(std::string_view text) {
    const auto bad = [&] {
        return invalid("not an id: \"" + std::string(text.substr(0, 64)) +
                       "\"; expected the form 01234567-89ab-8def-8123-456789abcdef");
    };
    if (text.size() != 36) return bad();
    Uuid id;
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') return bad();
            continue;
        }
        unsigned v = 0;
        if (c >= '0' && c <= '9')
            v = static_cast<unsigned>(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = static_cast<unsigned>(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            v = static_cast<unsigned>(c - 'A') + 10;
        else
            return bad();
        auto& byte = id.bytes[nibble / 2];
        byte = static_cast<std::uint8_t>(byte << 4 | v);
        ++nibble;
    }
    return id;
}

Uuid Uuid::time_led(Instant time, const Digest& digest) {
    Uuid id;
    const auto ms = static_cast<std::uint64_t>(to_ns(time) / 1'000'000);
    for (std::size_t i = 0; i < 6; ++i)
        id.bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    for (std::size_t i = 6; i < 16; ++i)
        id.bytes[i] = digest[i - 6];
    id.bytes[6] = static_cast<std::uint8_t>(0x80 | (id.bytes[6] & 0x0f));
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

} // namespace weir
