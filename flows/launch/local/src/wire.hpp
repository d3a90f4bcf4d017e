#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace weir::flows::local::wire {

/// What goes through the pipe between weir and its supervisor. Both ends are the same binary, so numbers are
/// in the machine's own order. A frame: length of what follows (4 bytes), kind (1 byte), fields.
enum class Kind : std::uint8_t { Spawn = 1, Stop = 2, Hold = 3, End = 4 };
inline constexpr std::size_t frame_bytes_max = 8 * 1024 * 1024;

class Writer {
  public:
    explicit Writer(Kind kind) { out_.assign(4, '\0').push_back(static_cast<char>(kind)); }
    void number(std::uint64_t n) { out_.append(reinterpret_cast<const char*>(&n), sizeof n); }
    void text(std::string_view t) {
        number(t.size());
        out_.append(t);
    }
    void list(const std::vector<std::string>& items) {
        number(items.size());
        for (const std::string& item : items)
            text(item);
    }
    /// The finished frame.
    [[nodiscard]] std::string take() {
        const auto size = static_cast<std::uint32_t>(out_.size() - 4);
        std::memcpy(out_.data(), &size, sizeof size);
        return std::move(out_);
    }

  private:
    std::string out_;
};

/// Reads the fields of one frame. A frame that is too short leaves ok() false and zero values.
class Reader {
  public:
    explicit Reader(std::string_view frame) : rest_(frame) {
        if (rest_.empty()) return;
        kind_ = static_cast<Kind>(rest_.front());
        rest_.remove_prefix(1);
    }
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool ok() const { return ok_; }
    std::uint64_t number() {
        std::uint64_t n = 0;
        if (rest_.size() < sizeof n) return fail(), 0;
        std::memcpy(&n, rest_.data(), sizeof n);
        rest_.remove_prefix(sizeof n);
        return n;
    }
    std::string text() {
        const std::uint64_t size = number();
        if (rest_.size() < size) return fail(), std::string();
        std::string t(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return t;
    }
    std::vector<std::string> list() {
        const std::uint64_t count = number();
        std::vector<std::string> items;
        for (std::uint64_t i = 0; i < count && ok_; ++i)
            items.push_back(text());
        return items;
    }

  private:
    void fail() {
        ok_ = false;
        rest_ = {};
    }
    std::string_view rest_;
    Kind kind_{};
    bool ok_ = true;
};

/// Cuts whole frames off a stream. False once the stream makes no sense.
template <class Use>
bool take_frames(std::string& buffer, Use&& use) {
    std::size_t at = 0;
    while (buffer.size() - at >= 4) {
        std::uint32_t size = 0;
        std::memcpy(&size, buffer.data() + at, sizeof size);
        if (size == 0 || size > frame_bytes_max) return false;
        if (buffer.size() - at - 4 < size) break;
        use(std::string_view(buffer).substr(at + 4, size));
        at += 4 + size;
    }
    buffer.erase(0, at);
    return true;
}

} // namespace weir::flows::local::wire
