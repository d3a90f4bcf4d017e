#include <algorithm>

#include <weir/base/result.hpp>

#include "sqlite/json_rows.hpp"
#include "sqlite/reader.hpp"
#include "sqlite/writer.hpp"

namespace weir::ledger::sqlite {

namespace {

// Work of one call: the next one goes on where it stopped.
constexpr std::int64_t rows_looked_at_max = 100'000;
constexpr std::size_t rows_deleted_max = 10'000;

} // namespace

Status Writer::read_pinned(std::vector<std::int64_t>& pinned) {
    WEIR_ASSIGN(held, connection_->prepare("SELECT event FROM held"));
    while (true) {
        WEIR_ASSIGN(more, held.step());
        if (!more) break;
        pinned.push_back(held.integer(0));
    }
    WEIR_ASSIGN(runs, connection_->prepare("SELECT r.events, r.dec FROM run r WHERE r.state <> 6"));
    WEIR_ASSIGN(decision,
                connection_->prepare("SELECT seq FROM decision WHERE dec = ?1 UNION ALL SELECT seq FROM "
                                     "included WHERE dec = ?1"));
    while (true) {
        WEIR_ASSIGN(more, runs.step());
        if (!more) break;
        WEIR_ASSIGN(events, events_from(runs.text(0)));
        for (const auto& [seq, role] : events)
            pinned.push_back(seq);
        decision.bind(runs.integer(1));
        WEIR_ASSIGN(seqs,
                    collect(decision, [](Statement& s) -> Result<std::int64_t> { return s.integer(0); }));
        decision.rewind();
        pinned.insert(pinned.end(), seqs.begin(), seqs.end());
    }
    std::sort(pinned.begin(), pinned.end());
    return {};
}

Status Writer::retain(Instant payloads_before) {
    WEIR_ASSIGN(transaction, Transaction::begin(*connection_, true));
    WEIR_TRY(check_epoch());
    WEIR_ASSIGN(end, first_seq_at(*connection_, payloads_before));
    std::vector<std::int64_t> pinned, old;
    WEIR_TRY(read_pinned(pinned));
    std::int64_t looked_at = 0, next = retain_from_;
    {
        WEIR_ASSIGN(query, connection_->prepare(
                               "SELECT seq FROM payload WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?"));
        query.bind(retain_from_).bind(end).bind(rows_looked_at_max);
        while (old.size() < rows_deleted_max) {
            WEIR_ASSIGN(more, query.step());
            if (!more) break;
            ++looked_at;
            const auto seq = query.integer(0);
            next = seq + 1;
            if (!std::binary_search(pinned.begin(), pinned.end(), seq)) old.push_back(seq);
        }
    }
    WEIR_ASSIGN(remove, connection_->prepare("DELETE FROM payload WHERE seq = ?"));
    for (const auto seq : old)
        WEIR_TRY(remove.bind(seq).run());
    WEIR_TRY(drop_dead_messages(payloads_before));
    WEIR_TRY(transaction.commit());
    // At the end it begins anew: what was pinned may be free by then.
    const bool more_left = old.size() == rows_deleted_max || looked_at == rows_looked_at_max;
    retain_from_ = more_left ? next : 0;
    return {};
}

} // namespace weir::ledger::sqlite
