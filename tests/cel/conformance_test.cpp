#include <cstdlib>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include <support/catch.hpp>

#include <weir/cel/program.hpp>

#include "../conformance/set.hpp"

using namespace weir;

namespace {

std::ifstream case_file() {
    const char* folder = std::getenv("WEIR_CONFORMANCE");
    return std::ifstream((folder != nullptr ? std::string(folder) : std::string(WEIR_CONFORMANCE_DEFAULT)) +
                         "/cel/visible.jsonl");
}

} // namespace

// Where the case files are not there, the tables of language_test.cpp stand alone.
TEST_CASE("the conformance cases of tier core pass, where they are present") {
    auto file = case_file();
    std::size_t passed = 0;
    for (std::string line; std::getline(file, line);) {
        const auto test_case = nlohmann::json::parse(line);
        const auto verdict = conformance::run_cel(test_case);
        INFO(test_case.at("id") << ": expected " << verdict.expected << ", got " << verdict.got);
        if (test_case.at("tier") == "core") CHECK(verdict.kind == conformance::Verdict::Kind::Pass);
        if (verdict.kind == conformance::Verdict::Kind::Pass) ++passed;
        // What a full checker lets through, the light one must let through as well.
        const bool checked = !test_case.at("check").at("disable_check").get<bool>();
        if (test_case.at("tier") != "core" || !checked || !test_case.at("expect").contains("value")) continue;
        cel::CompileOptions how{.any_variable = true};
        for (const auto& [name, unused] : test_case.at("bindings").items())
            how.variables.push_back({name, cel::VariableType::Dynamic});
        const auto program = cel::Program::compile(test_case.at("expr").get<std::string>(), how);
        INFO((program.ok() ? std::string() : program.error().message));
        CHECK(program.ok());
    }
    if (passed == 0) WARN("no conformance cases found; set WEIR_CONFORMANCE to their folder");
}
