#include <weir/triggers/cron.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include <weir/base/text.hpp>

namespace weir::triggers {
namespace {

constexpr std::size_t expression_bytes_max = 1024;

constexpr std::array<std::string_view, 12> month_names{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                       "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> weekday_names{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct FieldRule {
    std::string_view name;
    int lowest;
    int highest;
    int step_max;
    std::string_view expected;
};
constexpr std::array<FieldRule, 5> rules{
    {{"minute", 0, 59, 60, "0 to 59"},
     {"hour", 0, 23, 24, "0 to 23"},
     {"day of month", 1, 31, 31, "1 to 31"},
     {"month", 1, 12, 12, "1 to 12 or JAN to DEC"},
     {"day of week", 0, 7, 7, "0 to 7 (0 and 7 are Sunday) or SUN to SAT"}}};

struct FieldValue {
    std::bitset<61> on;
    bool any = false;     ///< `*`: no restriction
    bool stepped = false; ///< a step stands in it
};

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find_first_of(separators, at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

std::optional<int> number(std::string_view text) {
    int value = 0;
    if (text.empty() || text.size() > 4 || text.find_first_not_of("0123456789") != std::string_view::npos)
        return std::nullopt;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

template <std::size_t N>
std::optional<int> named(std::string_view text, const std::array<std::string_view, N>& names, int first) {
    std::string upper(text);
    for (char& c : upper)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    const auto found = std::find(names.begin(), names.end(), upper);
    if (found == names.end()) return std::nullopt;
    return first + static_cast<int>(found - names.begin());
}

class FieldParser {
  public:
    FieldParser(std::string_view text, const FieldRule& rule) : text_(text), rule_(rule) {}

    Result<FieldValue> parse() {
        FieldValue value;
        for (const auto part : split(text_, ","))
            WEIR_TRY(add(part, value));
        return value;
    }

  private:
    [[nodiscard]] Error bad(std::string_view part, const std::string& what) const {
        std::string message = "cron: " + std::string(rule_.name) + " \"" + printable(text_, 60) + "\": ";
        if (part != text_) message += "\"" + printable(part, 60) + "\": ";
        return invalid(message + what);
    }

    Result<int> one(std::string_view part, std::string_view text) const {
        auto value = number(text);
        if (!value && rule_.name == "month") value = named(text, month_names, 1);
        if (!value && rule_.name == "day of week") value = named(text, weekday_names, 0);
        if (!value && text.find_first_of("LW#?") != std::string_view::npos)
            return bad(part, "L, W, # and ? are not part of a five-field cron expression");
        if (!value || *value < rule_.lowest || *value > rule_.highest)
            return bad(part, "expected " + std::string(rule_.expected));
        return *value;
    }

    Status add(std::string_view part, FieldValue& value) const {
        if (part.empty()) return bad(part, "an entry of the list is empty");
        const auto slash = part.find('/');
        const auto range = part.substr(0, slash);
        int step = 1;
        if (slash != std::string_view::npos) {
            const auto read = number(part.substr(slash + 1));
            if (!read || *read < 1 || *read > rule_.step_max)
                return bad(part, "the step behind / must be 1 to " + std::to_string(rule_.step_max));
            step = *read;
            value.stepped = true;
        }
        int low = rule_.lowest, high = rule_.name == "day of week" ? 6 : rule_.highest;
        if (range == "*") {
            value.any = value.any || step == 1;
        } else {
            const auto dash = range.find('-');
            WEIR_ASSIGN(first, one(part, range.substr(0, dash)));
            low = first;
            if (dash != std::string_view::npos) {
                WEIR_ASSIGN(last, one(part, range.substr(dash + 1)));
                high = last;
                if (low > high)
                    return bad(part, "the range runs backwards; write it as two, or end a week with 7");
            } else if (slash == std::string_view::npos) {
                high = low;
            } else {
                high = std::max(high, low);
            }
        }
        for (int i = low; i <= high; i += step)
            value.on.set(static_cast<std::size_t>(i));
        return {};
    }

    std::string_view text_;
    const FieldRule& rule_;
};

/// True if some year has this day of this month.
bool day_exists(int month, int day) {
    static constexpr std::array<int, 13> lengths{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return day <= lengths[static_cast<std::size_t>(month)];
}

} // namespace

Result<Cron> Cron::parse(std::string_view expression) {
    if (expression.size() > expression_bytes_max)
        return invalid("cron: the expression is longer than " + std::to_string(expression_bytes_max) +
                       " bytes");
    std::vector<std::string_view> fields;
    for (const auto part : split(expression, " \t"))
        if (!part.empty()) fields.push_back(part);
    if (!fields.empty() && fields[0].starts_with('@'))
        return invalid("cron: \"" + printable(fields[0], 60) +
                       "\": nicknames are not taken; write the five fields");
    if (fields.size() != 5)
        return invalid("cron: \"" + printable(expression, 80) + "\" has " + std::to_string(fields.size()) +
                       " fields; expected five: minute hour day-of-month month day-of-week");

    std::array<FieldValue, 5> values;
    for (std::size_t i = 0; i < 5; ++i) {
        WEIR_ASSIGN(value, FieldParser(fields[i], rules[i]).parse());
        values[i] = value;
    }
    Cron cron;
    for (std::size_t i = 0; i < 60; ++i)
        cron.minutes_[i] = values[0].on[i];
    for (std::size_t i = 0; i < 24; ++i)
        cron.hours_[i] = values[1].on[i];
    for (std::size_t i = 1; i < 32; ++i)
        cron.days_[i] = values[2].on[i];
    for (std::size_t i = 1; i < 13; ++i)
        cron.months_[i] = values[3].on[i];
    for (std::size_t i = 0; i < 7; ++i)
        cron.weekdays_[i] = values[4].on[i];
    if (values[4].on[7]) cron.weekdays_.set(0);
    cron.any_day_ = values[2].any;
    cron.any_weekday_ = values[4].any;
    cron.follows_real_time_ = values[0].any || values[0].stepped || values[1].any || values[1].stepped;

    if (cron.any_weekday_ && !cron.any_day_) {
        bool comes = false;
        for (int month = 1; month <= 12; ++month)
            for (int day = 1; day <= 31; ++day)
                comes = comes || (cron.month(month) && cron.days_[static_cast<std::size_t>(day)] &&
                                  day_exists(month, day));
        if (!comes)
            return invalid("cron: \"" + printable(expression, 80) +
                           "\" never comes: no month of field four has a day \"" + printable(fields[2], 60) +
                           "\"");
    }
    return cron;
}

bool Cron::day(int of_month, int of_week) const {
    const bool month_day = days_[static_cast<std::size_t>(of_month)];
    const bool week_day = weekdays_[static_cast<std::size_t>(of_week)];
    if (any_day_ || any_weekday_) return (any_day_ || month_day) && (any_weekday_ || week_day);
    return month_day || week_day;
}

} // namespace weir::triggers
