#include <algorithm>

#include <support/catch.hpp>

#include "filter.hpp"
#include "listing.hpp"

using namespace weir;
using namespace weir::facade;

namespace {

struct Row {
    std::string id;
    std::string name;
    std::int64_t finished = 0;
};

const ListSchema schema{"Run",
                        {{"run_id"},
                         {"display_name"},
                         {"experiment_id", false, false},
                         {"created_at", true},
                         {"finished_at", true}},
                        "run_id"};

constexpr std::int64_t second = 1'000'000'000;

std::vector<Row> rows() {
    return {{"c", "Case", 3 * second},
            {"a", "a+b", 0},
            {"b", "a b", 2 * second + 500'000'000},
            {"d", "under_score", 3 * second},
            {"e", "underXscore", 1'790'000'000 * second}};
}

Outcome<ListPage> list(const std::vector<Row>& all, const ListRequest& request) {
    return list_rows(schema, request, all.size(), [&](std::size_t row, std::size_t key) -> Cell {
        switch (key) {
            case 0: return std::string_view(all[row].id);
            case 1: return std::string_view(all[row].name);
            case 2: return std::string_view("x");
            default: return all[row].finished;
        }
    });
}

std::string ids(const ListRequest& request) {
    const auto all = rows();
    auto page = list(all, request);
    if (!page.ok()) return std::to_string(http_status(page.error().code)) + " " + page.error().detail;
    std::string out;
    for (const auto row : page->rows)
        out += all[row].id;
    return out;
}

std::string filtered(const std::string& predicate) {
    return ids({R"({"predicates":[)" + predicate + "]}", "run_id", "", ""});
}

} // namespace

TEST_CASE("filters take operations as words and as numbers, fields in both spellings") {
    CHECK(filtered(R"({"operation":"EQUALS","key":"display_name","string_value":"under_score"})") == "d");
    CHECK(filtered(R"({"operation":1,"key":"display_name","stringValue":"under_score"})") == "d");
    CHECK(filtered(R"({"operation":"EQUALS","key":"display_name","string_value":"CASE"})") == "c");
    CHECK(filtered(R"({"operation":"NOT_EQUALS","key":"display_name","string_value":"case"})") == "abde");
    CHECK(filtered(R"({"operation":"IS_SUBSTRING","key":"display_name","string_value":"r_S"})") == "de");
    CHECK(filtered(R"({"operation":"IN","key":"run_id","string_values":{"values":["a","e","zz"]}})") == "ae");
    CHECK(filtered(R"({"operation":8,"key":"run_id","stringValues":{"values":[]}})").empty());
    CHECK(filtered(R"({"operation":"EQUALS","key":"run_id","int_value":2})").empty());
    CHECK(filtered("").size() == 5);
    CHECK(ids({"{}", "run_id", "", ""}).size() == 5);
}

TEST_CASE("a filter is decoded a second time") {
    const auto with = [](const std::string& value) {
        return filtered(R"({"operation":"EQUALS","key":"display_name","string_value":")" + value + "\"}");
    };
    CHECK(with("a+b") == "b"); // the plus became a space
    CHECK(with("a%2Bb") == "a");
    CHECK(with("100%").starts_with("400 failed to parse valid filter"));
}

TEST_CASE("times compare by whole seconds and sort by all of them") {
    const auto finished = [](const std::string& operation, const std::string& time) {
        return filtered(R"({"operation":")" + operation + R"(","key":"finished_at","timestamp_value":")" +
                        time + "\"}");
    };
    CHECK(finished("GREATER_THAN_EQUALS", "1970-01-01T00:00:02.9Z") == "bcde");
    CHECK(finished("GREATER_THAN", "1970-01-01T00:00:02Z") == "cde");
    CHECK(finished("LESS_THAN_EQUALS", "1970-01-01T00:00:02Z") == "ab");
    CHECK(finished("EQUALS", "1970-01-01T00:00:00Z") == "a");
    CHECK(filtered(R"({"operation":"GREATER_THAN","key":"finished_at","long_value":"2"})") == "cde");
    CHECK(ids({"", "finished_at", "", ""}) == "abcde");
    CHECK(ids({"", "finished_at desc", "", ""}) == "edcba");
}

TEST_CASE("what is wrong with a list's request is told") {
    CHECK(filtered(R"({"operation":"EQUALS","key":"nope","string_value":"x"})") ==
          "400 no support for filtering on unrecognized field \"nope\"");
    CHECK(filtered(R"({"operation":"EQUALS","key":"run_id"})").starts_with("400"));
    CHECK(filtered(R"({"key":"run_id","string_value":"x"})").starts_with("400"));
    CHECK(filtered(R"({"operation":4,"key":"run_id","string_value":"x"})").starts_with("400"));
    CHECK(filtered(R"({"operation":"IN","key":"run_id","string_value":"x"})").starts_with("400"));
    CHECK(filtered(R"({"operation":"EQUALS","key":"run_id","string_values":{"values":["x"]}})")
              .starts_with("400"));
    CHECK(filtered(R"({"operation":"IS_SUBSTRING","key":"run_id","long_value":1})").starts_with("400"));
    CHECK(filtered(R"({"operation":"EQUALS","key":"finished_at","timestamp_value":"yesterday"})")
              .starts_with("400"));
    CHECK(ids({"xx", "", "", ""}).starts_with("400"));
    CHECK(ids({R"({"nope":1})", "", "", ""}).starts_with("400"));
    CHECK(ids({"", "nope", "", ""}).starts_with("400"));
    CHECK(ids({"", "experiment_id", "", ""}).starts_with("400"));
    CHECK(ids({"", "run_id down", "", ""}).starts_with("400"));
    CHECK(ids({"", "", "!!", ""}).starts_with("400"));
    CHECK(ids({"", "", "7b7d", ""}).starts_with("400"));
    CHECK(ids({"", "", "", "-1"}).starts_with("400"));
    CHECK(ids({"", "", "", "abc"}).starts_with("400"));
}

TEST_CASE("a page token goes on alone or with the same criteria") {
    const auto all = rows();
    const std::string filter = R"({"predicates":[{"operation":"IN","key":"run_id","string_values":{"values":)"
                               R"(["a","b","c","d"]}}]})";
    auto first = list(all, {filter, "finished_at desc", "", "3"});
    REQUIRE(first.ok());
    CHECK(first->total == 4);
    REQUIRE(first->rows.size() == 3);
    REQUIRE(!first->next.empty());
    for (const auto& request :
         {ListRequest{"", "", first->next, "3"}, ListRequest{filter, "finished_at desc", first->next, "3"}}) {
        auto second = list(all, request);
        REQUIRE(second.ok());
        REQUIRE(second->rows.size() == 1);
        CHECK(all[second->rows[0]].id == "a");
        CHECK(second->total == 4);
        CHECK(second->next.empty());
    }
    CHECK(ids({"", "run_id", first->next, "3"}).starts_with("400"));
    CHECK(ids({R"({"predicates":[]})", "", first->next, "3"}).starts_with("400"));
}

TEST_CASE("every row is on exactly one page") {
    std::vector<Row> all;
    for (int i = 0; i < 457; ++i)
        all.push_back({"id" + std::to_string(i), "n", (i / 7) * second});
    for (const auto* size : {"", "0", "7", "1000"}) {
        std::vector<int> seen(all.size());
        ListRequest request{"", "finished_at", "", size};
        do {
            auto page = list(all, request);
            REQUIRE(page.ok());
            CHECK(page->rows.size() <= 200);
            for (const auto row : page->rows)
                ++seen[row];
            request.page_token = page->next;
        } while (!request.page_token.empty());
        CHECK(std::count(seen.begin(), seen.end(), 1) == static_cast<std::ptrdiff_t>(all.size()));
    }
}

TEST_CASE("LIKE knows its two wildcards") {
    CHECK(like("abc", "%"));
    CHECK(like("", "%%"));
    CHECK(like("aXbXc", "a%b%c"));
    CHECK(like("aaab", "%ab"));
    CHECK(!like("aaabc", "%ab"));
    CHECK(like("ABC", "a_c"));
    CHECK(!like("ac", "a_c"));
    CHECK(!like("", "_"));
    CHECK(!like(std::string(2000, 'a'), "%a%a%a%a%a%a%a%b"));
}
