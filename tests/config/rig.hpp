#pragma once

#include <string>
#include <vector>

#include <support/catch.hpp>

#include <weir/config/config.hpp>

#include "folder.hpp"

namespace weir::config::test {

/// Reads a configuration that must be right.
inline Config good(const std::string& text, const std::string& file = "etc/weir.yaml") {
    Problems problems;
    auto config = parse_config(text, file, problems);
    for (const auto& problem : problems)
        FAIL(problem.to_string());
    REQUIRE(config.has_value());
    return std::move(*config);
}

/// The problems of one that must be wrong.
inline std::vector<std::string> problems_of(const std::string& text) {
    Problems problems;
    const auto config = parse_config(text, "c.yaml", problems);
    CHECK(config.has_value() == problems.empty());
    std::vector<std::string> out;
    for (const auto& problem : problems)
        out.push_back(problem.to_string());
    return out;
}

inline std::string problem_of(const std::string& text) {
    const auto problems = problems_of(text);
    std::string all;
    for (const auto& problem : problems)
        all += problem + "\n";
    INFO(text + "\n" + all);
    REQUIRE(problems.size() == 1);
    return problems.front();
}

} // namespace weir::config::test
