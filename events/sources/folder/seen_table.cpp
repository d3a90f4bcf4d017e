#include "seen_table.hpp"

namespace weir::events::folder {
namespace {

constexpr sqlite::FileKind file_kind{
    "event source table", 0x57465331 /* "WFS1" */, 1,
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE file(name BLOB PRIMARY KEY, inode INTEGER NOT NULL, size INTEGER NOT NULL,"
    " modified INTEGER NOT NULL) STRICT, WITHOUT ROWID;"};

} // namespace

Result<SeenTable> SeenTable::open(const std::string& path, const std::string& folder) {
    SeenTable table;
    WEIR_ASSIGN(lock, sqlite::FileLock::take(path));
    table.lock_ = std::move(lock);
    WEIR_ASSIGN(database, sqlite::open_file(path, file_kind, {}));
    table.database_ = std::move(database);
    const auto prepare = [&](sqlite::Statement& into, std::string_view sql) -> Status {
        WEIR_ASSIGN(statement, table.database_.prepare(sql));
        into = std::move(statement);
        return {};
    };
    const auto opened = [&]() -> Status {
        WEIR_TRY(prepare(table.find_, "SELECT inode,size,modified FROM file WHERE name=?1"));
        WEIR_TRY(prepare(table.put_, "INSERT OR REPLACE INTO file VALUES(?1,?2,?3,?4)"));
        WEIR_TRY(prepare(table.remove_, "DELETE FROM file WHERE name=?1"));
        WEIR_TRY(prepare(table.all_, "SELECT name FROM file"));
        WEIR_ASSIGN(known,
                    table.database_.prepare("SELECT count(*) FROM meta WHERE key='folder' AND value=?1"));
        WEIR_ASSIGN(row, known.bind_bytes(1, folder).step());
        const bool same = row && known.integer(0) == 1;
        known.reset();
        if (!same) WEIR_TRY(table.start_for(folder));
        WEIR_ASSIGN(initialised, table.database_.number("SELECT count(*) FROM meta WHERE key='initialised'"));
        table.initialised_ = initialised == 1;
        return {};
    }();
    if (!opened.ok()) return opened.error().in(path);
    return table;
}

Status SeenTable::in_transaction(const std::function<Status()>& work) {
    WEIR_TRY(database_.run("BEGIN IMMEDIATE"));
    auto done = work();
    if (done.ok()) done = database_.run("COMMIT");
    if (!done.ok()) database_.roll_back();
    return done;
}

Status SeenTable::write(std::span<const SeenFile> files) {
    for (const auto& [name, file] : files)
        WEIR_TRY(
            put_.bind_bytes(1, name).bind(2, file.inode).bind(3, file.size).bind(4, file.modified_ns).run());
    return {};
}

Status SeenTable::start_for(const std::string& folder) {
    return in_transaction([&]() -> Status {
        WEIR_TRY(database_.run("DELETE FROM file; DELETE FROM meta"));
        WEIR_ASSIGN(put, database_.prepare("INSERT INTO meta VALUES('folder',?1)"));
        return put.bind_bytes(1, folder).run();
    });
}

Status SeenTable::initialise(std::span<const SeenFile> files) {
    const auto done = in_transaction([&]() -> Status {
        WEIR_TRY(write(files));
        return database_.run("INSERT OR REPLACE INTO meta VALUES('initialised',x'01')");
    });
    initialised_ = initialised_ || done.ok();
    return done;
}

Result<std::optional<Fingerprint>> SeenTable::find(std::string_view name) {
    WEIR_ASSIGN(row, find_.bind_bytes(1, name).step());
    if (!row) return std::optional<Fingerprint>();
    const Fingerprint file{find_.integer(0), find_.integer(1), find_.integer(2)};
    find_.reset();
    return std::optional(file);
}

Status SeenTable::record(std::span<const SeenFile> files) {
    return in_transaction([&] { return write(files); });
}

Status SeenTable::forget(std::span<const std::string> names) {
    if (names.empty()) return {};
    return in_transaction([&]() -> Status {
        for (const auto& name : names)
            WEIR_TRY(remove_.bind_bytes(1, name).run());
        return {};
    });
}

Status SeenTable::sweep(const std::function<bool(std::string_view)>& gone) {
    std::vector<std::string> names;
    while (true) {
        WEIR_ASSIGN(row, all_.step());
        if (!row) break;
        if (const auto name = all_.bytes(0); gone(name)) names.emplace_back(name);
    }
    return forget(names);
}

void SeenTable::close() {
    for (auto* statement : {&find_, &put_, &remove_, &all_})
        *statement = {};
    database_.close();
    lock_.release();
}

} // namespace weir::events::folder
