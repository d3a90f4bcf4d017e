#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "build.hpp"

using namespace weir;
using namespace weir::triggers;

TEST_CASE("every example is read, compiled, and reads back from its canonical text") {
    const char* root = std::getenv("WEIR_SOURCE_ROOT");
    const auto folder = std::filesystem::path(root != nullptr ? root : ".") / "triggers" / "examples";
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".yaml") continue;
        std::ifstream file(entry.path());
        std::ostringstream text;
        text << file.rdbuf();
        Problems problems;
        const auto triggers = read_triggers(text.str(), entry.path().filename().string(), problems);
        for (const auto& trigger : triggers) {
            ++count;
            CHECK(compile(trigger, problems) != nullptr);
            CHECK(test::trigger_of(trigger.canonical_json).hash == trigger.hash);
        }
        INFO((problems.empty() ? std::string() : problems.front().to_string()));
        CHECK(problems.empty());
    }
    CHECK(count >= 7);
}
