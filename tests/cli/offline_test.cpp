#include <support/catch.hpp>

#include "../../src/cli/src/table.hpp"
#include "rig.hpp"

using namespace weir::cli;
using weir::cli::test::Folder;
using weir::cli::test::holds;
using weir::cli::test::invoke;

TEST_CASE("eval: values, events, data and errors") {
    CHECK(invoke({"eval", "1 + 2"}).out == "3\n");
    CHECK(invoke({"eval", "[1, 'a'].size() == 2"}).out == "true\n");
    const Folder folder;
    const auto event = folder.write(
        "event.json",
        R"({"specversion":"1.0","type":"data.ready","source":"/lake","id":"1","data":{"table":"users"}})");
    CHECK(invoke({"eval", "event.type + ' ' + event.data.table", "--data", event}).out ==
          "\"data.ready users\"\n");
    const auto no = invoke({"eval", "event.data.table == 'orders'", "--data", event});
    CHECK(no.code == 0);
    CHECK(no.out == "false\n");
    CHECK(holds(no.err, "event.data.table = \"users\""));
    const auto data = folder.write("data.json", R"({"rows": 3})");
    CHECK(invoke({"eval", "int(event.data.rows) * 2", "--data", data}).out == "6\n");

    const auto syntax = invoke({"eval", "1 +"});
    CHECK(syntax.code == 1);
    CHECK(holds(syntax.err, "expression"));
    CHECK(holds(invoke({"eval", "event.data.none == 1", "--data", data}).err, "none"));
    CHECK(invoke({"eval", "event.id"}).code == 1);
    CHECK(holds(invoke({"eval", "1", "--data", folder.write("bad.json", "{")}).err, "bad.json"));
    CHECK(holds(invoke({"eval", "1", "--data", folder.path() + "/none"}).err, "cannot read"));
    CHECK(holds(invoke({"eval", "1", "--data", folder.path()}).err, "is a folder"));
}

TEST_CASE("schedule next: slots in UTC and in the zone") {
    const auto outcome = invoke({"schedule", "next", "30 2 * * *", "--timezone", "Europe/Berlin", "--from",
                                 "2026-03-28T00:00:00Z", "--count", "2"});
    CHECK(outcome.code == 0);
    CHECK(outcome.out ==
          "UTC                   Europe/Berlin\n"
          "2026-03-28T01:30:00Z  2026-03-28 02:30:00 CET\n"
          "2026-03-29T01:00:00Z  2026-03-29 03:00:00 CEST\n");
    CHECK(
        invoke({"schedule", "next", "0 0 1 1 *", "--from", "2026-01-01T00:00:00Z", "--count", "1", "--json"})
            .out == "{\"slot\":\"2027-01-01T00:00:00Z\",\"local\":\"2027-01-01 00:00:00 UTC\"}\n");
    CHECK(invoke({"schedule", "next", "0 0 31 2 *"}).out.empty());
    CHECK(holds(invoke({"schedule", "next", "0 0 31 2 *"}).err, "never comes"));
    const auto end = invoke(
        {"schedule", "next", "0 0 1 6 *", "--timezone", "Europe/Berlin", "--from", "2037-01-01T00:00:00Z"});
    CHECK(holds(end.out, "2037-05-31T22:00:00Z"));
    CHECK(holds(end.err, "no further slot"));
    CHECK(invoke({"schedule", "next", "61 * * * *"}).code == 1);
    CHECK(invoke({"schedule", "next", "* * * * *", "--timezone", "Mars/Base"}).code == 1);
    CHECK(invoke({"schedule", "next", "* * * * *", "--from", "today"}).code == 1);
    CHECK(invoke({"schedule", "next", "* * * * *", "--count", "0"}).code == 2);
}

TEST_CASE("tables fit the terminal and keep their widths") {
    Table table({{"ID", false}, {"TEXT", true}, {"END", false}});
    table.add({"1", "short", "x"});
    table.add({"22", "déjà vu, and much more than fits", "y"});
    CHECK(table.render(0, true) ==
          "ID  TEXT                              END\n"
          "1   short                             x\n"
          "22  déjà vu, and much more than fits  y\n");
    Table narrow({{"ID", false}, {"TEXT", true}, {"END", false}});
    narrow.add({"22", "déjà vu, and much more than fits", "y"});
    CHECK(narrow.render(20, true) ==
          "ID  TEXT         END\n"
          "22  déjà vu, a…  y\n");
    narrow.add({"1", "z", "y"});
    CHECK(narrow.render(20, false) == "1   z            y\n");
}

TEST_CASE("columns are left out when a terminal is too narrow for all") {
    const std::string id(20, 'i');
    const auto rendered = [&](std::size_t width) {
        Table table({{"ID"}, {"A", false, 1}, {"B", true, 2}});
        table.add({id, "aaaaaaaaaa", "bbbbbbbbbbbbbbb"});
        return table.render(width, false);
    };
    CHECK(rendered(60) == id + "  aaaaaaaaaa  bbbbbbbbbbbbbbb\n");
    CHECK(rendered(46) == id + "  aaaaaaaaaa  bbbbbbbbbbb…\n");
    CHECK(rendered(40) == id + "  aaaaaaaaaa\n");
    CHECK(rendered(30) == id + "\n");
    CHECK(rendered(10) == "iiiiiiiii…\n");
}
