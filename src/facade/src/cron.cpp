#include "cron.hpp"

#include <algorithm>
#include <vector>

#include <weir/base/text.hpp>

#include "messages.hpp"

namespace weir::facade {
namespace {

constexpr std::int64_t minute = 60, hour = 60 * minute, day = 24 * hour;

Fault not_cron(const std::string& why) {
    return invalid_fault(
        "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). "
        "Error: " +
        why);
}

Fault not_built(const std::string& why) {
    return {Code::Invalid, "Invalid input error: " + why, why};
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find_first_of(" \t", at), text.size());
        if (end > at) words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

Outcome<std::string> every(std::int64_t seconds) {
    if (seconds == day) return std::string("0 0 * * *");
    if (seconds % hour == 0 && seconds < day && day % seconds == 0)
        return seconds == hour ? std::string("0 * * * *")
                               : "0 */" + std::to_string(seconds / hour) + " * * *";
    if (seconds % minute == 0 && seconds < hour && hour % seconds == 0)
        return seconds == minute ? std::string("* * * * *")
                                 : "*/" + std::to_string(seconds / minute) + " * * * *";
    return not_built("weir's schedules follow the clock, in whole minutes: an interval of " +
                     std::to_string(seconds) +
                     " s does not divide an hour or a day evenly; use 60, 120, 300, 600, 900, 1800, 3600, "
                     "7200, 86400...");
}

Outcome<std::string> described(const std::string& word) {
    if (word == "@yearly" || word == "@annually") return std::string("0 0 1 1 *");
    if (word == "@monthly") return std::string("0 0 1 * *");
    if (word == "@weekly") return std::string("0 0 * * 0");
    if (word == "@daily" || word == "@midnight") return std::string("0 0 * * *");
    if (word == "@hourly") return std::string("0 * * * *");
    return not_cron("Unrecognized descriptor: " + printable(word, 80));
}

/// robfig/cron of 2018: seconds first, the day of the week may be left out.
Outcome<std::string> five_fields(const std::string& cron) {
    const auto words = words_of(cron);
    if (words.empty()) return not_cron("Empty spec string");
    if (words[0] == "@every" && words.size() == 2) {
        const auto interval = parse_duration(words[1]);
        if (!interval.ok()) return not_cron("Failed to parse duration " + printable(cron, 80));
        return every(std::chrono::floor<std::chrono::seconds>(*interval).count());
    }
    if (words[0].starts_with('@')) return described(words[0]);
    if (words.size() < 5 || words.size() > 6)
        return not_cron("Expected 5 to 6 fields, found " + std::to_string(words.size()) + ": " +
                        printable(cron, 80));
    if (words[0] != "0" && words[0] != "00")
        return not_built(
            "KFP's cron begins with seconds, and weir's schedules are of whole minutes: write 0 "
            "as the first field, not " +
            printable(words[0], 40));
    std::string out;
    for (std::size_t i = 1; i < 6; ++i) {
        const auto word = i < words.size() ? words[i] : std::string("*");
        out += (out.empty() ? "" : " ") + (word == "?" ? "*" : word);
    }
    return out;
}

std::optional<Instant> time_of(const Json& schedule, std::string_view name) {
    const auto text = text_of(schedule, name);
    if (text.empty()) return std::nullopt;
    const auto time = parse_rfc3339(text);
    return time.ok() ? std::optional(*time) : std::nullopt;
}

} // namespace

Outcome<std::optional<WeirSchedule>> read_trigger(const Json& trigger) {
    WeirSchedule schedule;
    if (const auto found = trigger.find("cron_schedule"); found != trigger.end()) {
        WEIR_ASSIGN(cron, five_fields(text_of(*found, "cron")));
        schedule.cron = std::move(cron);
        schedule.start = time_of(*found, "start_time");
        schedule.end = time_of(*found, "end_time");
        return std::optional(std::move(schedule));
    }
    const auto found = trigger.find("periodic_schedule");
    if (found == trigger.end()) return std::optional<WeirSchedule>();
    const auto seconds = found->value("interval_second", std::int64_t{0});
    if (seconds < 1)
        return invalid_fault("Found invalid period schedule interval " + std::to_string(seconds) +
                             ". Set at interval to least 1 second");
    WEIR_ASSIGN(cron, every(seconds));
    schedule.cron = std::move(cron);
    schedule.start = time_of(*found, "start_time");
    schedule.end = time_of(*found, "end_time");
    return std::optional(std::move(schedule));
}

} // namespace weir::facade
