#include <algorithm>

#include <weir/base/text.hpp>

#include "memory/reader.hpp"

namespace weir::ledger::memory {

namespace {

/// Sorts what a listing matched and cuts its page out.
template <class Row>
Result<Page<Row>> cut(Listing listing, const Query& query, std::vector<std::pair<PageKey, Row>> rows) {
    WEIR_ASSIGN(begun, read_page_token(listing, query));
    std::sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
        return query.after ? a.first < b.first : b.first < a.first;
    });
    Page<Row> page;
    PageKey last;
    for (auto& [key, row] : rows) {
        if (begun && (query.after ? key <= *begun : key >= *begun)) continue;
        if (page.rows.size() == query.limit) {
            page.next = page_token(listing, query, last);
            return page;
        }
        last = key;
        page.rows.push_back(std::move(row));
    }
    return page;
}

} // namespace

bool meets_name(std::string_view filter, std::string_view team, std::string_view name) {
    const auto wanted = split_team(filter);
    return (wanted.name.empty() || wanted.name == name) && (wanted.team.empty() || wanted.team == team);
}

Result<Page<RunRow>> Reader::runs(const Query& query) {
    WEIR_TRY(check_query(Listing::Runs, query));
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<PageKey, RunRow>> rows;
    for (const auto& row : state_.runs) {
        if (!query.team.empty() && row.team != query.team) continue;
        if (!is_trigger(query.trigger, row.trigger) || !meets_name(query.flow, row.flow_team, row.flow))
            continue;
        if (!query.state.empty() && to_string(row.state) != query.state) continue;
        if (!query.outcome.empty() && row.outcome != outcome_from(query.outcome)) continue;
        if (!in_time(query, row.created_seq) || (query.after && row.changed <= *query.after)) continue;
        rows.emplace_back(query.after ? PageKey{row.changed.value, row.no.value} : PageKey{row.no.value, 0},
                          row);
    }
    return cut(Listing::Runs, query, std::move(rows));
}

Result<Page<DecisionRow>> Reader::decisions(const Query& query) {
    WEIR_TRY(check_query(Listing::Decisions, query));
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<PageKey, DecisionRow>> rows;
    for (const auto& row : state_.decisions) {
        if (!query.team.empty() && row.team != query.team) continue;
        if (!is_trigger(query.trigger, row.trigger)) continue;
        if (!query.state.empty() && to_string(row.verdict) != query.state) continue;
        if (!in_time(query, row.seq) || (query.after && row.seq <= *query.after)) continue;
        rows.emplace_back(PageKey{row.no.value, 0}, row);
    }
    return cut(Listing::Decisions, query, std::move(rows));
}

Result<Page<InputRow>> Reader::events(const Query& query) {
    WEIR_TRY(check_query(Listing::Events, query));
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<PageKey, InputRow>> rows;
    for (const auto& row : state_.inputs) {
        if (row.kind != InputKind::Arrival && row.kind != InputKind::Settlement) continue;
        if (!query.team.empty() && row.team != query.team) continue;
        if (!query.type.empty() && !glob_match(query.type, row.type)) continue;
        if (!query.source.empty() && row.source != query.source) continue;
        if (!query.id.empty() && row.id != query.id) continue;
        if (!in_time(query, row.seq) || (query.after && row.seq <= *query.after)) continue;
        rows.emplace_back(PageKey{row.seq.value, 0}, row);
    }
    return cut(Listing::Events, query, std::move(rows));
}

Result<Page<TriggerRow>> Reader::triggers(const Query& query) {
    WEIR_TRY(check_query(Listing::Triggers, query));
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<PageKey, TriggerRow>> rows;
    for (const auto& head : state_.triggers) {
        const auto& version = *state_.newest_version(head.no);
        if (!query.team.empty() && version.team != query.team) continue;
        if (!meets_name(query.trigger, version.team, version.name)) continue;
        if (query.state.empty() ? head.state == TriggerState::Deleted : to_string(head.state) != query.state)
            continue;
        const auto changed = std::max(version.from, head.state_seq);
        if (query.after && changed <= *query.after) continue;
        TriggerRow row{version, head.state, head.state_reason, head.fired, {}};
        for (const auto& [key, index] : state_.timers_open) {
            const auto& timer = state_.timers[index].set;
            if (timer.trigger != head.no || timer.kind != TimerKind::Slot) continue;
            if (!row.next_slot || timer.due < *row.next_slot) row.next_slot = timer.due;
        }
        rows.emplace_back(query.after ? PageKey{changed.value, head.no.value} : PageKey{head.no.value, 0},
                          std::move(row));
    }
    return cut(Listing::Triggers, query, std::move(rows));
}

Result<Page<FlowVersionRow>> Reader::flows(const Query& query) {
    WEIR_TRY(check_query(Listing::Flows, query));
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<PageKey, FlowVersionRow>> rows;
    std::int64_t n = 0;
    for (const auto& row : state_.flow_versions) {
        ++n;
        if (row.to || row.deleted) continue;
        if (!query.team.empty() && row.flow.team != query.team) continue;
        if (!meets_name(query.flow, row.flow.team, row.flow.flow)) continue;
        if (query.after && row.from <= *query.after) continue;
        rows.emplace_back(PageKey{n, 0}, row);
    }
    return cut(Listing::Flows, query, std::move(rows));
}

Result<Page<AuditRow>> Reader::audits(const Query& query) {
    WEIR_TRY(check_query(Listing::Audits, query));
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<PageKey, AuditRow>> rows;
    for (const auto& row : state_.audits) {
        if (!query.team.empty() && row.team != query.team) continue;
        if (!in_time(query, row.seq) || (query.after && row.seq <= *query.after)) continue;
        rows.emplace_back(PageKey{row.seq.value, row.n}, row);
    }
    return cut(Listing::Audits, query, std::move(rows));
}

Result<Page<DeadLetterRow>> Reader::dead_letters(const Query& query) {
    WEIR_TRY(check_query(Listing::DeadLetters, query));
    std::lock_guard lock(state_.mutex);
    std::vector<std::pair<PageKey, DeadLetterRow>> rows;
    for (const auto& row : state_.dead_letters) {
        if (!query.team.empty()) continue; // they belong to no team
        if (!query.source.empty() && state_.stream_name(row.stream) != query.source) continue;
        if ((query.since && row.time < *query.since) || (query.until && row.time >= *query.until)) continue;
        if (query.after && row.no.value <= query.after->value) continue;
        rows.emplace_back(PageKey{row.no.value, 0}, row);
        rows.back().second.message.clear();
        rows.back().second.stream_name = state_.stream_name(row.stream);
    }
    return cut(Listing::DeadLetters, query, std::move(rows));
}

} // namespace weir::ledger::memory
