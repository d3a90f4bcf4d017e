#include "ledger_commands.hpp"

#include <cstdio>
#include <string>

#include <poll.h>
#include <unistd.h>

#include <weir/base/clock.hpp>
#include <weir/base/json.hpp>
#include <weir/config/config.hpp>
#include <weir/ledger/maintenance.hpp>
#include <weir/ledger/sqlite_ledger.hpp>

#include "buses.hpp"

namespace weir::app {
namespace {

int failed(const char* command, const Error& error) {
    std::fprintf(stderr, "weir ledger %s: %s\n", command, error.message.c_str());
    return cli::exit_failed;
}

std::string ledger_path(const cli::LedgerOptions& options) {
    return options.data + "/ledger.db";
}

/// On a terminal one line that is written over; nothing in a pipe.
ledger::CopyProgress progress() {
    if (isatty(STDERR_FILENO) == 0) return {};
    return [](std::int64_t done, std::int64_t total) {
        std::fprintf(stderr, "\r%lld of %lld pages%s", static_cast<long long>(done),
                     static_cast<long long>(total), done == total ? "\n" : "");
    };
}

} // namespace

int ledger_backup(const cli::LedgerOptions& options) {
    const auto done = ledger::backup_ledger(ledger_path(options), options.file, progress());
    if (!done.ok()) return failed("backup", done.error());
    std::printf(options.json ? "{\"backup\":%s}\n" : "backed up to %s\n",
                options.json ? json_string(options.file).c_str() : options.file.c_str());
    return cli::exit_done;
}

int ledger_restore(const cli::LedgerOptions& options) {
    const auto path = ledger_path(options);
    if (options.force && access(path.c_str(), F_OK) == 0) {
        // Kept aside, never deleted: a restore by mistake must be possible to take back.
        const auto aside = path + ".before-restore-" + std::to_string(to_ns(SystemClock().now()));
        for (const std::string suffix : {"", "-wal", "-shm"}) {
            const auto from = path + suffix, to = aside + suffix;
            if (access(from.c_str(), F_OK) == 0 && std::rename(from.c_str(), to.c_str()) != 0)
                return failed("restore", unavailable("cannot move " + from + " aside"));
        }
        std::fprintf(stderr, "the ledger that was there is kept as %s\n", aside.c_str());
    }
    const auto done = ledger::restore_ledger(options.file, path, progress());
    if (!done.ok()) return failed("restore", done.error());
    std::printf(options.json ? "{\"restored\":%s}\n" : "restored %s\n",
                options.json ? json_string(path).c_str() : path.c_str());
    return cli::exit_done;
}

int ledger_verify(const cli::LedgerOptions& options) {
    const auto on_check = [](const std::string& check) {
        if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "checking: %s\n", check.c_str());
    };
    const auto path = options.file.empty() ? ledger_path(options) : options.file;
    const auto report = ledger::verify_ledger(path, {}, on_check);
    if (!report.ok()) return failed("verify", report.error());
    if (options.json) {
        std::string findings;
        for (const auto& finding : report->findings)
            findings += (findings.empty() ? "" : ",") + json_string(finding);
        std::printf("{\"sound\":%s,\"inputs\":%lld,\"decisions\":%lld,\"runs\":%lld,\"findings\":[%s]}\n",
                    report->findings.empty() ? "true" : "false", static_cast<long long>(report->inputs),
                    static_cast<long long>(report->decisions), static_cast<long long>(report->runs),
                    findings.c_str());
    } else {
        for (const auto& finding : report->findings)
            std::printf("%s\n", finding.c_str());
        std::printf("%lld inputs, %lld decisions, %lld runs: %s\n", static_cast<long long>(report->inputs),
                    static_cast<long long>(report->decisions), static_cast<long long>(report->runs),
                    report->findings.empty() ? "sound" : "not sound");
    }
    return report->findings.empty() ? cli::exit_done : cli::exit_failed;
}

namespace {

/// How long a bus is waited for.
constexpr auto bus_patience = std::chrono::seconds(20);

/// The heads of everything that a configuration reads, registered in the ledger where they are new.
Result<std::vector<ledger::PositionRow>> heads_of(const config::Config& config,
                                                  ledger::SqliteLedger& ledger) {
    const SystemClock clock;
    WEIR_ASSIGN(buses, open_buses(config, clock));
    std::vector<ledger::PositionRow> heads;
    for (const auto& named : buses) {
        const auto until = clock.steady_now() + bus_patience;
        auto streams = named.bus->streams();
        while (!streams.ok() && retryable(streams.error().kind) && clock.steady_now() < until) {
            ::poll(nullptr, 0, 100); // a remote bus connects meanwhile
            streams = named.bus->streams();
        }
        if (!streams.ok()) return streams.error().in("bus " + named.name);
        for (const auto& stream : *streams) {
            ledger::StreamState sight;
            sight.name = stream.name;
            sight.kind = "bus";
            sight.family = stream.family;
            sight.incarnation = stream.incarnation;
            WEIR_ASSIGN(state, ledger.register_stream(sight));
            ledger::PositionRow row;
            row.stream = state.no;
            row.position = std::max(stream.head, stream.last);
            row.time = clock.now();
            heads.push_back(row);
        }
        named.bus->close();
    }
    return heads;
}

Status claim(const config::Config& config, bool as_new) {
    ledger::SqliteLedgerOptions settings;
    settings.path = config.data + "/ledger.db";
    settings.create = false;
    WEIR_ASSIGN(ledger, ledger::open_sqlite_ledger(settings));
    std::vector<ledger::PositionRow> heads;
    if (as_new) {
        WEIR_ASSIGN(found, heads_of(config, *ledger));
        heads = std::move(found);
    }
    return ledger->claim(as_new ? ledger::Claim::New : ledger::Claim::Moved, heads);
}

} // namespace

int ledger_claim(const cli::LedgerOptions& options) {
    if (options.moved == options.as_new)
        return failed("claim", invalid("say --moved (the old place is gone) or --new (both go on)")),
               cli::exit_wrong_use;
    auto config = config::Config::laptop();
    config.data = options.data;
    if (!options.config.empty()) {
        auto read = config::read_config(options.config);
        if (!read.ok()) return failed("claim", read.error());
        config = std::move(*read);
    }
    if (const auto claimed = claim(config, options.as_new); !claimed.ok())
        return failed("claim", claimed.error());
    if (options.json)
        std::printf("{\"claimed\":\"%s\"}\n", options.moved ? "moved" : "new");
    else
        std::printf("claimed: %s\n",
                    options.moved ? "this ledger goes on here, with the same secret"
                                  : "this copy goes on with a new secret, from the heads of its streams");
    return cli::exit_done;
}

} // namespace weir::app
