#include <weir/ledger/records.hpp>

#include <array>

namespace weir::ledger {

namespace {

constexpr std::array<std::string_view, 8> run_state_words = {"waiting",  "ready",   "sent",    "unknown",
                                                             "accepted", "running", "settled", "ended"};

} // namespace

std::string_view to_string(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::Fired: return "fired";
        case Verdict::Suppressed: return "suppressed";
        case Verdict::Failed: return "failed";
    }
    return "failed";
}

std::string_view to_string(RunState state) noexcept {
    return run_state_words[static_cast<std::size_t>(state)];
}

std::optional<RunState> run_state_from(std::string_view word) noexcept {
    for (std::size_t i = 0; i < run_state_words.size(); ++i)
        if (run_state_words[i] == word) return static_cast<RunState>(i);
    return std::nullopt;
}

std::string_view to_string(TriggerState state) noexcept {
    switch (state) {
        case TriggerState::Active: return "active";
        case TriggerState::Paused: return "paused";
        case TriggerState::Tripped: return "tripped";
        case TriggerState::Deleted: return "deleted";
    }
    return "deleted";
}

} // namespace weir::ledger
