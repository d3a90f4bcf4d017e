// weir-conformance SET FILE.jsonl [--only ID]: runs a case file through the product's libraries.
// Prints id, expected and got of each failure, then the skips by reason, then "N passed, N failed, N
// skipped". Exit: 0 all passed or skipped, 1 a failure, 2 wrong use or an unreadable file.

#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "set.hpp"

namespace weir::conformance {
namespace {

struct Set {
    std::string name;
    RunCase run; ///< empty: known by name, not built in here
};

const std::vector<Set>& sets() {
    static const std::vector<Set> all = {
        {"cel", run_cel},
#ifdef WEIR_CONFORMANCE_CLOUDEVENTS
        {"cloudevents", run_cloudevents},
#else
        {"cloudevents", {}},
#endif
#ifdef WEIR_CONFORMANCE_CRON
        {"cron", run_cron},
#else
        {"cron", {}},
#endif
    };
    return all;
}

int wrong_use(const std::string& what) {
    std::string names;
    for (const auto& set : sets())
        if (set.run) names += (names.empty() ? "" : ", ") + set.name;
    std::cerr << "weir-conformance: " << what << "\n"
              << "usage: weir-conformance SET FILE.jsonl [--only ID]\nsets: " << names << "\n";
    return 2;
}

struct Tally {
    std::size_t passed = 0;
    std::size_t failed = 0;
    std::map<std::string, std::size_t> skipped;
};

Verdict run_one(const RunCase& run, const nlohmann::json& test_case) {
    try {
        return run(test_case);
    } catch (const std::exception& e) {
        return Verdict::fail("a case that can be read", std::string("an exception: ") + e.what());
    }
}

int run_file(const Set& set, const std::string& path, const std::string& only) {
    std::ifstream file(path);
    if (!file) return wrong_use("cannot read " + path);
    Tally tally;
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        if (line.empty()) continue;
        const auto test_case = nlohmann::json::parse(line, nullptr, false);
        if (!test_case.is_object() || !test_case.contains("id") || !test_case.at("id").is_string())
            return wrong_use(path + ":" + std::to_string(number) +
                             ": not a case: expected a JSON object with an id");
        const auto id = test_case.at("id").get<std::string>();
        if (!only.empty() && id != only) continue;
        const auto verdict = run_one(set.run, test_case);
        switch (verdict.kind) {
            case Verdict::Kind::Pass: ++tally.passed; break;
            case Verdict::Kind::Skip: ++tally.skipped[verdict.reason]; break;
            case Verdict::Kind::Fail:
                ++tally.failed;
                std::cout << id << "\n  expected: " << verdict.expected << "\n  got:      " << verdict.got
                          << "\n";
        }
    }
    std::size_t skipped = 0;
    for (const auto& [reason, count] : tally.skipped) {
        std::cout << count << " skipped: " << reason << "\n";
        skipped += count;
    }
    if (!only.empty() && tally.passed + tally.failed + skipped == 0)
        return wrong_use("no case has the id " + only);
    std::cout << tally.passed << " passed, " << tally.failed << " failed, " << skipped << " skipped"
              << std::endl;
    return tally.failed == 0 ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
    const bool one = arguments.size() == 4 && arguments[2] == "--only" && !arguments[3].empty();
    if (arguments.size() != 2 && !one) return wrong_use("expected a set and a file");
    for (const auto& set : sets()) {
        if (set.name != arguments[0]) continue;
        if (!set.run) return wrong_use("the set \"" + set.name + "\" is not built into this binary");
        return run_file(set, arguments[1], one ? arguments[3] : std::string());
    }
    return wrong_use("unknown set \"" + arguments[0] + "\"");
}

} // namespace
} // namespace weir::conformance

int main(int argc, char** argv) {
    return weir::conformance::run(std::vector<std::string>(argv + 1, argv + (argc > 0 ? argc : 1)));
}
