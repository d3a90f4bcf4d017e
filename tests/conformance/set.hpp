#pragma once

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

namespace weir::conformance {

/// What came of one case.
struct Verdict {
    enum class Kind { Pass, Fail, Skip } kind = Kind::Pass;
    std::string expected; ///< Fail: one line
    std::string got;      ///< Fail: one line
    std::string reason;   ///< Skip: a short phrase, the same for all cases left out for it; they are counted
    static Verdict pass() { return {}; }
    static Verdict fail(std::string expected, std::string got) {
        return {Kind::Fail, std::move(expected), std::move(got), {}};
    }
    static Verdict skip(std::string reason) { return {Kind::Skip, {}, {}, std::move(reason)}; }
};

/// Runs one case (one line of a case file) of a set through the product's libraries.
using RunCase = std::function<Verdict(const nlohmann::json& test_case)>;

Verdict run_cel(const nlohmann::json& test_case);         // cel.cpp
Verdict run_cloudevents(const nlohmann::json& test_case); // cloudevents.cpp
Verdict run_cron(const nlohmann::json& test_case);        // cron.cpp

} // namespace weir::conformance
