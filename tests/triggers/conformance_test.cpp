#include <cstdlib>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include <set.hpp>
#include <support/catch.hpp>

TEST_CASE("cron conformance cases, where the case file is at hand") {
    const char* folder = std::getenv("WEIR_CONFORMANCE");
    const char* root = std::getenv("WEIR_SOURCE_ROOT");
    const std::string path =
        folder != nullptr ? folder : std::string(root != nullptr ? root : ".") + "/../shared/conformance";
    std::ifstream file(path + "/cron/visible.jsonl");
    for (std::string line; std::getline(file, line);) {
        const auto test_case = nlohmann::json::parse(line);
        const auto verdict = weir::conformance::run_cron(test_case);
        INFO(line << "\nexpected " << verdict.expected << "\ngot " << verdict.got);
        CHECK(verdict.kind != weir::conformance::Verdict::Kind::Fail);
    }
}
