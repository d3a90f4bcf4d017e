// SQLite over disks that lose power, fail and fill up: what returned success is there, and nothing by halves.
#include <support/catch.hpp>
#include <support/fault_vfs.hpp>
#include <weir/ledger/maintenance.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "ledger_contract.hpp"

using namespace weir;
using namespace weir::ledger;
using namespace weir::ledger::contract;
using support::DiskFault;
using support::DiskOp;
using support::FaultDisk;
using support::PowerLoss;

namespace {

struct Chance {
    std::uint64_t state;
    std::uint64_t below(std::uint64_t n) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return (state >> 33) % n;
    }
};

Result<std::unique_ptr<SqliteLedger>> open_on(const FaultDisk& disk) {
    SqliteLedgerOptions options;
    options.path = "/ledger.db";
    options.vfs = disk.name();
    options.busy_ms = 0;
    return open_sqlite_ledger(options);
}

/// What the engine would know: where it goes on, and which inputs make one batch.
struct Model {
    std::int64_t next = 1; ///< input
    std::int64_t decisions = 0;
    std::optional<std::int64_t> held;
    std::vector<std::int64_t> ends; ///< first input behind each batch
};

/// A batch of 1 to `most` inputs: each fires, is held in place of the one before and has its run.
Batch next_batch(Chance& chance, const Model& model, Model& after, std::uint64_t most) {
    after = model;
    std::vector<InputRow> inputs;
    const auto n = static_cast<std::int64_t>(1 + chance.below(most));
    for (std::int64_t i = 0; i < n; ++i) {
        inputs.push_back(arrival(after.next + i, std::to_string(after.next + i)));
        inputs.back().body = std::string(chance.below(900) + 1, 'b');
    }
    auto batch = batch_of(std::move(inputs));
    if (model.next == 1) {
        batch.trigger_versions = {trigger(1, "retrain", 1, 1)};
        batch.flow_versions = {flow("train", "v1", 1)};
    }
    for (std::int64_t i = 0; i < n; ++i) {
        const auto seq_no = after.next + i;
        batch.decisions.push_back(decision(++after.decisions, seq_no));
        batch.runs.push_back(run(after.decisions, after.decisions, seq_no));
        batch.runs.back().sent_epoch = Epoch(0);
        batch.held_entered.push_back(enter(1, 0, seq_no));
        if (after.held) batch.held_left.push_back(leave(1, 0, *after.held, seq_no, "superseded"));
        after.held = seq_no;
    }
    // One event goes out with each batch, and the one of the batch before has gone; one dead letter; every
    // second batch finds a gap, which the next accepts.
    const auto no = static_cast<std::int64_t>(model.ends.size()) + 1;
    batch.outgoing = {outgoing(no)};
    if (no > 1) batch.outgoing_done = {OutgoingNo(no - 1)};
    batch.dead_letters = {dead_letter(no)};
    if (no % 2 == 1)
        batch.gaps = {gap(no)};
    else
        batch.gaps_accepted = {{GapNo(no - 1), batch.inputs.back().seq}};
    batch.streams = {{StreamNo(1), "i" + std::to_string(no)}};
    after.next += n;
    after.ends.push_back(after.next);
    batch.positions = {{StreamNo(1), batch.inputs.back().position, batch.inputs.back().time,
                        batch.inputs.back().position, sha256("p")}};
    return batch;
}

/// The ledger holds `acknowledged`, or that and the one batch whose fate was not reported. Returns what it
/// holds.
Model check_after_loss(const FaultDisk& disk, const Model& acknowledged, const Model& pending) {
    auto opened = open_on(disk);
    INFO((opened.ok() ? std::string() : opened.error().message));
    REQUIRE(opened.ok());
    const auto snapshot = (*opened)->snapshot().value();
    const auto next = snapshot.next_seq.value - first + 1;
    const bool whole = next == acknowledged.next || next == pending.next;
    CHECK(whole);
    const auto& model = next == acknowledged.next ? acknowledged : pending;
    CHECK(snapshot.next_decision.value == model.decisions + 1);
    CHECK(snapshot.runs.size() == static_cast<std::size_t>(model.decisions));
    CHECK(snapshot.held.size() == (model.held ? 1u : 0u));
    const auto batches = static_cast<std::int64_t>(model.ends.size());
    REQUIRE(snapshot.outgoing.size() == (batches > 0 ? 1u : 0u));
    if (batches > 0) CHECK(differ(snapshot.outgoing[0], outgoing(batches)) == "");
    CHECK(snapshot.gaps.size() == (batches % 2 == 1 ? 1u : 0u));
    CHECK(snapshot.next_outgoing.value == batches + 1);
    CHECK(snapshot.next_dead_letter.value == batches + 1);
    if (model.next > 1) {
        CHECK(snapshot.streams.at(0).position == Position(1000 + model.next - 1));
        CHECK(snapshot.streams.at(0).incarnation == "i" + std::to_string(batches));
        CHECK((*opened)->reader().dead_letter(DeadLetterNo(batches)).value().message ==
              dead_letter(batches).message);
    }
    for (std::int64_t n = 1; n < model.next; n += 1 + model.next / 7)
        CHECK((*opened)->find_seen("/s", std::to_string(n), at(n)).value()->seq == seq(n));
    opened->reset();
    const auto report = verify_ledger("/ledger.db", disk.name());
    REQUIRE(report.ok());
    for (const auto& finding : report->findings)
        INFO(finding);
    CHECK(report->findings.empty());
    return model;
}

/// One life of a process: opens, commits until something fails for good or it is killed, `patience` tries a
/// batch.
bool live(FaultDisk& disk, Chance& chance, Model& acknowledged, Model& pending, int batches,
          int patience = 50) {
    auto opened = open_on(disk);
    if (!opened.ok()) return false;
    auto& ledger = **opened;
    if (!ledger.register_stream({.name = "embedded", .kind = "bus", .incarnation = "i1"}).ok()) return false;
    const auto epoch = ledger.take_epoch();
    if (!epoch.ok()) return false;
    for (int i = 0; i < batches; ++i) {
        const auto batch = next_batch(chance, acknowledged, pending, i % 3 == 0 ? 40 : 3);
        auto status = ledger.commit(batch, *epoch);
        for (int again = 0; again < patience && !status.ok() && !disk.power_is_off(); ++again) {
            INFO(status.error().message);
            REQUIRE(status.error().kind == ErrorKind::Unavailable);
            status = ledger.commit(batch, *epoch);
        }
        if (!status.ok()) return false;
        acknowledged = pending;
        if (chance.below(4) == 0) (void)ledger.checkpoint();
    }
    if (chance.below(2) == 0) disk.kill();
    return true;
}

} // namespace

TEST_CASE("whenever the power goes, every commit that returned is there, and none by halves") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        FaultDisk disk("ledger-power", seed);
        Chance chance{seed};
        Model acknowledged, pending;
        for (int life = 0; life < 4; ++life) {
            disk.fail(chance.below(2) == 0 ? DiskOp::Sync : DiskOp::Write,
                      1 + chance.below(life == 0 ? 60 : 30), DiskFault::Power);
            live(disk, chance, acknowledged, pending, 12);
            disk.heal();
            const PowerLoss ways[] = {PowerLoss::DropAll, PowerLoss::KeepSome, PowerLoss::Torn};
            disk.power_loss(ways[chance.below(3)], seed * 31 + static_cast<std::uint64_t>(life));
            acknowledged = check_after_loss(disk, acknowledged, pending);
            pending = acknowledged;
        }
    }
}

TEST_CASE("a disk that fails now and then delays commits and breaks none") {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        INFO("seed " << seed);
        FaultDisk disk("ledger-faults", seed);
        Chance chance{seed};
        Model acknowledged, pending;
        REQUIRE(open_on(disk).ok());
        for (int life = 0; life < 3; ++life) {
            disk.fail_at_random(10 + chance.below(40));
            live(disk, chance, acknowledged, pending, 10, static_cast<int>(chance.below(6)));
            disk.heal();
            if (chance.below(2) == 0) disk.power_loss(PowerLoss::Torn, seed);
            acknowledged = check_after_loss(disk, acknowledged, pending);
            pending = acknowledged;
        }
    }
}

TEST_CASE(
    "what a killed process could not sync is made durable by the next one, before anything builds on it") {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        INFO("seed " << seed);
        FaultDisk disk("ledger-unsynced", seed);
        Chance chance{seed};
        Model acknowledged, pending;
        for (int life = 0; life < 3; ++life) {
            {
                // The last commit of each life fails to sync, and the process is killed before it tries
                // again.
                auto opened = open_on(disk);
                REQUIRE(opened.ok());
                REQUIRE((*opened)
                            ->register_stream({.name = "embedded", .kind = "bus", .incarnation = "i1"})
                            .ok());
                const auto epoch = (*opened)->take_epoch().value();
                for (int i = 0; i < 3; ++i) {
                    const auto batch = next_batch(chance, acknowledged, pending, 5);
                    if (i == 2) disk.fail(DiskOp::Sync, 1, DiskFault::Error, 0);
                    const auto status = (*opened)->commit(batch, epoch);
                    if (status.ok()) acknowledged = pending;
                }
                disk.kill();
            }
            disk.heal();
            auto looked = open_on(disk);
            REQUIRE(looked.ok());
            const auto next = (*looked)->snapshot().value().next_seq.value - first + 1;
            disk.kill();
            looked->reset();
            if (next == pending.next) acknowledged = pending;
            {
                auto opened = open_on(disk);
                const auto epoch = (*opened)->take_epoch().value();
                const auto batch = next_batch(chance, acknowledged, pending, 5);
                REQUIRE((*opened)->commit(batch, epoch).ok());
                acknowledged = pending;
                disk.power_loss(PowerLoss::DropAll, seed);
            }
            acknowledged = check_after_loss(disk, acknowledged, pending);
            pending = acknowledged;
        }
    }
}

TEST_CASE("a ledger is made whole or not at all") {
    for (std::uint64_t n = 1; n <= 12; ++n) {
        for (const auto op : {DiskOp::Write, DiskOp::Sync}) {
            INFO(n << (op == DiskOp::Write ? "th write" : "th sync"));
            FaultDisk disk("ledger-birth");
            disk.fail(op, n, DiskFault::Power);
            (void)open_on(disk);
            disk.heal();
            disk.power_loss(PowerLoss::Torn, n);
            const auto opened = open_on(disk);
            INFO((opened.ok() ? std::string() : opened.error().message));
            REQUIRE(opened.ok());
            CHECK((*opened)->snapshot().value().next_seq == seq(1));
        }
    }
}
