#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/loop.hpp>
#include <weir/engine/shell.hpp>
#include <weir/events/wire_codec.hpp>
#include <weir/ledger/memory_ledger.hpp>
#include <weir/triggers/compiled.hpp>

#include "broken_bus.hpp"

// The shell over remote buses: real threads, a bus that loses what it is told to lose.
namespace weir::engine::test {

using namespace std::chrono_literals;

inline events::Event event(const std::string& id) {
    events::Event event;
    event.id = id;
    event.source = "/test";
    event.type = "data.ready";
    event.data_kind = events::DataKind::Json;
    event.data = "{}";
    return event;
}

inline TriggerApply trigger_on_data() {
    const std::string text = "trigger: tr\nteam: t\nwhen: {event: data.ready}\nlaunch: {flow: f}\n";
    Problems problems;
    auto documents = triggers::read_triggers(text, "test", problems);
    REQUIRE(problems.empty());
    auto compiled = triggers::compile(documents.at(0), problems);
    REQUIRE(problems.empty());
    return {std::move(compiled), TriggerUid{Uuid::time_led(from_ns(1), sha256("uid"))}, text};
}

struct Rig {
    SystemClock clock;
    Loop loop;
    std::unique_ptr<ledger::MemoryLedger> ledger = ledger::make_memory_ledger("test", std::string(32, 's'));
    BrokenBus bus{"b"};
    std::string stream = bus.add_stream("S");
    ShellConfig config;
    events::Bus* outside = nullptr;
    int ledger_tasks = 0;
    std::unique_ptr<Shell> shell;

    ~Rig() {
        loop.stop();
        shell.reset();
    }

    void open() {
        loop.run_ready();
        shell.reset();
        ShellPorts ports{clock, *ledger, {&bus}, {}, {}, {}, {}};
        ports.post = [this](std::function<void()> task) { loop.post(std::move(task)); };
        ports.commit_on = [this](const std::function<void()>& task) {
            ++ledger_tasks;
            task();
        };
        ports.mint_uid = [] { return TriggerUid{Uuid::time_led(from_ns(1), sha256("uid"))}; };
        ports.outside = outside;
        shell = std::make_unique<Shell>(std::move(ports), config);
        const auto opened = shell->open();
        INFO((opened.ok() ? "" : opened.error().message));
        REQUIRE(opened.ok());
    }
    /// Turns until it is so, or for ten seconds.
    bool until(const std::function<bool()>& is_so) {
        const auto deadline = clock.steady_now() + 10s;
        while (clock.steady_now() < deadline) {
            while (shell->turn()) {
            }
            if (is_so()) return true;
            loop.run_until(clock.steady_now() + 5ms);
        }
        return is_so();
    }
    void apply() {
        ApplyInput input;
        auto flow = std::make_shared<flows::FlowVersion>();
        flow->team = "t";
        flow->flow = "f";
        flow->version = "1";
        flow->backend = "none";
        input.flows.push_back(flow);
        input.triggers.push_back(trigger_on_data());
        input.principal = "test";
        input.reason = "test";
        bool done = false;
        shell->submit(std::move(input), [&](const Shell::Outcome& outcome) {
            REQUIRE_FALSE(outcome.error);
            done = true;
        });
        REQUIRE(until([&] { return done; }));
    }
    /// Ready to read: the stream is registered and a trigger listens.
    void start() {
        open();
        REQUIRE(until([&] { return !shell->streams().empty(); }));
        apply();
    }
    std::vector<std::string> recorded() {
        ledger::Query query;
        query.limit = 1000;
        query.type = "data.ready";
        std::vector<std::string> ids;
        const auto page = ledger->reader().events(query);
        REQUIRE(page.ok());
        for (const auto& row : page->rows)
            ids.insert(ids.begin(), row.id);
        return ids;
    }
    bool have(const std::vector<std::string>& ids) {
        return until([&] { return recorded() == ids; });
    }
    void say(const std::string& id) { bus.append(stream, event(id), clock.now()); }
    std::string stopped() {
        for (const auto& view : shell->streams())
            if (view.name == stream) return view.stopped;
        return {};
    }
    std::optional<Error> accept() {
        std::optional<Shell::Outcome> outcome;
        shell->accept_gap(stream, "test", "known", [&](Shell::Outcome made) { outcome = std::move(made); });
        REQUIRE(until([&] { return outcome.has_value(); }));
        return outcome->error;
    }
    std::vector<ledger::GapRow> gaps() {
        auto found = ledger->reader().gaps();
        REQUIRE(found.ok());
        return *found;
    }
};

inline bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace weir::engine::test
