#include "store.hpp"

#include <algorithm>

#include <weir/events/wire_codec.hpp>

namespace weir::events::embedded {
namespace {

/// Rows that one step of retention drops, so that a publisher never waits long behind it.
constexpr std::int64_t drop_rows_max = 5'000;
constexpr int wal_pages_before_checkpoint = 4'000;

constexpr sqlite::FileKind file_kind{
    "event bus", 0x57454231 /* "WEB1" */, 1,
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    // Positions are the row numbers: appending is writing at the end of one tree, reading is walking it.
    "CREATE TABLE event(pos INTEGER PRIMARY KEY, time INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;"};

} // namespace

struct Store::Parts {
    sqlite::FileLock lock;
    sqlite::Database writer;
    sqlite::Statement begin, commit, append, first, last, drop, older, pages, free_pages;
    std::mutex read_mutex;
    sqlite::Database reader;
    sqlite::Statement select;
    std::int64_t page_bytes = 4096;
    bool closed = false;
};

void Store::Closer::operator()(Parts* parts) const {
    delete parts;
}

namespace {

/// The value under a key, made from `fresh` if there is none yet.
Result<std::string> meta(sqlite::Database& database, std::string_view key, std::string_view fresh) {
    WEIR_ASSIGN(insert, database.prepare("INSERT INTO meta VALUES(CAST(?1 AS TEXT),CAST(?2 AS TEXT)) "
                                         "ON CONFLICT DO NOTHING"));
    WEIR_TRY(insert.bind_bytes(1, key).bind_bytes(2, fresh).run());
    WEIR_ASSIGN(select, database.prepare("SELECT value FROM meta WHERE key=CAST(?1 AS TEXT)"));
    WEIR_ASSIGN(row, select.bind_bytes(1, key).step());
    if (!row) return corrupt("the entry \"" + std::string(key) + "\" is missing");
    return std::string(select.bytes(0));
}

} // namespace

Result<Store> Store::open(const std::string& path, const EmbeddedBusOptions& options) {
    Store store;
    store.parts_.reset(new Parts());
    auto& parts = *store.parts_;
    if (options.vfs.empty()) {
        auto lock = sqlite::FileLock::take(path);
        // Positions are a primary key: whoever wakes up later cannot append where we did.
        const bool passed_by = !lock.ok() && options.take_over && lock.error().kind == ErrorKind::Conflict;
        if (!lock.ok() && !passed_by) return lock.error();
        if (lock.ok()) parts.lock = std::move(lock).value();
    }
    WEIR_ASSIGN(writer, sqlite::open_file(path, file_kind, options.vfs));
    parts.writer = std::move(writer);
    const auto opened = [&]() -> Status {
        auto& db = parts.writer;
        WEIR_TRY(db.run("PRAGMA wal_autocheckpoint=" + std::to_string(wal_pages_before_checkpoint)));
        WEIR_TRY(db.run("PRAGMA journal_size_limit=67108864"));
        WEIR_ASSIGN(page_bytes, db.number("PRAGMA page_size"));
        parts.page_bytes = page_bytes;
        if (options.file_bytes_max > 0)
            WEIR_TRY(db.run("PRAGMA max_page_count=" +
                            std::to_string(std::max<std::int64_t>(1, options.file_bytes_max / page_bytes))));
        WEIR_ASSIGN(incarnation, meta(db, "incarnation", options.incarnation));
        store.incarnation_ = std::move(incarnation);
        WEIR_ASSIGN(stream, meta(db, "stream", options.stream));
        if (stream != options.stream)
            return conflict("the file holds the stream \"" + stream + "\", not \"" + options.stream + "\"");
        const auto prepare = [&](sqlite::Statement& into, std::string_view sql) -> Status {
            WEIR_ASSIGN(statement, db.prepare(sql));
            into = std::move(statement);
            return {};
        };
        WEIR_TRY(prepare(parts.begin, "BEGIN IMMEDIATE"));
        WEIR_TRY(prepare(parts.commit, "COMMIT"));
        WEIR_TRY(prepare(parts.append, "INSERT INTO event VALUES(?1,?2,?3)"));
        WEIR_TRY(prepare(parts.first, "SELECT pos FROM event ORDER BY pos LIMIT 1"));
        WEIR_TRY(prepare(parts.last, "SELECT pos,time FROM event ORDER BY pos DESC LIMIT 1"));
        WEIR_TRY(prepare(parts.drop, "DELETE FROM event WHERE pos<?1"));
        WEIR_TRY(prepare(parts.older, "SELECT time FROM event WHERE pos=?1"));
        WEIR_TRY(prepare(parts.pages, "PRAGMA page_count"));
        WEIR_TRY(prepare(parts.free_pages, "PRAGMA freelist_count"));
        WEIR_ASSIGN(extent, store.look());
        store.opened_ = extent;
        WEIR_ASSIGN(reader, sqlite::Database::open(path, SQLITE_OPEN_READONLY, options.vfs));
        parts.reader = std::move(reader);
        WEIR_ASSIGN(select,
                    parts.reader.prepare(
                        "SELECT pos,time,bytes FROM event WHERE pos>?1 AND pos<=?2 ORDER BY pos LIMIT ?3"));
        parts.select = std::move(select);
        return {};
    }();
    if (!opened.ok()) return opened.error().in(path);
    return store;
}

Status Store::begin() {
    return parts_->begin.run();
}

Status Store::append(std::int64_t position, Instant time, std::string_view bytes) {
    return parts_->append.bind(1, position).bind(2, to_ns(time)).bind_bytes(3, bytes).run();
}

Status Store::commit() {
    return parts_->commit.run();
}

void Store::roll_back() {
    parts_->writer.roll_back();
}

Result<Extent> Store::look() {
    Extent extent;
    WEIR_ASSIGN(any, parts_->last.step());
    if (!any) return extent;
    extent.head = parts_->last.integer(0);
    extent.time = from_ns(parts_->last.integer(1));
    parts_->last.reset();
    WEIR_ASSIGN(row, parts_->first.step());
    extent.first = row ? parts_->first.integer(0) : extent.head + 1;
    parts_->first.reset();
    if (extent.first < 1) return corrupt("the file holds position " + std::to_string(extent.first));
    return extent;
}

Result<Cut> Store::find_cut(const CutQuery& query) {
    // Times never fall, so the first one young enough is found by halving.
    std::int64_t low = query.first, high = query.last + 1;
    while (low < high) {
        const auto middle = low + (high - low) / 2;
        WEIR_ASSIGN(row, parts_->older.bind(1, middle).step());
        if (!row) return corrupt("position " + std::to_string(middle) + " is missing");
        const bool old = from_ns(parts_->older.integer(0)) < query.older_than;
        parts_->older.reset();
        if (old)
            low = middle + 1;
        else
            high = middle;
    }
    std::int64_t cut = low;
    if (query.bytes_max > 0) {
        std::int64_t pages = 0;
        for (auto* statement : {&parts_->pages, &parts_->free_pages}) {
            WEIR_ASSIGN(row, statement->step());
            const auto count = row ? statement->integer(0) : 0;
            statement->reset();
            pages += statement == &parts_->pages ? count : -count;
        }
        const auto used = pages * parts_->page_bytes;
        const auto each = std::max<std::int64_t>(1, used / (query.head - query.first + 1));
        if (used > query.bytes_max)
            cut = std::max(cut, std::min(query.last + 1, query.first + (used - query.bytes_max) / each + 1));
    }
    Cut out;
    out.first_kept = std::min(cut, query.first + drop_rows_max);
    out.more = out.first_kept < cut;
    return out;
}

Status Store::drop_before(std::int64_t first_kept) {
    auto dropped = parts_->drop.bind(1, first_kept).run();
    if (!dropped.ok()) roll_back();
    return dropped;
}

Result<std::vector<Arrival>> Store::read(std::int64_t after, std::int64_t head, std::size_t events_max,
                                         std::size_t bytes_max) {
    auto& parts = *parts_;
    std::lock_guard lock(parts.read_mutex);
    if (parts.closed) return unavailable("the bus is closed");
    std::vector<Arrival> out;
    const auto count = std::min<std::uint64_t>(events_max, static_cast<std::uint64_t>(head - after));
    out.reserve(std::min<std::size_t>(count, 4096));
    std::size_t bytes = 0;
    parts.select.bind(1, after).bind(2, head).bind(3, static_cast<std::int64_t>(count));
    std::int64_t expected = after + 1;
    for (; out.size() < count && (out.empty() || bytes < bytes_max); ++expected) {
        WEIR_ASSIGN(row, parts.select.step());
        if (!row || parts.select.integer(0) != expected) {
            parts.select.reset();
            return corrupt("position " + std::to_string(expected) + " is missing");
        }
        const auto blob = parts.select.bytes(2);
        auto event = decode_wire(blob);
        if (!event.ok()) {
            parts.select.reset();
            return event.error().in("position " + std::to_string(expected));
        }
        bytes += blob.size();
        out.push_back(
            {Position(expected), from_ns(parts.select.integer(1)), std::move(event).value(), nullptr, true});
    }
    parts.select.reset();
    return out;
}

void Store::close() {
    auto& parts = *parts_;
    std::lock_guard lock(parts.read_mutex);
    if (parts.closed) return;
    parts.closed = true;
    parts.select = {};
    parts.reader.close();
    for (auto* statement : {&parts.begin, &parts.commit, &parts.append, &parts.first, &parts.last,
                            &parts.drop, &parts.older, &parts.pages, &parts.free_pages})
        *statement = {};
    parts.writer.close();
    parts.lock.release();
}

} // namespace weir::events::embedded
