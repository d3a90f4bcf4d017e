#include "sqlite/reader.hpp"

namespace weir::ledger::sqlite {

namespace {

constexpr const char* name_key = "(SELECT id FROM name WHERE text = ?)";

std::string equals_name(const std::string& column) {
    return column + " = " + name_key;
}

/// `*` of ours as SQLite's GLOB, whose other special characters are made plain.
std::string glob_of(std::string_view pattern) {
    std::string out;
    for (const char c : pattern) {
        if (c == '?' || c == '[')
            out += std::string("[") + c + "]";
        else
            out += c;
    }
    return out;
}

void add_team(Filter& filter, const std::string& column, std::string_view team) {
    if (!team.empty()) filter.add_text(equals_name(column), team);
}

/// Bounds of a listing ordered by a number that rises with seq.
template <class First>
Status add_times(Filter& filter, Connection& connection, const Query& query, const std::string& column,
                 First first) {
    for (const bool since : {true, false}) {
        const auto& time = since ? query.since : query.until;
        if (!time) continue;
        WEIR_ASSIGN(seq, first_seq_at(connection, *time));
        WEIR_ASSIGN(number, first(connection, seq));
        filter.add(column + (since ? " >= ?" : " < ?"), number);
    }
    return {};
}

/// Where the page goes on, for a listing ordered by one column.
Status add_page(Filter& filter, Listing listing, const Query& query, const std::string& column) {
    WEIR_ASSIGN(key, read_page_token(listing, query));
    if (key) filter.add(column + (query.after ? " > ?" : " < ?"), key->first);
    return {};
}

/// The same for one ordered by two.
Status add_page(Filter& filter, Listing listing, const Query& query, const std::string& first,
                const std::string& second) {
    WEIR_ASSIGN(key, read_page_token(listing, query));
    if (!key) return {};
    filter.add("(" + first + ", " + second + (query.after ? ") > (" : ") < (") + std::to_string(key->first) +
               ", " + std::to_string(key->second) + ")");
    return {};
}

/// Runs the listing; `key` gives a row's page key.
template <class Row, class Make, class Key>
Result<Page<Row>> list(Connection& connection, Listing listing, const Query& query, const std::string& sql,
                       const Filter& filter, Make make, Key key) {
    WEIR_ASSIGN(statement, connection.prepare_once(sql));
    filter.bind(statement);
    statement.bind(static_cast<std::int64_t>(query.limit) + 1);
    WEIR_ASSIGN(rows, collect(statement, make));
    Page<Row> page;
    page.rows = std::move(rows);
    if (page.rows.size() > query.limit) {
        page.rows.resize(query.limit);
        page.next = page_token(listing, query, key(page.rows.back()));
    }
    return page;
}

std::string ordered(const Query& query, const std::string& first, const std::string& second = {}) {
    const char* direction = query.after ? "" : " DESC";
    std::string out = " ORDER BY " + first + direction;
    if (!second.empty()) out += ", " + second + direction;
    return out + " LIMIT ?";
}

/// Triggers of this name; the numbers are few.
Status add_trigger(Filter& filter, Connection& connection, const std::string& column, std::string_view text) {
    const auto [team, name] = split_team(text);
    Filter by_name;
    by_name.add_text(equals_name("name"), name);
    add_team(by_name, "team", team);
    WEIR_ASSIGN(look, connection.prepare_once("SELECT trig FROM trigger" + by_name.sql()));
    by_name.bind(look);
    WEIR_ASSIGN(numbers, collect(look, [](Statement& s) -> Result<std::int64_t> { return s.integer(0); }));
    if (numbers.size() == 1) {
        filter.add(column + " = ?", numbers.front());
        return {};
    }
    std::string all;
    for (const auto number : numbers)
        all += (all.empty() ? "" : ",") + std::to_string(number);
    filter.add(column + " IN (" + all + ")");
    return {};
}

} // namespace

Result<Page<RunRow>> SqliteReader::runs(const Query& query) {
    WEIR_TRY(check_query(Listing::Runs, query));
    return read([&](ReadSession& session) -> Result<Page<RunRow>> {
        auto& connection = *session.connection;
        Filter filter;
        if (!query.trigger.empty()) WEIR_TRY(add_trigger(filter, connection, "r.trig", query.trigger));
        const auto [flow_team, flow] = split_team(query.flow);
        if (!flow.empty()) filter.add_text(equals_name("r.flow"), flow);
        add_team(filter, "r.flow_team", flow_team);
        add_team(filter, "r.team", query.team);
        if (const auto state = run_state_from(query.state)) {
            // The second condition, word for word as in the index over what is open, lets it be used.
            filter.add("r.state = " + std::to_string(static_cast<int>(*state)));
            if (*state != RunState::Settled) filter.add("r.state <> 6");
        }
        if (const auto outcome = outcome_from(query.outcome))
            filter.add("r.outcome = ?", static_cast<std::int64_t>(*outcome));
        WEIR_TRY(add_times(filter, connection, query, "r.run", first_run_at));
        const auto make = [&](Statement& s) { return session.rows.run(s); };
        if (!query.after) {
            WEIR_TRY(add_page(filter, Listing::Runs, query, "r.run"));
            return list<RunRow>(
                connection, Listing::Runs, query,
                "SELECT " WEIR_RUN_COLUMNS " FROM run r" + filter.sql() + ordered(query, "r.run"), filter,
                make, [](const RunRow& row) {
                    return PageKey{row.no.value, 0};
                });
        }
        filter.add("r.changed > ?", query.after->value);
        WEIR_TRY(add_page(filter, Listing::Runs, query, "r.changed", "r.run"));
        return list<RunRow>(connection, Listing::Runs, query,
                            "SELECT " WEIR_RUN_COLUMNS " FROM run r INDEXED BY run_changed" + filter.sql() +
                                ordered(query, "r.changed", "r.run"),
                            filter, make, [](const RunRow& row) {
                                return PageKey{row.changed.value, row.no.value};
                            });
    });
}

Result<Page<DecisionRow>> SqliteReader::decisions(const Query& query) {
    WEIR_TRY(check_query(Listing::Decisions, query));
    return read([&](ReadSession& session) -> Result<Page<DecisionRow>> {
        auto& connection = *session.connection;
        Filter filter;
        if (!query.trigger.empty()) WEIR_TRY(add_trigger(filter, connection, "d.trig", query.trigger));
        add_team(filter, "d.team", query.team);
        if (const auto verdict = verdict_from(query.state))
            filter.add("d.verdict = ?", static_cast<std::int64_t>(*verdict));
        WEIR_TRY(add_times(filter, connection, query, "d.dec", first_decision_at));
        if (query.after) {
            WEIR_ASSIGN(first, first_decision_at(connection, query.after->value + 1));
            filter.add("d.dec >= ?", first);
        }
        WEIR_TRY(add_page(filter, Listing::Decisions, query, "d.dec"));
        return list<DecisionRow>(
            connection, Listing::Decisions, query,
            "SELECT " WEIR_DECISION_COLUMNS " FROM decision d" + filter.sql() + ordered(query, "d.dec"),
            filter, [&](Statement& s) { return session.rows.decision(s); },
            [](const DecisionRow& row) {
                return PageKey{row.no.value, 0};
            });
    });
}

Result<Page<InputRow>> SqliteReader::events(const Query& query) {
    WEIR_TRY(check_query(Listing::Events, query));
    return read([&](ReadSession& session) -> Result<Page<InputRow>> {
        auto& connection = *session.connection;
        Filter filter;
        filter.add("i.kind IN (0, 1)");
        add_team(filter, "i.team", query.team);
        const auto glob = glob_of(query.type);
        if (query.type.find('*') != std::string::npos)
            filter.add_text("i.type IN (SELECT id FROM name WHERE text GLOB ?)", glob);
        else if (!query.type.empty())
            filter.add_text(equals_name("i.type"), query.type);
        if (!query.source.empty()) filter.add_text(equals_name("i.source"), query.source);
        if (!query.id.empty()) {
            WEIR_ASSIGN(candidates, inputs_of_id(connection, seen_key_, query.id));
            std::string all;
            for (const auto seq : candidates)
                all += (all.empty() ? "" : ",") + std::to_string(seq);
            filter.add("i.seq IN (" + all + ")");
            filter.add_text("i.id = ?", query.id);
        }
        WEIR_TRY(add_times(filter, connection, query, "i.seq",
                           [](Connection&, std::int64_t seq) -> Result<std::int64_t> { return seq; }));
        if (query.after) filter.add("i.seq > ?", query.after->value);
        WEIR_TRY(add_page(filter, Listing::Events, query, "i.seq"));
        return list<InputRow>(
            connection, Listing::Events, query,
            "SELECT " WEIR_INPUT_COLUMNS ", p.bytes FROM input i LEFT JOIN payload p ON p.seq = i.seq" +
                filter.sql() + ordered(query, "i.seq"),
            filter, [&](Statement& s) { return session.rows.input(s, 14); },
            [](const InputRow& row) {
                return PageKey{row.seq.value, 0};
            });
    });
}

Result<Page<TriggerRow>> SqliteReader::triggers(const Query& query) {
    WEIR_TRY(check_query(Listing::Triggers, query));
    return read([&](ReadSession& session) -> Result<Page<TriggerRow>> {
        Filter filter;
        const auto [team, name] = split_team(query.trigger);
        if (!name.empty()) filter.add_text(equals_name("t.name"), name);
        add_team(filter, "t.team", team);
        add_team(filter, "t.team", query.team);
        const auto state = trigger_state_from(query.state);
        filter.add(state ? "t.state = " + std::to_string(static_cast<int>(*state)) : "t.state <> 3");
        // When it last changed: a column of the query, so that it can be compared and ordered by.
        const std::string changed = "max(v.from_seq, t.state_seq)";
        if (query.after) filter.add(changed + " > ?", query.after->value);
        if (query.after)
            WEIR_TRY(add_page(filter, Listing::Triggers, query, changed, "t.trig"));
        else
            WEIR_TRY(add_page(filter, Listing::Triggers, query, "t.trig"));
        std::vector<PageKey> keys;
        const auto make = [&](Statement& s) -> Result<TriggerRow> {
            WEIR_ASSIGN(version, session.rows.trigger_version(s));
            TriggerRow row{std::move(version),
                           static_cast<TriggerState>(s.integer(12)),
                           s.string(13),
                           s.integer(14),
                           {}};
            if (const auto slot = s.optional(15)) row.next_slot = from_ns(*slot);
            keys.push_back(query.after ? PageKey{s.integer(16), row.version.no.value}
                                       : PageKey{row.version.no.value, 0});
            return row;
        };
        return list<TriggerRow>(
            *session.connection, Listing::Triggers, query,
            "SELECT " WEIR_TRIGGER_VERSION_COLUMNS
            ", t.state, t.state_reason, coalesce((SELECT fired FROM trigger_count c WHERE c.trig = t.trig), "
            "0), "
            "(SELECT min(due) FROM timer m WHERE m.trig = t.trig AND m.kind = 0 AND m.end_seq IS NULL), " +
                changed +
                " FROM trigger t JOIN trigger_version v ON v.trig = t.trig AND v.version = "
                "(SELECT max(version) FROM trigger_version WHERE trig = t.trig)" +
                filter.sql() + (query.after ? ordered(query, changed, "t.trig") : ordered(query, "t.trig")),
            filter, make, [&](const TriggerRow&) { return keys[query.limit - 1]; });
    });
}

Result<Page<FlowVersionRow>> SqliteReader::flows(const Query& query) {
    WEIR_TRY(check_query(Listing::Flows, query));
    return read([&](ReadSession& session) -> Result<Page<FlowVersionRow>> {
        Filter filter;
        const auto [team, name] = split_team(query.flow);
        if (!name.empty()) filter.add_text(equals_name("f.name"), name);
        add_team(filter, "f.team", team);
        add_team(filter, "f.team", query.team);
        filter.add("v.to_seq IS NULL AND v.deleted = 0");
        if (query.after) filter.add("v.from_seq > ?", query.after->value);
        WEIR_TRY(add_page(filter, Listing::Flows, query, "v.id"));
        std::vector<PageKey> keys;
        const auto make = [&](Statement& s) -> Result<FlowVersionRow> {
            keys.push_back({s.integer(11), 0});
            return session.rows.flow_version(s);
        };
        return list<FlowVersionRow>(
            *session.connection, Listing::Flows, query,
            "SELECT " WEIR_FLOW_VERSION_COLUMNS
            ", v.id FROM flow_version v JOIN flow f ON f.flow = v.flow LEFT JOIN blob b "
            "ON b.id = v.ir" +
                filter.sql() + ordered(query, "v.id"),
            filter, make, [&](const FlowVersionRow&) { return keys[query.limit - 1]; });
    });
}

Result<Page<AuditRow>> SqliteReader::audits(const Query& query) {
    WEIR_TRY(check_query(Listing::Audits, query));
    return read([&](ReadSession& session) -> Result<Page<AuditRow>> {
        Filter filter;
        add_team(filter, "a.team", query.team);
        WEIR_TRY(add_times(filter, *session.connection, query, "a.seq",
                           [](Connection&, std::int64_t seq) -> Result<std::int64_t> { return seq; }));
        if (query.after) filter.add("a.seq > ?", query.after->value);
        WEIR_TRY(add_page(filter, Listing::Audits, query, "a.seq", "a.n"));
        const auto make = [&](Statement& s) -> Result<AuditRow> {
            WEIR_ASSIGN(principal, session.rows.name(s.integer(2)));
            WEIR_ASSIGN(team, session.rows.name(s.integer(5)));
            return AuditRow{Seq(s.integer(0)), s.small(1),  std::move(principal),  s.string(3),
                            s.string(4),       s.string(7), from_ns(s.integer(6)), std::move(team)};
        };
        return list<AuditRow>(
            *session.connection, Listing::Audits, query,
            "SELECT a.seq, a.n, a.principal, a.action, a.target, a.team, a.time, a.reason FROM audit a" +
                filter.sql() + ordered(query, "a.seq", "a.n"),
            filter, make, [](const AuditRow& row) {
                return PageKey{row.seq.value, row.n};
            });
    });
}

Result<Page<DeadLetterRow>> SqliteReader::dead_letters(const Query& query) {
    WEIR_TRY(check_query(Listing::DeadLetters, query));
    return read([&](ReadSession& session) -> Result<Page<DeadLetterRow>> {
        Filter filter;
        // They belong to no team, as arrivals do.
        if (!query.team.empty()) filter.add("0");
        if (!query.source.empty())
            filter.add_text("d.stream = (SELECT stream FROM stream WHERE name = ?)", query.source);
        if (query.since) filter.add("d.time >= ?", to_ns(*query.since));
        if (query.until) filter.add("d.time < ?", to_ns(*query.until));
        if (query.after) filter.add("d.dead > ?", query.after->value);
        WEIR_TRY(add_page(filter, Listing::DeadLetters, query, "d.dead"));
        return list<DeadLetterRow>(
            *session.connection, Listing::DeadLetters, query,
            "SELECT " WEIR_DEAD_LETTER_COLUMNS " FROM dead_letter d" + filter.sql() +
                ordered(query, "d.dead"),
            filter, [](Statement& s) -> Result<DeadLetterRow> { return Rows::dead_letter(s); },
            [](const DeadLetterRow& row) {
                return PageKey{row.no.value, 0};
            });
    });
}

} // namespace weir::ledger::sqlite
