#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include <weir/base/digest.hpp>
#include <weir/engine/core.hpp>
#include <weir/events/wire_codec.hpp>
#include <weir/flows/arguments.hpp>
#include <weir/ledger/memory_ledger.hpp>
#include <weir/triggers/event_view.hpp>

#include "reference_engine.hpp"

namespace weir::sim {

/// A small seeded generator (SplitMix64): a seed names a trace.
class Chance {
  public:
    explicit Chance(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}
    int below(int n) {
        auto z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return static_cast<int>((z ^ (z >> 31)) % static_cast<std::uint64_t>(n));
    }
    bool percent(int percent) { return below(100) < percent; }
    template <class T>
    const T& pick(const std::vector<T>& from) {
        return from[static_cast<std::size_t>(below(static_cast<int>(from.size())))];
    }

  private:
    std::uint64_t state_;
};

/// The product's core on the ledger in memory, input by input, and the reference model beside it, fed the
/// same. No shell, no bus: the core's decisions and what `why` makes of the record are what is compared.
class Trace {
  public:
    explicit Trace(std::uint64_t seed);

    /// A step of random length and kind: arrivals mostly, then runs, changes and time.
    void step();
    /// Everything that is still to be compared at the end.
    void finish();

    [[nodiscard]] ledger::LedgerReader& reader() { return ledger_->reader(); }
    [[nodiscard]] const ReferenceEngine& model() const { return model_; }

  private:
    Seq feed(engine::Input input);
    void timers_before(Instant time);
    void arrive();
    void advance_run();
    void change();
    void put(const std::string& text);
    void learn_runs(const ledger::Batch& batch);
    void tell_model(const engine::Input& input, Seq seq, const ledger::Batch& batch);
    void settle_in_model(const engine::RunFactInput& fact, Seq seq, Instant time, const ledger::Batch& batch);
    [[nodiscard]] std::optional<ReferenceEngine::FiringName> name_of(ledger::RunNo run) const;
    std::string document();
    events::Event event();

    Chance chance_;
    std::unique_ptr<ledger::MemoryLedger> ledger_;
    ledger::Epoch epoch_;
    ledger::StreamNo stream_;
    std::unique_ptr<engine::Core> core_;
    ReferenceEngine model_;
    std::shared_ptr<const flows::FlowVersion> flow_;
    Seq next_{};
    Instant now_{};
    std::int64_t position_ = 0;
    int events_ = 0;
    std::map<ledger::RunNo, ReferenceEngine::FiringName> names_;
    std::map<ledger::RunNo, int> attempts_;
    std::vector<events::Event> sent_;
    std::vector<ledger::RunNo> ended_;
};

} // namespace weir::sim
