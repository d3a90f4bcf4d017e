#include <weir/base/log.hpp>

#include <cmath>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <weir/base/clock.hpp>
#include <weir/base/json.hpp>

namespace weir::log {
namespace {

std::shared_ptr<spdlog::logger>& logger() {
    static auto instance = [] {
        auto made =
            std::make_shared<spdlog::logger>("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->flush_on(spdlog::level::debug);
        return made;
    }();
    return instance;
}

spdlog::level::level_enum native(Level level) {
    switch (level) {
        case Level::Debug: return spdlog::level::debug;
        case Level::Info: return spdlog::level::info;
        case Level::Warn: return spdlog::level::warn;
        case Level::Error: return spdlog::level::err;
        case Level::Off: return spdlog::level::off;
    }
    return spdlog::level::info;
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::Debug: return "debug";
        case Level::Info: return "info";
        case Level::Warn: return "warn";
        default: return "error";
    }
}

} // namespace

Field::Field(std::string_view name, std::string_view text) : name_(name), json_(json_string(text)) {}
Field::Field(std::string_view name, bool value) : name_(name), json_(value ? "true" : "false") {}
Field::Field(std::string_view name, double value)
    : name_(name), json_(std::isfinite(value) ? std::to_string(value) : "null") {}

void init(Level level) {
    logger()->set_level(native(level));
}

Level level_from(std::string_view name) {
    if (name == "debug") return Level::Debug;
    if (name == "warn") return Level::Warn;
    if (name == "error") return Level::Error;
    if (name == "off") return Level::Off;
    return Level::Info;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
    if (!logger()->should_log(native(level))) return;
    std::string line = "{\"ts\":\"" + format_rfc3339(SystemClock().now()) + "\",\"level\":\"";
    line += name_of(level);
    line += "\",\"msg\":";
    append_json_string(line, message);
    for (const auto& field : fields) {
        line += ',';
        append_json_string(line, field.name());
        line += ':';
        line += field.json();
    }
    line += '}';
    logger()->log(native(level), "{}", line);
}

} // namespace weir::log
