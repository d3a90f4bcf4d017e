#include <functional>

#include "schema/schema.hpp"
#include "sqlite/file.hpp"
#include "sqlite/reader.hpp"

namespace weir::ledger::sqlite {

Result<std::unique_ptr<ReadSession>> SqliteReader::acquire() {
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return closed_ || !idle_.empty() || open_ < connections_max_; });
        if (closed_) return Error{ErrorKind::Cancelled, "ledger " + options_.path + " is closed"};
        if (!idle_.empty()) {
            auto session = std::move(idle_.back());
            idle_.pop_back();
            return session;
        }
        ++open_;
    }
    auto opened = [&]() -> Result<std::unique_ptr<ReadSession>> {
        WEIR_ASSIGN(connection, Connection::open(options_));
        WEIR_TRY(prepare_for_reading(*connection));
        return std::make_unique<ReadSession>(std::move(connection));
    }();
    if (!opened.ok()) release(nullptr);
    return opened;
}

void SqliteReader::release(std::unique_ptr<ReadSession> session) {
    std::lock_guard lock(mutex_);
    if (session && !closed_)
        idle_.push_back(std::move(session));
    else
        --open_;
    session.reset();
    changed_.notify_all();
}

void SqliteReader::close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    open_ -= idle_.size();
    idle_.clear();
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_ == 0; });
}

void Filter::add(const std::string& condition, std::int64_t value) {
    add(condition);
    values_.push_back({false, value, {}});
}

void Filter::add_text(const std::string& condition, std::string_view text) {
    add(condition);
    values_.push_back({true, 0, text});
}

void Filter::bind(Statement& statement) const {
    for (const auto& value : values_) {
        if (value.is_text)
            statement.bind_text(value.text);
        else
            statement.bind(value.number);
    }
}

namespace {

/// The first key of a table whose value is at least `bound`, where values rise with keys. `look`: key and
/// value of the first row at or after a key; it finds nothing past the end.
Result<std::int64_t> bisect(Connection& connection, const char* look, std::int64_t low, std::int64_t end,
                            std::int64_t bound) {
    WEIR_ASSIGN(query, connection.prepare(look));
    while (low < end) {
        const auto middle = low + (end - low) / 2;
        WEIR_ASSIGN(found, query.bind(middle).step());
        if (!found || query.integer(1) >= bound)
            end = middle;
        else
            low = query.integer(0) + 1;
        query.rewind();
    }
    return low;
}

} // namespace

Result<std::int64_t> first_seq_at(Connection& connection, Instant time) {
    WEIR_ASSIGN(end, connection.number("SELECT next_seq FROM log WHERE log = 1"));
    return bisect(connection, "SELECT seq, time FROM input WHERE seq >= ? ORDER BY seq LIMIT 1",
                  schema::first_seq, end, to_ns(time));
}

Result<std::int64_t> first_run_at(Connection& connection, std::int64_t seq) {
    WEIR_ASSIGN(last, connection.number("SELECT coalesce(max(run), 0) FROM run"));
    return bisect(connection, "SELECT run, created_seq FROM run WHERE run >= ? ORDER BY run LIMIT 1", 1,
                  last + 1, seq);
}

Result<std::int64_t> first_decision_at(Connection& connection, std::int64_t seq) {
    WEIR_ASSIGN(last, connection.number("SELECT coalesce(max(dec), 0) FROM decision"));
    return bisect(connection, "SELECT dec, seq FROM decision WHERE dec >= ? ORDER BY dec LIMIT 1", 1,
                  last + 1, seq);
}

Result<std::vector<std::int64_t>> inputs_of_id(Connection& connection, std::string_view seen_key,
                                               std::string_view id) {
    // A publisher that gives every event the same id must not make a listing endless.
    constexpr std::size_t candidates_max = 10'000;
    std::vector<std::int64_t> seqs;
    IdentityHash hash(seen_key);
    const auto bits = hash.id_bits(id);
    WEIR_ASSIGN(newest, connection.number("SELECT coalesce(max(k), 0) >> 43 FROM seen"));
    WEIR_ASSIGN(oldest, connection.number("SELECT coalesce(min(k), 0) >> 43 FROM seen"));
    WEIR_ASSIGN(query, connection.prepare("SELECT seq FROM seen WHERE k >= ? AND k < ?"));
    for (auto day = newest; day >= oldest && seqs.size() < candidates_max; --day) {
        const auto first = IdentityHash::key(day, bits);
        const auto begin = seqs.size();
        query.bind(first).bind(first + (std::int64_t{1} << 15));
        WEIR_ASSIGN(found, collect(query, [](Statement& s) -> Result<std::int64_t> { return s.integer(0); }));
        query.rewind();
        seqs.insert(seqs.end(), found.begin(), found.end());
        std::sort(seqs.begin() + static_cast<std::ptrdiff_t>(begin), seqs.end(), std::greater<>());
    }
    if (seqs.size() > candidates_max) seqs.resize(candidates_max);
    return seqs;
}

} // namespace weir::ledger::sqlite
