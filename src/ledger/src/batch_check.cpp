#include "src/batch_check.hpp"

#include <algorithm>

namespace weir::ledger {

namespace {

Error broken(const std::string& what) {
    return internal("batch refused: " + what);
}

template <class Rows, class Number>
Status rising(const Rows& rows, Number first, const char* what, Seq Rows::value_type::*seq) {
    std::int64_t last = first;
    Seq last_seq;
    for (const auto& row : rows) {
        if (row.no.value <= last)
            return broken(std::string(what) + " " + std::to_string(row.no.value) + " follows " +
                          std::to_string(last));
        if (row.*seq < last_seq)
            return broken(std::string(what) + " " + std::to_string(row.no.value) + " is of an earlier input");
        last = row.no.value;
        last_seq = row.*seq;
    }
    return {};
}

/// Rows that follow what was given out before.
template <class Rows, class Number>
Status follow(const Rows& rows, Number newest, const char* what) {
    for (const auto& row : rows) {
        if (row.no <= newest)
            return broken(std::string(what) + " " + std::to_string(row.no.value) + " follows " +
                          std::to_string(newest.value));
        newest = row.no;
    }
    return {};
}

} // namespace

LogState LogState::after(const Batch& batch) const {
    auto out = *this;
    out.next_seq = batch.next_seq;
    out.time = batch.log_time;
    if (!batch.outgoing.empty()) out.outgoing = batch.outgoing.back().no;
    if (!batch.gaps.empty()) out.gap = batch.gaps.back().no;
    if (!batch.dead_letters.empty()) out.dead_letter = batch.dead_letters.back().no;
    return out;
}

Status check_batch(const Batch& batch, const LogState& log) {
    if (batch.inputs.size() > batch_inputs_max)
        return exhausted("a batch holds at most " + std::to_string(batch_inputs_max) +
                         " inputs; this one has " + std::to_string(batch.inputs.size()));
    auto expected = log.next_seq.value;
    auto time = log.time;
    for (const auto& input : batch.inputs) {
        if (input.seq.value != expected)
            return broken("input " + std::to_string(input.seq.value) + " where " + std::to_string(expected) +
                          " must come");
        if (input.time < time)
            return broken("the time of input " + std::to_string(input.seq.value) + " lies before " +
                          format_rfc3339(time));
        time = input.time;
        ++expected;
    }
    if (batch.next_seq.value != expected)
        return broken("next_seq is " + std::to_string(batch.next_seq.value) + " and must be " +
                      std::to_string(expected));
    if (batch.log_time < time) return broken("log_time lies before the last input");
    WEIR_TRY(rising(batch.decisions, std::int64_t{0}, "decision", &DecisionRow::seq));
    WEIR_TRY(rising(batch.runs, std::int64_t{0}, "run", &RunRow::created_seq));
    WEIR_TRY(follow(batch.outgoing, log.outgoing, "outgoing event"));
    WEIR_TRY(follow(batch.gaps, log.gap, "gap"));
    WEIR_TRY(follow(batch.dead_letters, log.dead_letter, "dead letter"));
    for (const auto& row : batch.audits)
        if (row.reason.empty())
            return broken("the act \"" + row.action + "\" on " + row.target + " has no reason");
    return {};
}

std::string_view team_of(const AuditRow& row) noexcept {
    if (!row.team.empty()) return row.team;
    const std::string_view target = row.target;
    const auto space = target.find(' ');
    const auto slash = target.find('/');
    if (space == std::string_view::npos || slash == std::string_view::npos || slash < space) return {};
    return target.substr(space + 1, slash - space - 1);
}

std::optional<RunId> run_of(const AuditRow& row) {
    constexpr std::string_view kind = "run ";
    if (!row.team.empty() || !row.target.starts_with(kind)) return std::nullopt;
    const auto id = Uuid::parse(std::string_view(row.target).substr(kind.size()));
    if (!id.ok()) return std::nullopt;
    return RunId{id.value()};
}

} // namespace weir::ledger
