#include "macros.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <optional>

#include <weir/base/text.hpp>

namespace weir::facade {
namespace {

constexpr std::string_view standard_layout = "20060102150405";
constexpr std::string_view slot = "timestamp(event.data.slot)";

/// Elements of Go's layouts, longest first where one begins another: what strftime has for them, and what an
/// expression over SLOT.
struct LayoutWord {
    std::string_view word;
    const char* format;
    const char* getter; ///< a number, or the place in `names`
    int plus = 0;
    std::string_view names = {};
};
constexpr std::string_view months =
    R"(["January","February","March","April","May","June","July","August","September","October","November","December"])";
constexpr std::string_view short_months =
    R"(["Jan","Feb","Mar","Apr","May","Jun","Jul","Aug","Sep","Oct","Nov","Dec"])";
constexpr std::string_view days =
    R"(["Sunday","Monday","Tuesday","Wednesday","Thursday","Friday","Saturday"])";
constexpr std::string_view short_days = R"(["Sun","Mon","Tue","Wed","Thu","Fri","Sat"])";
constexpr std::array<LayoutWord, 14> layout_words{{{"January", "%B", "getMonth()", 0, months},
                                                   {"Jan", "%b", "getMonth()", 0, short_months},
                                                   {"Monday", "%A", "getDayOfWeek()", 0, days},
                                                   {"Mon", "%a", "getDayOfWeek()", 0, short_days},
                                                   {"MST", "UTC", nullptr},
                                                   {"2006", "%Y", "getFullYear()"},
                                                   {"Z07:00", "Z", nullptr},
                                                   {"01", "%m", "getMonth()", 1},
                                                   {"02", "%d", "getDate()"},
                                                   {"03", "%I", "getHours()"},
                                                   {"04", "%M", "getMinutes()"},
                                                   {"05", "%S", "getSeconds()"},
                                                   {"06", "%y", "getFullYear()"},
                                                   {"15", "%H", "getHours()"}}};

/// Calls `word` for each element of a layout and `letter` for each letter between.
void walk(std::string_view layout, const std::function<void(const LayoutWord&)>& word,
          const std::function<void(char)>& letter) {
    while (!layout.empty()) {
        const auto found = std::find_if(layout_words.begin(), layout_words.end(),
                                        [&](const auto& each) { return layout.starts_with(each.word); });
        if (found == layout_words.end()) {
            letter(layout[0]);
            layout.remove_prefix(1);
            continue;
        }
        word(*found);
        layout.remove_prefix(found->word.size());
    }
}

std::string in_layout(std::string_view layout, Instant now) {
    const auto seconds =
        static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::string out;
    walk(
        layout,
        [&](const LayoutWord& word) {
            std::array<char, 64> text{};
            out.append(text.data(), std::strftime(text.data(), text.size(), word.format, &parts));
        },
        [&](char c) { out += c; });
    return out;
}

/// Terms of a sum of texts.
class Sum {
  public:
    void letter(char c) { letters_ += c; }
    void letters(std::string_view text) { letters_ += text; }
    void term(const std::string& expression) {
        flush();
        add(expression);
    }
    std::string text() {
        flush();
        return sum_;
    }

  private:
    void flush() {
        if (!letters_.empty()) add(to_text(Json(letters_)));
        letters_.clear();
    }
    void add(const std::string& expression) { sum_ += (sum_.empty() ? "" : " + ") + expression; }

    std::string letters_;
    std::string sum_;
};

std::string two_digits(const std::string& number) {
    return "(" + number + " < 10 ? \"0\" : \"\") + string(" + number + ")";
}

void add_slot(Sum& sum, std::string_view layout) {
    walk(
        layout,
        [&](const LayoutWord& word) {
            if (word.getter == nullptr) return sum.letters(word.format);
            const auto value = std::string(slot) + "." + word.getter;
            if (!word.names.empty()) return sum.term(std::string(word.names) + "[" + value + "]");
            if (word.word == "2006") return sum.term("string(" + value + ")");
            if (word.word == "06") return sum.term(two_digits("(" + value + " % 100)"));
            if (word.word == "03") return sum.term(two_digits("((" + value + " + 11) % 12 + 1)"));
            sum.term(
                two_digits(word.plus == 0 ? value : "(" + value + " + " + std::to_string(word.plus) + ")"));
        },
        [&](char c) { sum.letter(c); });
}

/// The layout of a time's macro: `NAME` or `NAME.LAYOUT`.
std::optional<std::string_view> layout_of(std::string_view macro, std::string_view name) {
    if (macro == name) return standard_layout;
    if (macro.starts_with(name) && macro.size() > name.size() + 1 && macro[name.size()] == '.')
        return macro.substr(name.size() + 1);
    return std::nullopt;
}

/// Calls `letters` for what is text, and `macro` for what stands in double brackets: false leaves it text.
void scan(std::string_view text, const std::function<void(std::string_view)>& letters,
          const std::function<bool(std::string_view)>& macro) {
    for (;;) {
        const auto open = text.find("[[");
        const auto close = open == std::string_view::npos ? open : text.find("]]", open);
        if (close == std::string_view::npos) return letters(text);
        letters(text.substr(0, open));
        if (macro(text.substr(open + 2, close - open - 2))) {
            text.remove_prefix(close + 2);
        } else {
            letters("[");
            text.remove_prefix(open + 1);
        }
    }
}

std::string filled_in(std::string_view text, const std::string& run_id, Instant now) {
    std::string out;
    scan(
        text, [&](std::string_view letters) { out += letters; },
        [&](std::string_view macro) {
            const auto layout = layout_of(macro, "CurrentTime");
            if (layout) out += in_layout(*layout, now);
            if (macro == "RunUUID") out += run_id;
            return layout.has_value() || macro == "RunUUID";
        });
    return out;
}

} // namespace

Json fill_in_macros(const Json& parameters, const std::string& run_id, Instant now) {
    Json out = parameters;
    for (auto& value : out)
        if (value.is_string()) value = filled_in(value.get_ref<const std::string&>(), run_id, now);
    return out;
}

Outcome<std::string> scheduled_text(std::string_view parameter, const Json& value) {
    if (!value.is_string()) return std::string();
    Sum sum;
    bool any = false;
    std::string unknown;
    scan(
        value.get_ref<const std::string&>(), [&](std::string_view letters) { sum.letters(letters); },
        [&](std::string_view macro) {
            if (macro == "RunUUID" || macro == "Index" || layout_of(macro, "CurrentTime")) unknown = macro;
            const auto layout = layout_of(macro, "ScheduledTime");
            if (!layout) return false;
            any = true;
            add_slot(sum, *layout);
            return true;
        });
    if (!unknown.empty())
        return invalid_fault(
            "the parameter " + printable(parameter, 80) + " holds [[" + printable(unknown, 80) +
            "]], which weir does not fill in for a schedule's runs: of the macros, they have "
            "[[ScheduledTime]] and [[ScheduledTime.LAYOUT]]");
    return any ? sum.text() : std::string();
}

} // namespace weir::facade
