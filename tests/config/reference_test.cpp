#include <cstdlib>
#include <fstream>
#include <iterator>

#include <support/catch.hpp>

#include <weir/config/config.hpp>
#include <weir/config/tokens.hpp>

namespace {

std::string reference() {
    std::string text =
        "<!-- Written from the tables in src/config: WEIR_ACCEPT=1 with the test config-reference writes it "
        "anew. -->\n\n" +
        weir::reference_text(weir::config::config_table());
    text += "\n" + weir::reference_text(weir::config::token_table());
    return text;
}

} // namespace

TEST_CASE("docs/configuration.md says what the tables say") {
    const char* path = std::getenv("WEIR_CONFIGURATION_REFERENCE");
    REQUIRE(path != nullptr);
    if (const char* accept = std::getenv("WEIR_ACCEPT"); accept != nullptr && std::string(accept) == "1")
        std::ofstream(path, std::ios::binary) << reference();
    std::ifstream file(path, std::ios::binary);
    const std::string written{std::istreambuf_iterator<char>(file), {}};
    CHECK(written == reference());
}
