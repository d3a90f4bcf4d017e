#include <weir/cel/value.hpp>

#include <limits>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::cel;

namespace {

Value json(std::string_view text) {
    auto value = from_json(text);
    INFO(text);
    REQUIRE(value.ok());
    return *value;
}

} // namespace

TEST_CASE("a value is small, and copies share") {
    CHECK(sizeof(Value) == 16);
    const auto text = Value::string("a string that is longer than any small buffer would be");
    const Value copy = text; // NOLINT: the copy is the point
    CHECK(copy.as_string().data() == text.as_string().data());
    Value moved = Value::list({text, copy});
    const Value taken = std::move(moved);
    CHECK(taken.as_list().size() == 2);
    CHECK(moved.is_null()); // NOLINT: a moved-from value is null by contract
    moved = taken;
    const auto& self = moved;
    moved = self;
    CHECK(moved.as_list()[1].equals(text));
}

TEST_CASE("JSON numbers are whole by value") {
    CHECK(json("1").kind() == Kind::Int);
    CHECK(json("1.0").kind() == Kind::Int);
    CHECK(json("1e3").as_int() == 1000);
    CHECK(json("-0").as_int() == 0);
    CHECK(json("1.5").kind() == Kind::Double);
    CHECK(json("9223372036854775807").as_int() == INT64_MAX);
    CHECK(json("-9223372036854775808").as_int() == INT64_MIN);
    CHECK(json("9223372036854775808").kind() == Kind::Double);
    CHECK(json("1e300").kind() == Kind::Double);
    CHECK(json("18446744073709551615").as_double() == 18446744073709551615.0);
    CHECK(json("18446744073709551616").as_double() == 18446744073709551616.0);
    CHECK(json("123456789012345678901234567890").as_double() == 123456789012345678901234567890.0);
    CHECK(json("-123456789012345678901234567890").as_double() == -123456789012345678901234567890.0);
    const auto within =
        json("{\"s\":\"18446744073709551616\",\"n\":[1,18446744073709551616,-9223372036854775808]}");
    CHECK(within.find("s")->as_string() == "18446744073709551616");
    CHECK(within.find("n")->as_list()[0].as_int() == 1);
    CHECK(within.find("n")->as_list()[1].kind() == Kind::Double);
    CHECK(within.find("n")->as_list()[2].as_int() == INT64_MIN);
    CHECK_FALSE(from_json("1" + std::string(400, '0')).ok());
    CHECK_FALSE(from_json(std::string(200, '[') + "18446744073709551616" + std::string(200, ']')).ok());
}

TEST_CASE("JSON goes in and out unchanged") {
    for (const auto* text : {"null", "true", "\"x\\n\"", "[1,2.5,[],{}]", "{\"b\":1,\"a\":{\"c\":[null]}}",
                             "-7", "0.1", "1e-7", "\"\xc3\xbc\"", "1e+30"}) {
        INFO(text);
        const auto out = to_json(json(text));
        REQUIRE(out.ok());
        CHECK(*out == text);
    }
    CHECK(*to_json(json("{\"a\":1,\"b\":2,\"a\":3}")) == "{\"b\":2,\"a\":3}");
    CHECK(*to_json(Value::real(1.0)) == "1");
    CHECK(*to_json(Value::bytes("abcd")) == "\"YWJjZA==\"");
    CHECK(*to_json(Value::duration(std::chrono::milliseconds(-1500))) == "\"-1.5s\"");
    CHECK(*to_json(Value::timestamp(from_ns(1'250'000'000))) == "\"1970-01-01T00:00:01.25Z\"");
    CHECK(*to_json(Value::timestamp(from_ns(-1))) == "\"1969-12-31T23:59:59.999999999Z\"");
    CHECK_FALSE(to_json(Value::real(std::numeric_limits<double>::quiet_NaN())).ok());
    CHECK_FALSE(to_json(Value::type("int")).ok());
    CHECK_FALSE(to_json(Value::map({{Value::integer(1), Value()}})).ok());
}

TEST_CASE("hostile JSON is refused with words") {
    const auto deep = from_json(std::string(10'000, '['));
    REQUIRE_FALSE(deep.ok());
    CHECK(deep.error().kind == ErrorKind::Exhausted);
    CHECK_FALSE(from_json(std::string(200, '[') + std::string(200, ']')).ok());
    CHECK(from_json(std::string(128, '[') + std::string(128, ']')).ok());
    for (const auto* text : {"", "{", "[1,]", "01", "{\"a\":\"\xff\"}", "1 2", "\"\\ud800\""}) {
        INFO(text);
        const auto value = from_json(text);
        REQUIRE_FALSE(value.ok());
        CHECK(value.error().kind == ErrorKind::Invalid);
    }
    CHECK_FALSE(from_json("\"" + std::string(2'000'000, 'x') + "\"").ok());
}

TEST_CASE("maps find their members, small and large") {
    for (const int size : {0, 1, 12, 13, 1000}) {
        std::vector<Value::Entry> entries;
        for (int i = 0; i < size; ++i)
            entries.emplace_back(Value::string("k" + std::to_string(i)), Value::integer(i));
        if (size > 1) entries.emplace_back(Value::string("k1"), Value::integer(-1));
        const auto map = Value::map(std::move(entries));
        CHECK(map.as_map().size() == static_cast<std::size_t>(size));
        for (int i = 0; i < size; ++i) {
            const auto* found = map.find("k" + std::to_string(i));
            REQUIRE(found != nullptr);
            CHECK(found->as_int() == (i == 1 ? -1 : i));
        }
        CHECK(map.find("nope") == nullptr);
        CHECK(map.find(Value::integer(1)) == nullptr);
    }
    const auto mixed = Value::map({{Value::integer(1), Value::string("int")},
                                   {Value::unsigned_integer(1), Value::string("uint")},
                                   {Value::unsigned_integer(7), Value::string("seven")},
                                   {Value::boolean(true), Value::string("bool")}});
    CHECK(mixed.find(Value::unsigned_integer(1))->as_string() == "uint");
    CHECK(mixed.find(Value::real(7.0))->as_string() == "seven");
    CHECK(mixed.find(Value::integer(7))->as_string() == "seven");
    CHECK(mixed.find(Value::real(7.5)) == nullptr);
    CHECK(mixed.find(Value::null()) == nullptr);
}

TEST_CASE("equality crosses the kinds of numbers and nothing else") {
    CHECK(Value::integer(1).equals(Value::real(1.0)));
    CHECK(Value::unsigned_integer(1).equals(Value::integer(1)));
    CHECK_FALSE(Value::integer(-1).equals(Value::unsigned_integer(UINT64_MAX)));
    CHECK_FALSE(Value::integer(1).equals(Value::string("1")));
    CHECK_FALSE(Value::boolean(true).equals(Value::integer(1)));
    CHECK_FALSE(Value::string("a").equals(Value::bytes("a")));
    const auto nan = Value::real(std::numeric_limits<double>::quiet_NaN());
    CHECK_FALSE(nan.equals(nan));
    CHECK(json("{\"a\":[1,{\"b\":2}],\"c\":null}").equals(json("{\"c\":null,\"a\":[1.0,{\"b\":2}]}")));
    CHECK_FALSE(json("[1,2]").equals(json("[1]")));
    CHECK((order(Value::integer(2), Value::real(2.5)) == std::partial_ordering::less));
    CHECK((order(Value::string("b"), Value::string("a")) == std::partial_ordering::greater));
    CHECK((order(Value::string("b"), Value::integer(1)) == std::partial_ordering::unordered));
    CHECK((order(nan, nan) == std::partial_ordering::unordered));
}

TEST_CASE("canonical keys are equal exactly for equal values") {
    const std::vector<Value> values = {Value::integer(1),
                                       Value::unsigned_integer(1),
                                       Value::real(1.0),
                                       Value::real(1.5),
                                       Value::string("1"),
                                       Value::string("i1"),
                                       Value::string(""),
                                       Value::bytes("1"),
                                       Value::boolean(true),
                                       Value::string("true"),
                                       Value::real(0.0),
                                       Value::real(-0.0),
                                       Value::integer(0),
                                       Value::real(1e300),
                                       Value::integer(INT64_MAX),
                                       Value::unsigned_integer(UINT64_MAX),
                                       json("[1,2]"),
                                       json("[12]"),
                                       json("[\"1,2\"]"),
                                       json("[[1],2]"),
                                       json("{\"a\":1,\"b\":2}"),
                                       json("{\"b\":2,\"a\":1.0}"),
                                       json("{\"a\":{\"b\":2}}"),
                                       json("{}"),
                                       json("[]"),
                                       Value::timestamp(from_ns(5)),
                                       Value::duration(Duration(5)),
                                       Value::timestamp(5, 0),
                                       Value::type("int"),
                                       json("{\"a=s1:b\":1}"),
                                       json("{\"a\":\"b\"}")};
    for (const auto& a : values) {
        for (const auto& b : values) {
            const auto x = canonical_key(a), y = canonical_key(b);
            REQUIRE(x.ok());
            REQUIRE(y.ok());
            INFO(*x << " and " << *y);
            CHECK((*x == *y) == a.equals(b));
        }
    }
    // A person sees the value, whatever its content imitates.
    for (const char* text : {R"("s3:abc")", R"("")", "17", "-2.5", "1e+300", "true", R"([1,["a","]"],false])",
                             R"({"a":{"b":[1]},"m2:x":"}"})"})
        CHECK(key_json(*canonical_key(json(text))) == text);
    CHECK(key_json(*canonical_key(Value::bytes("hi"))) == R"("aGk=")");
    CHECK(key_json(*canonical_key(Value::timestamp(0, 0))) == R"("1970-01-01T00:00:00Z")");
    CHECK(key_json(*canonical_key(Value::duration(std::chrono::milliseconds(1500)))) == R"("1.5s")");
    CHECK(key_json(*canonical_key(Value::real(std::numeric_limits<double>::infinity()))) == R"("+Inf")");
    CHECK(key_json("s9:ab") == R"("s9:ab")");
    CHECK(key_json("") == R"("")");
    CHECK_FALSE(canonical_key(Value::null()).ok());
    CHECK_FALSE(canonical_key(json("[null]")).ok());
    CHECK_FALSE(canonical_key(json("{\"a\":null}")).ok());
    CHECK_FALSE(canonical_key(Value::real(std::numeric_limits<double>::quiet_NaN())).ok());
}

TEST_CASE("timestamps reach beyond what an Instant holds") {
    const auto first = Value::timestamp(-62135596800, 0);
    CHECK(*to_json(first) == "\"0001-01-01T00:00:00Z\"");
    CHECK(*to_json(Value::timestamp(253402300799, 999'999'999)) == "\"9999-12-31T23:59:59.999999999Z\"");
    CHECK(to_ns(first.as_timestamp()) == INT64_MIN);
    CHECK(to_ns(Value::timestamp(from_ns(-5)).as_timestamp()) == -5);
}
