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
    CHECK(printable("\xC3\xA4\xC3\xA4\xC3\xA4", 3) == "\xC3\xA4...");
    CHECK(printable("abc\n", 6) == "abc...");
    CHECK(printable("abc\n", 7) == "abc\\x0a");
}

TEST_CASE("bytes that are no UTF-8 become visible") {
    CHECK(printable("caf\xe9 crashed") == "caf\\xe9 crashed");
    CHECK(as_utf8("caf\xe9\ncrashed") == "caf\\xe9\ncrashed");
    CHECK(as_utf8("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    // Cut at either end, overlong, a surrogate, above U+10FFFF, never a lead.
    for (const std::string_view bad :
         {"\xA9x", "x\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC0\xAF", "\xE0\x9F\xBF", "\xED\xA0\x80",
          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xFF", "\xC3("}) {
        INFO(as_utf8(bad));
        CHECK_FALSE(valid_utf8(bad));
        CHECK(valid_utf8(as_utf8(bad)));
        CHECK(printable(bad) == as_utf8(bad));
        for (std::size_t max = 0; max < 20; ++max)
            CHECK(valid_utf8(printable(bad, max)));
    }
    std::string all;
    for (int c = 1; c < 256; ++c)
        all += static_cast<char>(c);
    CHECK(valid_utf8(as_utf8(all + all)));
    CHECK(valid_utf8(printable(all + all, 5000)));
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
