// A weir that does not answer any more is taken over: real processes, stopped and resumed.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include <support/catch.hpp>
#include <weir/ledger/maintenance.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "sqlite/connection.hpp"
#include "temporary_folder.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::test;

namespace {

constexpr std::int64_t first = (std::int64_t{1} << 48) | 1;

Result<std::unique_ptr<SqliteLedger>> open_at(const std::string& path, bool take_over) {
    SqliteLedgerOptions options;
    options.path = path;
    options.take_over = take_over;
    options.busy_ms = 100;
    return open_sqlite_ledger(options);
}

Batch batch_of(std::int64_t n) {
    Batch batch;
    InputRow input;
    input.seq = Seq(first + n);
    input.kind = InputKind::Command;
    input.time = from_ns(1000 + n);
    batch.inputs = {input};
    batch.next_seq = Seq(first + n + 1);
    batch.log_time = input.time;
    return batch;
}

/// A process that has the ledger open, and does what it is told by a letter on a pipe:
/// c commits (answers k: done, x: conflict, e: another error); w takes SQLite's write lock and keeps it.
class OtherWeir {
  public:
    OtherWeir(const std::string& path, std::int64_t next) {
        REQUIRE(::pipe(orders_) == 0);
        REQUIRE(::pipe(answers_) == 0);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) live(path, next);
        ::close(orders_[0]);
        ::close(answers_[1]);
        REQUIRE(answer() == 'o');
    }
    ~OtherWeir() {
        ::close(orders_[1]);
        ::close(answers_[0]);
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    OtherWeir(const OtherWeir&) = delete;
    OtherWeir& operator=(const OtherWeir&) = delete;

    char tell(char order) {
        REQUIRE(::write(orders_[1], &order, 1) == 1);
        return answer();
    }
    void stop() {
        REQUIRE(::kill(pid_, SIGSTOP) == 0);
        int status = 0;
        REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
        REQUIRE(WIFSTOPPED(status));
    }
    void resume() { REQUIRE(::kill(pid_, SIGCONT) == 0); }
    /// The signal that ended it.
    int ended_by() {
        int status = 0;
        REQUIRE(::waitpid(pid_, &status, 0) == pid_);
        pid_ = -1;
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    void end() {
        REQUIRE(tell('q') == 'q');
        CHECK(ended_by() == 0);
    }
    [[nodiscard]] int pid() const { return pid_; }

  private:
    char answer() {
        char letter = 0;
        REQUIRE(::read(answers_[0], &letter, 1) == 1);
        return letter;
    }
    [[noreturn]] void live(const std::string& path, std::int64_t next) {
        ::close(orders_[1]);
        ::close(answers_[0]);
        const auto say = [&](char letter) {
            if (::write(answers_[1], &letter, 1) != 1) ::_exit(1);
        };
        auto ledger = open_at(path, false);
        if (!ledger.ok()) ::_exit(2);
        const auto epoch = (*ledger)->take_epoch();
        if (!epoch.ok()) ::_exit(3);
        std::unique_ptr<sqlite::Connection> lock;
        say('o');
        for (char order = 0; ::read(orders_[0], &order, 1) == 1 && order != 'q';) {
            if (order == 'c') {
                const auto done = (*ledger)->commit(batch_of(next), *epoch);
                if (done.ok()) ++next;
                say(done.ok() ? 'k' : done.error().kind == ErrorKind::Conflict ? 'x' : 'e');
            } else if (order == 'w') {
                // As in the middle of a commit: rows are written and not committed.
                lock = sqlite::Connection::open({path, {}, false, false, 0}).value();
                const auto done = lock->run(
                    "BEGIN IMMEDIATE; UPDATE log SET next_seq = next_seq + 5; INSERT INTO "
                    "name(text) VALUES(hex(randomblob(3000000)))");
                say(done.ok() ? 'k' : 'e');
            }
        }
        say('q');
        ::_exit(0);
    }

    int orders_[2] = {-1, -1};
    int answers_[2] = {-1, -1};
    pid_t pid_ = -1;
};

bool says(const Error& error, const std::string& text) {
    INFO(error.message);
    return error.message.find(text) != std::string::npos;
}

void check_sound(const std::string& path, std::int64_t inputs) {
    const auto report = verify_ledger(path).value();
    for (const auto& finding : report.findings)
        CHECK(finding == "");
    CHECK(report.inputs == inputs);
}

} // namespace

TEST_CASE("a weir that was stopped between commits is taken over, and refused when it goes on") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    OtherWeir other(path, 0);
    REQUIRE(other.tell('c') == 'k');
    other.stop();
    const auto refused = open_at(path, false);
    REQUIRE_FALSE(refused.ok());
    CHECK(says(refused.error(), "in use by another weir (process " + std::to_string(other.pid()) + ")"));
    auto ours = open_at(path, true);
    REQUIRE(ours.ok());
    const auto epoch = (*ours)->take_epoch().value();
    CHECK((*ours)->snapshot().value().next_seq == Seq(first + 1));
    REQUIRE((*ours)->commit(batch_of(1), epoch).ok());
    // It still has the folder's lock: nothing is taken from it by checkpoints.
    REQUIRE((*ours)->checkpoint().ok());
    CHECK(open_at(path, false).error().kind == ErrorKind::Conflict);
    other.resume();
    CHECK(other.tell('c') == 'x');
    REQUIRE((*ours)->commit(batch_of(2), epoch).ok());
    CHECK(other.tell('c') == 'x');
    other.end();
    // The lock is free; the next checkpoint takes it, and from then on we are named.
    REQUIRE((*ours)->checkpoint().ok());
    const auto after = open_at(path, false);
    REQUIRE_FALSE(after.ok());
    CHECK(says(after.error(), "(process " + std::to_string(::getpid()) + ")"));
    REQUIRE((*ours)->commit(batch_of(3), epoch).ok());
    ours->reset();
    check_sound(path, 4);
    CHECK(open_at(path, false).ok());
}

TEST_CASE("a weir that was stopped in the middle of a commit is killed when it is taken over") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    OtherWeir other(path, 0);
    REQUIRE(other.tell('c') == 'k');
    REQUIRE(other.tell('w') == 'k');
    other.stop();
    auto ours = open_at(path, true);
    REQUIRE(ours.ok());
    const auto epoch = (*ours)->take_epoch();
    INFO((epoch.ok() ? std::string() : epoch.error().message));
    REQUIRE(epoch.ok());
    CHECK(*epoch == Epoch(2));
    CHECK(other.ended_by() == SIGKILL);
    // Nothing of what it had begun is there.
    CHECK((*ours)->snapshot().value().next_seq == Seq(first + 1));
    REQUIRE((*ours)->commit(batch_of(1), *epoch).ok());
    REQUIRE((*ours)->checkpoint().ok());
    CHECK(says(open_at(path, false).error(), "(process " + std::to_string(::getpid()) + ")"));
    ours->reset();
    check_sound(path, 2);
}

TEST_CASE("a weir that runs and keeps the write lock is not killed but named") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    OtherWeir other(path, 0);
    REQUIRE(other.tell('w') == 'k');
    auto ours = open_at(path, true);
    REQUIRE(ours.ok());
    const auto epoch = (*ours)->take_epoch();
    REQUIRE_FALSE(epoch.ok());
    CHECK(epoch.error().kind == ErrorKind::Conflict);
    CHECK(says(epoch.error(), "process " + std::to_string(other.pid())));
    CHECK(says(epoch.error(), "is running, not stopped"));
    CHECK(says(epoch.error(), "end that process and start again"));
    other.end();
    CHECK((*ours)->take_epoch().ok());
}

TEST_CASE("a stopped process that only has the write lock, not the folder, is left alone") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    OtherWeir other(path, 0);
    REQUIRE(other.tell('w') == 'k');
    other.stop();
    // Whoever is named has not this lock file open: a number from a time before, or of another container.
    SECTION("another process is named") {
        write_all(folder.path("lock"), std::to_string(::getppid()) + "\n");
    }
    SECTION("this one is named") {
        write_all(folder.path("lock"), std::to_string(::getpid()) + "\n");
    }
    SECTION("nobody is named") {
        write_all(folder.path("lock"), "");
    }
    auto ours = open_at(path, true);
    REQUIRE(ours.ok());
    const auto epoch = (*ours)->take_epoch();
    REQUIRE_FALSE(epoch.ok());
    CHECK(epoch.error().kind == ErrorKind::Conflict);
    other.resume();
    other.end();
    CHECK((*ours)->take_epoch().ok());
}

TEST_CASE("taking over where nobody is, is opening") {
    const TemporaryFolder folder;
    const auto path = folder.path("ledger.db");
    auto ours = open_at(path, true);
    REQUIRE(ours.ok());
    CHECK(open_at(path, false).error().kind == ErrorKind::Conflict);
    const auto epoch = (*ours)->take_epoch().value();
    CHECK((*ours)->commit(batch_of(0), epoch).ok());
    CHECK((*ours)->checkpoint().ok());
}
