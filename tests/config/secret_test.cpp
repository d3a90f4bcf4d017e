#include <stdlib.h>

#include <support/catch.hpp>

#include <weir/config/secret.hpp>

#include "folder.hpp"

using namespace weir;
using namespace weir::config;
using weir::config::test::holds;
using weir::config::test::TempFolder;

TEST_CASE("a secret comes from the environment or from a file of its owner's") {
    const TempFolder folder;
    const auto from = [](const std::string& file) { return read_secret({"", file, {"c.yaml", 3, 5}}); };
    CHECK(*from(folder.write("a", "s3cret\n")) == "s3cret");
    CHECK(*from(folder.write("b", "s3cret\r\n")) == "s3cret");
    CHECK(*from(folder.write("c", "two\nlines\n\n")) == "two\nlines\n");
    CHECK(*from(folder.write("d", "s3cret", 0400)) == "s3cret");
    for (const int mode : {0640, 0604, 0660, 0666, 0610}) {
        const auto refused = from(folder.write("open", "s3cret", static_cast<mode_t>(mode)));
        REQUIRE(!refused.ok());
        CHECK(refused.error().kind == ErrorKind::Denied);
        CHECK(holds(refused.error().message, "c.yaml:3:5: the secret in "));
        CHECK(holds(refused.error().message, "chmod 600"));
        CHECK(!holds(refused.error().message, "s3cret"));
    }
    CHECK(holds(from(folder.write("e", "\n")).error().message, "is empty"));
    CHECK(holds(from(folder.write("f", std::string("a\0b", 3))).error().message, "NUL"));
    CHECK(from(folder.write("g", std::string(secret_bytes_max + 1, 'x'))).error().kind ==
          ErrorKind::Exhausted);
    CHECK(from(folder.path() + "/none").error().kind == ErrorKind::NotFound);
    CHECK(from(folder.path()).error().kind == ErrorKind::Invalid);

    ::setenv("WEIR_TEST_SECRET", "s3cret", 1);
    CHECK(*read_secret({"WEIR_TEST_SECRET", "", {}}) == "s3cret");
    ::setenv("WEIR_TEST_SECRET", "", 1);
    CHECK(read_secret({"WEIR_TEST_SECRET", "", {}}).error().kind == ErrorKind::Invalid);
    ::unsetenv("WEIR_TEST_SECRET");
    const auto missing = read_secret({"WEIR_TEST_SECRET", "", {"c.yaml", 1, 2}});
    CHECK(missing.error().kind == ErrorKind::NotFound);
    CHECK(missing.error().message == "c.yaml:1:2: the environment variable WEIR_TEST_SECRET is not set");
}
