#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir::log {

enum class Level { Debug, Info, Warn, Error, Off };

/// One named value of a log line.
class Field {
  public:
    Field(std::string_view name, std::string_view text);
    Field(std::string_view name, const char* text) : Field(name, std::string_view(text)) {}
    Field(std::string_view name, const std::string& text) : Field(name, std::string_view(text)) {}
    Field(std::string_view name, bool value);
    Field(std::string_view name, double value);
    template <class Int>
    requires(std::is_integral_v<Int> && !std::is_same_v<Int, bool>) Field(std::string_view name, Int value)
        : name_(name), json_(std::to_string(value)) {}

    [[nodiscard]] std::string_view name() const { return name_; }
    [[nodiscard]] std::string_view json() const { return json_; }

  private:
    std::string_view name_;
    std::string json_;
};

/// Lines go to stderr as JSON objects: ts, level, msg, then the fields. Call first before threads; again,
/// from any thread, to change the level. Default: Info.
void init(Level level);
/// "debug", "info", "warn", "error", "off"; anything else: Info.
Level level_from(std::string_view name);

/// Thread-safe. Never throws. A message is a constant sentence; what varies goes into fields.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});
inline void debug(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::Debug, m, f);
}
inline void info(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::Info, m, f);
}
inline void warn(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::Warn, m, f);
}
inline void error(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::Error, m, f);
}

} // namespace weir::log
