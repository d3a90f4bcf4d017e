#include "run_index.hpp"

namespace weir::facade {
namespace {

constexpr std::size_t runs_max = 100'000;
constexpr std::size_t page_rows = 1000;

} // namespace

void RunIndex::take(ledger::RunRow row) {
    row.arguments_json.clear();
    row.outputs_json.clear();
    row.events.clear();
    rows_[row.no] = std::move(row);
}

Status RunIndex::read_all() {
    // Before the rows: what is written meanwhile is read a second time.
    WEIR_ASSIGN(head, reader_.head());
    ledger::Query query;
    query.limit = page_rows;
    do {
        WEIR_ASSIGN(page, reader_.runs(query));
        for (auto& row : page.rows)
            take(std::move(row));
        query.page = page.next;
    } while (!query.page.empty() && rows_.size() < runs_max);
    seen_ = head;
    read_ = true;
    return {};
}

Status RunIndex::read_changed() {
    WEIR_ASSIGN(head, reader_.head());
    if (head == seen_) return {};
    ledger::Query query;
    query.after = seen_;
    query.limit = page_rows;
    do {
        WEIR_ASSIGN(page, reader_.runs(query));
        for (auto& row : page.rows)
            take(std::move(row));
        query.page = page.next;
    } while (!query.page.empty());
    while (rows_.size() > runs_max)
        rows_.erase(rows_.begin());
    seen_ = head;
    return {};
}

Result<std::vector<ledger::RunRow>> RunIndex::rows() {
    std::lock_guard guard(mutex_);
    WEIR_TRY(read_ ? read_changed() : read_all());
    std::vector<ledger::RunRow> out;
    out.reserve(rows_.size());
    for (const auto& [_, row] : rows_)
        out.push_back(row);
    return out;
}

} // namespace weir::facade
