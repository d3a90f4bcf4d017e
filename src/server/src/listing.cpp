#include "listing.hpp"

#include <algorithm>
#include <charconv>

#include <weir/base/text.hpp>

#include "json_object.hpp"

namespace weir::server {
namespace {

Result<std::optional<Instant>> read_time(const Call& call, std::string_view name, Instant now) {
    const auto* text = call.target.find(name);
    if (text == nullptr) return std::optional<Instant>();
    if (auto instant = parse_rfc3339(*text); instant.ok()) return std::optional(*instant);
    if (auto ago = parse_duration(*text); ago.ok()) return std::optional(now - *ago);
    return invalid("`" + std::string(name) +
                   "` must be a time (2026-05-01T12:00:00Z) or a duration (2h), not \"" +
                   printable(*text, 60) + "\"");
}

Result<std::int64_t> read_number(const Call& call, std::string_view name, std::int64_t otherwise,
                                 std::int64_t min, std::int64_t max) {
    const auto* text = call.target.find(name);
    if (text == nullptr) return otherwise;
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (failure != std::errc() || end != text->data() + text->size() || number < min || number > max) {
        return invalid("`" + std::string(name) + "` must be a whole number from " + std::to_string(min) +
                       " to " + std::to_string(max) + ", not \"" + printable(*text, 60) + "\"");
    }
    return number;
}

/// `trigger=ads/retrain` says team and name at once.
Status read_name(const Call& call, std::string_view what, std::string& team, std::string& name) {
    const auto given = call.query(what);
    const auto slash = given.find('/');
    if (slash == std::string::npos) {
        name = given;
        return {};
    }
    const auto its_team = given.substr(0, slash);
    if (!team.empty() && team != its_team) {
        return invalid("`" + std::string(what) + "` names the team \"" + printable(its_team, 128) +
                       "\" but `team` says \"" + printable(team, 128) + "\"");
    }
    team = its_team;
    name = given.substr(slash + 1);
    return {};
}

} // namespace

Result<ledger::Query> read_query(const Call& call, Instant now) {
    ledger::Query query;
    query.team = call.query("team");
    WEIR_TRY(read_name(call, "trigger", query.team, query.trigger));
    WEIR_TRY(read_name(call, "flow", query.team, query.flow));
    if (!query.team.empty()) WEIR_TRY(call.caller.check_team(query.team));
    query.state = call.query("state");
    query.outcome = call.query("outcome");
    query.type = call.query("type");
    query.source = call.query("source");
    query.id = call.query("id");
    query.page = call.query("page");
    WEIR_ASSIGN(since, read_time(call, "since", now));
    query.since = since;
    WEIR_ASSIGN(until, read_time(call, "until", now));
    query.until = until;
    WEIR_ASSIGN(limit, read_number(call, "limit", 100, 1, 1000));
    query.limit = static_cast<std::size_t>(limit);
    if (call.target.find("after") != nullptr) {
        WEIR_ASSIGN(after, read_number(call, "after", 0, 0, INT64_MAX));
        query.after = Seq(after);
    }
    return query;
}

Response listing(const Call& call, const std::vector<std::string>& lines, const std::string& next,
                 Seq after) {
    std::size_t size = 64;
    for (const auto& line : lines)
        size += line.size() + 2;
    std::string out;
    out.reserve(size);
    out += "{\"items\":[";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out += i > 0 ? ",\n" : "\n";
        out += lines[i];
    }
    out += "],\n\"next\":" + (next.empty() ? std::string("null") : json_string(next));
    out += ",\"after\":" + std::to_string(after.value) + "}\n";
    auto response = json_response(std::move(out));
    if (next.empty()) return response;
    // The same request, with another page.
    std::string link = "<" + call.request.target.substr(0, call.request.target.find('?')) + "?";
    const auto encode = [&](std::string_view text) {
        static constexpr char hex[] = "0123456789ABCDEF";
        for (const char c : text) {
            const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               c == '-' || c == '_' || c == '.' || c == '~';
            if (plain) {
                link += c;
            } else {
                link += '%';
                link += hex[static_cast<unsigned char>(c) >> 4];
                link += hex[static_cast<unsigned char>(c) & 15];
            }
        }
    };
    for (const auto& [name, value] : call.target.query) {
        if (name == "page") continue;
        encode(name);
        link += '=';
        encode(value);
        link += '&';
    }
    link += "page=";
    encode(next);
    response.headers.push_back({"Link", link + ">; rel=\"next\""});
    return response;
}

Result<TeamName> read_team_name(std::string_view text, std::string_view what) {
    const auto slash = text.find('/');
    TeamName result;
    result.team = slash == std::string_view::npos ? "default" : std::string(text.substr(0, slash));
    result.name = slash == std::string_view::npos ? std::string(text) : std::string(text.substr(slash + 1));
    if (!valid_name(result.team) || !valid_name(result.name)) {
        return invalid("\"" + printable(text, 100) + "\" is not the name of a " + std::string(what) +
                       "; expected TEAM/NAME, or NAME in the team `default`");
    }
    return result;
}

Result<RunId> read_run_id(std::string_view text) {
    auto uuid = Uuid::parse(text);
    if (!uuid.ok()) return invalid("\"" + printable(text, 60) + "\" is not a run id; expected a UUID");
    return RunId{*uuid};
}

Status check_word(std::string_view what, std::string_view word, const std::vector<std::string_view>& words) {
    if (word.empty() || std::find(words.begin(), words.end(), word) != words.end()) return {};
    std::string all;
    for (const auto known : words)
        all += (all.empty() ? "" : ", ") + std::string(known);
    return invalid("there is no " + std::string(what) + " \"" + printable(word, 60) + "\"" +
                   did_you_mean(word, words) + "; expected one of " + all);
}

} // namespace weir::server
