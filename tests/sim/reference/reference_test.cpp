#include <cstdlib>
#include <map>
#include <set>

#include <weir/engine/why.hpp>

#include "trace.hpp"

using namespace weir;
using sim::ReferenceEngine;

namespace {

int seeds(int few, int many) {
    const char* is_long = std::getenv("WEIR_LONG");
    return is_long != nullptr && std::string(is_long) == "1" ? many : few;
}

/// What the ledger says was decided, beside what the model says; as text, so that a difference reads well.
std::multiset<std::string> decided(ledger::LedgerReader& reader) {
    std::multiset<std::string> out;
    ledger::Query query;
    query.limit = 1000;
    for (;;) {
        auto page = reader.decisions(query);
        REQUIRE(page.ok());
        for (const auto& row : page->rows) {
            auto text = std::to_string(row.trigger.value) + " v" + std::to_string(row.version) + " @" +
                        std::to_string(row.seq.value) + " " + std::string(ledger::to_string(row.verdict)) +
                        " " + row.reason + " [" + row.key + "]";
            for (const auto& used : row.included)
                text += " " + used.leaf + "=" + std::to_string(used.seq.value);
            if (row.verdict == ledger::Verdict::Fired) {
                const auto run = reader.run_of(row.no);
                REQUIRE(run.ok());
                text += " depth " + std::to_string(run->depth) + " " + run->arguments_json;
                if (run->state == ledger::RunState::Waiting) text += " waits " + run->hold;
            }
            out.insert(text);
        }
        if (page->next.empty()) return out;
        query.page = page->next;
    }
}

std::multiset<std::string> expected(const ReferenceEngine& model) {
    std::multiset<std::string> out;
    for (const auto& firing : model.firings()) {
        auto text = std::to_string(firing.trigger) + " v" + std::to_string(firing.version) + " @" +
                    std::to_string(firing.seq.value) + " " + firing.verdict + " " + firing.reason + " [" +
                    (firing.verdict == "failed" ? "" : firing.key) + "]";
        if (firing.used.size() > 1) {
            for (const auto& [leaf, seq] : firing.used)
                text += " " + leaf + "=" + std::to_string(seq.value);
        }
        if (firing.verdict == "fired") {
            text += " depth " + std::to_string(firing.depth) + " " + firing.arguments_json;
            if (firing.stage == ReferenceEngine::RunStage::Waiting) text += " waits " + firing.hold;
        }
        out.insert(text);
    }
    return out;
}

void compare_decisions(sim::Trace& trace) {
    const auto real = decided(trace.reader());
    const auto model = expected(trace.model());
    std::string difference;
    for (const auto& line : real) {
        if (model.count(line) != real.count(line)) difference += "\n  decided:  " + line;
    }
    for (const auto& line : model) {
        if (model.count(line) != real.count(line)) difference += "\n  expected: " + line;
    }
    INFO(difference);
    CHECK(difference.empty());
}

void compare_verdicts(sim::Trace& trace, std::map<std::string, int>& met) {
    for (const auto seq : trace.model().recorded()) {
        const auto row = trace.reader().input(seq);
        REQUIRE(row.ok());
        for (int trigger = 1; trigger <= trace.model().trigger_count(); ++trigger) {
            const auto wanted = trace.model().verdict(seq, trigger);
            const auto why = engine::why_event(trace.reader(), row.value(), ledger::TriggerNo(trigger));
            REQUIRE(why.ok());
            ++met[wanted.verdict + " " + wanted.reason];
            if (why->verdict != wanted.verdict || why->reason != wanted.reason) {
                INFO("event " << seq.value << " at trigger " << trigger << ": why says " << why->verdict
                              << " " << why->reason << " (" << why->text << "), expected " << wanted.verdict
                              << " " << wanted.reason);
                CHECK(false);
                return;
            }
            if (wanted.verdict == "held") {
                INFO("event " << seq.value << " at trigger " << trigger << ": " << why->text);
                CHECK(why->waits_for == trace.model().waits_for(seq, trigger));
            }
        }
    }
}

} // namespace

TEST_CASE("the core decides what the reference model decides, and why says so") {
    std::map<std::string, int> met;
    for (int seed = 1; seed <= seeds(25, 2000); ++seed) {
        INFO("seed " << seed);
        sim::Trace trace(static_cast<std::uint64_t>(seed));
        for (int i = 0; i < 300; ++i)
            trace.step();
        trace.finish();
        for (const auto& complaint : trace.model().complaints()) {
            INFO(complaint);
            CHECK(false);
        }
        compare_decisions(trace);
        compare_verdicts(trace, met);
    }
    std::string all;
    for (const auto& [verdict, count] : met)
        all += verdict + ": " + std::to_string(count) + "\n";
    INFO(all);
    // The traces are worth something only if they come by every verdict.
    for (const char* verdict :
         {"fired match", "fired joined", "fired slot", "held waiting", "expired expired", "filtered pattern",
          "filtered where", "filtered not_registered", "suppressed duplicate", "suppressed echo",
          "suppressed superseded", "suppressed overlap_skip", "suppressed queue_full", "suppressed updated",
          "suppressed dropped", "failed key_failed", "failed parameters_failed", "failed flow_missing"}) {
        INFO(verdict);
        CHECK(met[verdict] > 0);
    }
}
