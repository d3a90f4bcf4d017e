#include <weir/base/text.hpp>

#include <support/catch.hpp>

using namespace weir;

TEST_CASE("a slip of the pen finds its word, nonsense does not") {
    CHECK(nearest("parametres", {"parameters", "flow", "overlap"}) == "parameters");
    CHECK(nearest("wehre", {"when", "key", "where"}) == "where");
    CHECK(nearest("fi", {"if", "of"}) == "if");
    CHECK(nearest("ca", {"abc"}).empty()); // no place is edited twice
    CHECK(did_you_mean("zzzzzz", {"parameters", "flow"}).empty());
}

TEST_CASE("payload text cannot drive a terminal") {
    CHECK(printable("a\x1b[31mb\n") == "a\\x1b[31mb\\x0a");
    CHECK(printable("\xc2\x9b"
                    "31m") == "\\x9b31m");
    CHECK(printable(std::string(300, 'x'), 10) == "xxxxxxxxxx...");
    CHECK(valid_utf8(printable("\xC3\xA4\xC3\xA4\xC3\xA4", 3)));
}

TEST_CASE("all but the unreserved is percent-encoded") {
    CHECK(percent_encode("a+b %/\"\xc3\xbc") == "a%2Bb%20%25%2F%22%C3%BC");
    CHECK(percent_encode("A-z_0.9~") == "A-z_0.9~");
    CHECK(percent_encode("").empty());
}

TEST_CASE("globs are anchored") {
    CHECK(glob_match("data.*", "data.ready"));
    CHECK(glob_match("*", ""));
    CHECK(glob_match("a*b*c", "aXbYbZc"));
    CHECK_FALSE(glob_match("data.*", "xdata.ready"));
    CHECK_FALSE(glob_match("a*b", "abc"));
}

TEST_CASE("names") {
    CHECK(valid_name("feature-build_2.x"));
    CHECK_FALSE(valid_name(""));
    CHECK_FALSE(valid_name("-x"));
    CHECK_FALSE(valid_name("a/b"));
    CHECK_FALSE(valid_name(std::string(129, 'a')));
}
