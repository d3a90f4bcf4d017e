#include <weir/ledger/sqlite_ledger.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>

#include <sqlite3.h>

#include <weir/base/log.hpp>

#include "sqlite/file.hpp"
#include "sqlite/folder_lock.hpp"
#include "sqlite/frozen_holder.hpp"
#include "sqlite/meta.hpp"
#include "sqlite/reader.hpp"
#include "sqlite/snapshot.hpp"
#include "sqlite/writer.hpp"

namespace weir::ledger {

namespace sqlite {

namespace {

struct Fresh {
    std::string instance;
    std::string place;
};

Status fill_fresh(Connection& connection, const void* context) {
    const auto& fresh = *static_cast<const Fresh*>(context);
    WEIR_TRY(write_meta(connection, meta_instance, fresh.instance));
    WEIR_TRY(write_meta(connection, meta_secret, random_bytes(32)));
    WEIR_TRY(write_meta(connection, meta_seen_key, random_bytes(16)));
    WEIR_TRY(write_meta(connection, meta_place, fresh.place));
    return connection.run("INSERT INTO log(log, epoch, next_seq, time, decisions, runs, held) VALUES(" +
                          std::to_string(schema::log_number) + ", 0, " + std::to_string(schema::first_seq) +
                          ", 0, 0, 0, 0)");
}

/// Makes sure that SQLite's write lock can be had although `lock` is another process', if need be by the end
/// of one that was stopped while it had it.
Status seize(Connection& connection, const FolderLock& lock, const SqliteLedgerOptions& options) {
    const auto free = [&]() -> Result<bool> {
        const auto transaction = Transaction::begin(connection, true);
        if (transaction.ok()) return true;
        if ((sqlite3_errcode(connection.handle()) & 0xff) == SQLITE_BUSY) return false;
        return transaction.error();
    };
    WEIR_ASSIGN(free_now, free());
    if (free_now) return {};
    WEIR_TRY(end_frozen_holder(lock, options.path));
    WEIR_ASSIGN(free_then, free());
    if (free_then) return {};
    return conflict("ledger " + options.path +
                    " cannot be taken over: its write lock stays taken, though not "
                    "by process " +
                    std::to_string(lock.holder()) + ", which the lock file names");
}

class Impl final : public SqliteLedger {
  public:
    Impl(FolderLock lock, const SqliteLedgerOptions& options, std::string place, bool moved,
         std::unique_ptr<Connection> connection, std::string seen_key)
        : lock_(std::move(lock)),
          place_(std::move(place)),
          moved_(moved),
          writer_(std::move(connection), seen_key),
          options_(options),
          reader_({options.path, options.vfs, false, false, options.busy_ms}, options.readers_max, seen_key) {
    }
    ~Impl() override { close(); }

    Status load() {
        return with([&](Writer& writer) { return writer.load(); });
    }

    Result<Epoch> take_epoch() override;
    Result<StreamState> register_stream(const StreamState& first_sight) override {
        return with([&](Writer& writer) { return writer.register_stream(first_sight); });
    }
    Result<Snapshot> snapshot() override {
        return with([&](Writer& writer) { return read_snapshot(writer.connection()); });
    }
    Status commit(const Batch& batch, Epoch epoch) override {
        return with([&](Writer& writer) { return writer.commit(batch, epoch); });
    }
    Result<std::optional<Seen>> find_seen(std::string_view source, std::string_view id,
                                          Instant time) override {
        return with([&](Writer& writer) { return writer.find_seen(source, id, time); });
    }
    Status retain(Instant payloads_before) override {
        return with([&](Writer& writer) { return writer.retain(payloads_before); });
    }
    void close() override;

    LedgerReader& reader() override { return reader_; }
    bool moved() const override { return moved_; }
    Status claim(Claim how, std::span<const PositionRow> heads) override;
    Status end_frozen_holder() override {
        return lock_.held() ? Status() : sqlite::end_frozen_holder(lock_, options_.path);
    }
    Result<std::int64_t> checkpoint() override;

  private:
    template <class Use>
    auto with(Use use) -> decltype(use(std::declval<Writer&>())) {
        if (closed_) return Error{ErrorKind::Cancelled, "ledger " + options_.path + " is closed"};
        return use(writer_);
    }

    std::mutex lock_mutex_; ///< over lock_
    FolderLock lock_;
    std::string place_;
    std::atomic<bool> moved_;
    std::atomic<bool> closed_ = false;
    Writer writer_;
    SqliteLedgerOptions options_;
    SqliteReader reader_;
    std::mutex checkpoint_mutex_;
    std::unique_ptr<Connection> checkpointer_;
};

void Impl::close() {
    if (closed_.exchange(true)) return;
    reader_.close();
    {
        std::lock_guard guard(checkpoint_mutex_);
        checkpointer_.reset();
    }
    writer_.close();
    std::lock_guard guard(lock_mutex_);
    lock_ = FolderLock();
}

Result<Epoch> Impl::take_epoch() {
    return with([&](Writer& writer) -> Result<Epoch> {
        std::lock_guard guard(lock_mutex_);
        if (!options_.take_over || !options_.vfs.empty() || lock_.try_again())
            return writer.take_epoch([]() -> Status { return {}; });
        WEIR_TRY(seize(writer.connection(), lock_, options_));
        // Not when it was opened: another process might have written the log meanwhile.
        return writer.take_epoch([&]() -> Status {
            WEIR_ASSIGN(bytes, secure_log(options_.path, options_.vfs));
            (void)bytes;
            return {};
        });
    });
}

Status Impl::claim(Claim how, std::span<const PositionRow> heads) {
    return with([&](Writer& writer) -> Status {
        auto& connection = writer.connection();
        WEIR_ASSIGN(transaction, Transaction::begin(connection, true));
        WEIR_TRY(write_meta(connection, meta_place, place_));
        if (how == Claim::New) {
            WEIR_TRY(write_meta(connection, meta_secret, random_bytes(32)));
            WEIR_TRY(writer.write_positions(heads));
            WEIR_TRY(
                writer.disown("this ledger is a copy that was claimed as new: the run is the original's"));
        }
        WEIR_TRY(transaction.commit());
        moved_ = false;
        return {};
    });
}

Result<std::int64_t> Impl::checkpoint() {
    std::lock_guard guard(checkpoint_mutex_);
    if (closed_) return Error{ErrorKind::Cancelled, "ledger " + options_.path + " is closed"};
    if (options_.take_over) {
        std::lock_guard lock_guard(lock_mutex_);
        if (!lock_.held() && lock_.try_again())
            log::info("the weir that was taken over is gone; the data folder's lock is ours now",
                      {{"ledger", options_.path}});
    }
    if (!checkpointer_) {
        // A connection of its own: a passive checkpoint then runs beside commits.
        WEIR_ASSIGN(made, Connection::open({options_.path, options_.vfs, false, false, options_.busy_ms}));
        WEIR_TRY(made->run("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"));
        // The pragma reads nothing: without a read the connection does not know yet that there is a log.
        WEIR_TRY(made->number("PRAGMA user_version"));
        checkpointer_ = std::move(made);
    }
    int pages = 0, done = 0;
    const int code =
        sqlite3_wal_checkpoint_v2(checkpointer_->handle(), "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &done);
    if (code != SQLITE_OK) return checkpointer_->error(code);
    return static_cast<std::int64_t>(std::max(pages, 0) - std::max(done, 0));
}

} // namespace

} // namespace sqlite

Result<std::unique_ptr<SqliteLedger>> open_sqlite_ledger(const SqliteLedgerOptions& options) {
    using namespace sqlite;
    WEIR_TRY(refuse_address(options.path));
    const bool real_files = options.vfs.empty();
    FolderLock lock;
    if (real_files) {
        std::error_code error;
        if (!options.create && !std::filesystem::exists(options.path, error))
            return not_found("there is no ledger " + options.path);
        WEIR_ASSIGN(taken, options.take_over ? FolderLock::take_or_pass(folder_of(options.path))
                                             : FolderLock::take(folder_of(options.path)));
        lock = std::move(taken);
        WEIR_TRY(make_private_file(options.path));
    }
    const bool passed_by = real_files && !lock.held();
    if (passed_by)
        log::warn("another weir has the data folder; it is taken over",
                  {{"process", lock.holder()}, {"ledger", options.path}});
    std::int64_t log_bytes = 0;
    if (!passed_by) {
        WEIR_ASSIGN(bytes, secure_log(options.path, options.vfs));
        log_bytes = bytes;
    }
    WEIR_ASSIGN(connection,
                Connection::open({options.path, options.vfs, options.create, false, options.busy_ms}));
    WEIR_TRY(refuse_read_only(*connection));
    const auto migrations = schema::migrations();
    WEIR_ASSIGN(state, examine(*connection, migrations.back().to));
    if (state == FileState::Empty && !options.create)
        return not_found(options.path + " is an empty file, not a ledger");
    WEIR_TRY(prepare_for_writing(*connection));
    if (log_bytes > log_bytes_kept) WEIR_TRY(connection->run("PRAGMA wal_checkpoint(TRUNCATE)"));
    const auto place = options.place.empty() && real_files ? place_of(options.path) : options.place;
    WEIR_ASSIGN(version, connection->number("PRAGMA user_version"));
    if (version < migrations.back().to) {
        if (passed_by) WEIR_TRY(seize(*connection, lock, options));
        const Fresh fresh{options.instance, place};
        WEIR_TRY(migrate(*connection, migrations, fill_fresh, &fresh));
    }
    WEIR_ASSIGN(stored_place, read_meta(*connection, meta_place));
    WEIR_ASSIGN(seen_key, read_meta(*connection, meta_seen_key));
    if (seen_key.size() < 16) return corrupt("ledger " + options.path + ": its seen_key is too short");
    auto ledger = std::make_unique<Impl>(std::move(lock), options, place, stored_place != place,
                                         std::move(connection), std::move(seen_key));
    WEIR_TRY(ledger->load());
    return std::unique_ptr<SqliteLedger>(std::move(ledger));
}

} // namespace weir::ledger
