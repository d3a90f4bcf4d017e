#include "sqlite/identity.hpp"

#include <set>

#include <support/catch.hpp>

using namespace weir;
using namespace weir::ledger::sqlite;

TEST_CASE("identities hash by key, source and id") {
    IdentityHash one(std::string(16, 'a')), two(std::string(16, 'b'));
    CHECK(one.bits("/s", "x") == one.bits("/s", "x"));
    CHECK(one.bits("/s", "x") != one.bits("/t", "x"));
    CHECK(one.bits("/s", "x") != one.bits("/s", "y"));
    CHECK(one.bits("/s", "x") != two.bits("/s", "x"));
    // All sources of one id are neighbours.
    const auto first = one.id_bits("x");
    for (const auto* source : {"", "/s", "/t", "urn:u"}) {
        CHECK(one.bits(source, "x") >= first);
        CHECK(one.bits(source, "x") < first + (1 << 15));
    }
    CHECK(one.bits("/s", "x") < (std::int64_t{1} << 43));
}

TEST_CASE("the identity hash is SipHash-2-4") {
    // The published vector: key 00 01 .. 0f, message 00 01 .. 0e gives a129ca6149be45e5 (bytes e5 45 be 49 61
    // ca 29 a1).
    std::string key, message;
    for (char c = 0; c < 16; ++c)
        key += c;
    for (char c = 0; c < 15; ++c)
        message += c;
    IdentityHash hash(key);
    CHECK(hash.id_bits(message) == (std::int64_t{0xe545be49} >> 4) << 15);
}

TEST_CASE("days are counted from 1970") {
    CHECK(day_of(from_ns(0)) == 0);
    CHECK(day_of(from_ns(-5)) == 0);
    CHECK(day_of(from_ns(86'399'999'999'999)) == 0);
    CHECK(day_of(from_ns(86'400'000'000'000)) == 1);
}

TEST_CASE("the filter forgets nothing and rarely errs") {
    SeenFilter filter;
    IdentityHash hash(std::string(16, 'k'));
    const std::int64_t day = 20'000;
    constexpr int n = 50'000;
    for (int i = 0; i < n; ++i)
        filter.add(IdentityHash::key(day, hash.bits("/s", std::to_string(i))));
    int forgotten = 0, wrong = 0;
    for (int i = 0; i < n; ++i) {
        if (!filter.maybe(IdentityHash::key(day, hash.bits("/s", std::to_string(i))))) ++forgotten;
        if (filter.maybe(IdentityHash::key(day, hash.bits("/s", std::to_string(n + i))))) ++wrong;
    }
    CHECK(forgotten == 0);
    CHECK(wrong < n / 50);
    CHECK_FALSE(filter.maybe(IdentityHash::key(day + 1, hash.bits("/s", "1"))));
    CHECK(filter.bytes() < 8 * n);
}

TEST_CASE("the filter keeps eight days, days before are always asked") {
    SeenFilter filter;
    for (std::int64_t day = 100; day < 120; ++day)
        filter.add(IdentityHash::key(day, day));
    CHECK(filter.maybe(IdentityHash::key(119, 119)));
    CHECK(filter.maybe(IdentityHash::key(111, 111)));
    CHECK_FALSE(filter.maybe(IdentityHash::key(111, 5)));
    CHECK(filter.maybe(IdentityHash::key(110, 5))); // dropped: nothing is known, so it may be there
    const auto bytes = filter.bytes();
    filter.add(IdentityHash::key(50, 50));
    CHECK(filter.bytes() == bytes);
}
