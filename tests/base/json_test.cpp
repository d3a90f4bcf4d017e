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
}
