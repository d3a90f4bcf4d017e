#include <weir/base/json.hpp>

#include <support/catch.hpp>

using namespace weir;

TEST_CASE("JSON is validated whole") {
    for (const auto* text : {"1", "null", "\"x\"", "{\"a\":[1,2,{\"b\":null}]}", " [ ] "})
        CHECK(validate_json(text).ok());
    for (const auto* text : {"", "{", "{\"a\":}", "[1,]", "nul", "\"\\ud800\"", "01", "{\"a\":1}x",
                             "\"a\nb\"", "{\"a\":nuxl}", "[n]"}) {
        INFO(text);
        CHECK_FALSE(validate_json(text).ok());
    }
}

TEST_CASE("integers may have more digits than 64 bits hold") {
    for (const auto* text :
         {"18446744073709551616", "-9223372036854775809", "{\"n\":123456789012345678901234567890}",
          "[-123456789012345678901234567890,1,18446744073709551615,"
          "\"\\\"123456789012345678901234567890\"]"}) {
        INFO(text);
        CHECK(validate_json(text).ok());
    }
    CHECK(validate_json("1" + std::string(300, '0')).ok());
    for (const std::string& text :
         {"1" + std::string(400, '0'), "-1" + std::string(400, '0'), std::string("1e400"),
          std::string("0123456789012345678901234567890"), std::string("123456789012345678901234567890x"),
          std::string("[123456789012345678901234567890"), std::string("123456789012345678901234567890.")}) {
        INFO(text);
        const auto checked = validate_json(text);
        REQUIRE_FALSE(checked.ok());
        CHECK(checked.error().kind == ErrorKind::Invalid);
    }
    const auto later = validate_json("[123456789012345678901234567890,\n 18446744073709551616, nul]");
    REQUIRE_FALSE(later.ok());
    CHECK(later.error().message.find("line 2, column 24") != std::string::npos);
    const auto deep = validate_json(std::string(200, '[') + "18446744073709551616");
    REQUIRE_FALSE(deep.ok());
    CHECK(deep.error().kind == ErrorKind::Exhausted);
    CHECK(with_wide_integers("[1,\"18446744073709551616\",18446744073709551615,0.18446744073709551616]")
              .empty());
    CHECK(with_wide_integers("[18446744073709551616,1,-9223372036854775809]") ==
          "[18446744073709551616e0,1,-9223372036854775809e0]");
}

TEST_CASE("hostile JSON is refused by its limit, with the place") {
    const auto deep = validate_json(std::string(10'000, '['));
    REQUIRE_FALSE(deep.ok());
    CHECK(deep.error().kind == ErrorKind::Exhausted);
    CHECK(deep.error().message.find("line 1, column 129") != std::string::npos);
    const auto large = validate_json("\"" + std::string(100, 'x') + "\"", {.bytes_max = 50});
    REQUIRE_FALSE(large.ok());
    CHECK(large.error().kind == ErrorKind::Exhausted);
    const auto bytes = validate_json("{\"a\":\n \"\xff\"}");
    REQUIRE_FALSE(bytes.ok());
    CHECK(bytes.error().message.find("line 2, column 3") != std::string::npos);
}

TEST_CASE("strings are written so that they can be read back") {
    CHECK(json_string("a\"b\\c\n\x01\x7f") == "\"a\\\"b\\\\c\\n\\u0001\\u007f\"");
    CHECK(validate_json(json_string("\xF0\x9F\x8C\x8A \x1b[31m")).ok());
    CHECK(json_string("caf\xe9 \"") == "\"caf\\\\xe9 \\\"\"");
}
