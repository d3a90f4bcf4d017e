#include "src/page.hpp"

#include <array>
#include <charconv>

#include <weir/base/digest.hpp>

namespace weir::ledger {

namespace {

struct Form {
    std::string_view name;
    bool trigger, flow, state, outcome, event, source;
};
constexpr std::array<Form, 7> forms = {{
    {"runs", true, true, true, true, false, false},
    {"decisions", true, false, true, false, false, false},
    {"events", false, false, false, false, true, true},
    {"triggers", true, false, true, false, false, false},
    {"flows", false, true, false, false, false, false},
    {"audits", false, false, false, false, false, false},
    {"dead letters", false, false, false, false, false, true},
}};

constexpr std::array<std::string_view, 6> outcome_words = {"succeeded", "failed",  "cancelled",
                                                           "skipped",   "refused", "lost"};

/// Half of a digest over what the token belongs to.
std::string mark(Listing listing, const Query& query, PageKey key) {
    std::string fields;
    append_field(fields, static_cast<std::int64_t>(listing));
    for (const auto* text : {&query.team, &query.trigger, &query.flow, &query.state, &query.outcome,
                             &query.type, &query.source, &query.id})
        append_field(fields, std::string_view(*text));
    for (const auto& time : {query.since, query.until})
        append_field(fields, time ? to_ns(*time) : -1);
    append_field(fields, query.after ? query.after->value : -1);
    append_field(fields, key.first);
    append_field(fields, key.second);
    return to_hex(sha256(fields)).substr(0, 16);
}

Error no_word(std::string_view what, std::string_view word, std::string_view words) {
    return invalid("there is no " + std::string(what) + " \"" + std::string(word.substr(0, 64)) +
                   "\"; there are " + std::string(words));
}

Status check_words(Listing listing, const Query& query) {
    if (!query.state.empty()) {
        if (listing == Listing::Runs && !run_state_from(query.state))
            return no_word("run state", query.state,
                           "waiting, ready, sent, unknown, accepted, running, ended, settled");
        if (listing == Listing::Decisions && !verdict_from(query.state))
            return no_word("verdict", query.state, "fired, suppressed, failed");
        if (listing == Listing::Triggers && !trigger_state_from(query.state))
            return no_word("trigger state", query.state, "active, paused, tripped, deleted");
    }
    if (!query.outcome.empty() && !outcome_from(query.outcome))
        return no_word("outcome", query.outcome, "succeeded, failed, cancelled, skipped, refused, lost");
    return {};
}

} // namespace

std::string page_token(Listing listing, const Query& query, PageKey key) {
    return mark(listing, query, key) + "." + std::to_string(key.first) + "." + std::to_string(key.second);
}

Result<std::optional<PageKey>> read_page_token(Listing listing, const Query& query) {
    if (query.page.empty()) return std::optional<PageKey>();
    const auto bad =
        invalid("the page token is none of this listing with these filters; begin at the first page");
    const std::string_view text = query.page;
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || text.size() > 80) return bad;
    PageKey key;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data() + dot + 1, end, key.first);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return bad;
    const auto second = std::from_chars(first.ptr + 1, end, key.second);
    if (second.ec != std::errc() || second.ptr != end) return bad;
    if (page_token(listing, query, key) != text) return bad;
    return std::optional<PageKey>(key);
}

Status check_query(Listing listing, const Query& query) {
    const auto& form = forms[static_cast<std::size_t>(listing)];
    if (query.limit < 1 || query.limit > 1000)
        return invalid("a page has 1 to 1000 rows, not " + std::to_string(query.limit));
    const bool dated = listing != Listing::Triggers && listing != Listing::Flows;
    const std::array<std::pair<std::string_view, bool>, 9> filters = {{
        {"trigger", query.trigger.empty() || form.trigger},
        {"flow", query.flow.empty() || form.flow},
        {"state", query.state.empty() || form.state},
        {"outcome", query.outcome.empty() || form.outcome},
        {"type", query.type.empty() || form.event},
        {"source", query.source.empty() || form.source},
        {"id", query.id.empty() || form.event},
        {"since", !query.since || dated},
        {"until", !query.until || dated},
    }};
    for (const auto& [name, allowed] : filters)
        if (!allowed) return invalid(std::string(form.name) + " cannot be filtered by " + std::string(name));
    return check_words(listing, query);
}

TeamName split_team(std::string_view text) noexcept {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return {{}, text};
    return {text.substr(0, slash), text.substr(slash + 1)};
}

std::optional<Verdict> verdict_from(std::string_view word) noexcept {
    for (const auto verdict : {Verdict::Fired, Verdict::Suppressed, Verdict::Failed})
        if (to_string(verdict) == word) return verdict;
    return std::nullopt;
}

std::optional<TriggerState> trigger_state_from(std::string_view word) noexcept {
    for (const auto state :
         {TriggerState::Active, TriggerState::Paused, TriggerState::Tripped, TriggerState::Deleted})
        if (to_string(state) == word) return state;
    return std::nullopt;
}

std::optional<flows::Outcome> outcome_from(std::string_view word) noexcept {
    for (std::size_t i = 0; i < outcome_words.size(); ++i)
        if (outcome_words[i] == word) return static_cast<flows::Outcome>(i);
    return std::nullopt;
}

} // namespace weir::ledger
