#include <weir/base/ids.hpp>

#include <support/catch.hpp>

using namespace weir;

TEST_CASE("SHA-256 and HMAC give the published test vectors") {
    // FIPS 180-4 example "abc"; RFC 4231 test case 2.
    CHECK(to_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("a time-led id sorts by time, is a UUIDv8 and is the same for the same cause") {
    const auto early = Uuid::time_led(from_ns(1'000'000'000'000), sha256("z"));
    const auto late = Uuid::time_led(from_ns(1'000'001'000'000), sha256("a"));
    CHECK(early < late);
    CHECK(early == Uuid::time_led(from_ns(1'000'000'000'000), sha256("z")));
    const auto text = late.to_string();
    CHECK(text[14] == '8');
    CHECK((text[19] == '8' || text[19] == '9' || text[19] == 'a' || text[19] == 'b'));
    CHECK(Uuid::parse(text).value() == late);
}

TEST_CASE("fields are joined without ambiguity") {
    std::string one, two;
    append_field(one, std::string_view("ab"));
    append_field(one, std::string_view("c"));
    append_field(two, std::string_view("a"));
    append_field(two, std::string_view("bc"));
    CHECK(one != two);
}

TEST_CASE("a malformed id is refused") {
    for (const auto* text :
         {"", "x", "0123456789abcdef0123456789abcdef0123", "01234567-89ab-8def-8123-456789abcdeg"})
        CHECK_FALSE(Uuid::parse(text).ok());
}
