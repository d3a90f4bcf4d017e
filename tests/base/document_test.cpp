#include <weir/base/document.hpp>

#include <string>

#include <support/catch.hpp>

using namespace weir;

namespace {

std::string read(std::string_view text, std::string_view file = "t.yaml", const DocumentLimits& limits = {}) {
    Problems problems;
    const auto documents = read_documents(text, file, problems, limits);
    std::string out;
    for (const auto& problem : problems)
        out += problem.to_string() + "\n";
    if (!problems.empty()) {
        CHECK(documents.empty());
        return out;
    }
    for (const auto& document : documents)
        out += to_json(document) + "\n";
    return out;
}

bool says(const std::string& all, std::string_view part) {
    INFO(all);
    const bool found = all.find(part) != std::string::npos;
    CHECK(found);
    return found;
}

} // namespace

TEST_CASE("YAML and JSON give the same tree") {
    CHECK(read("a: 1\nb: [x, 'y', 2.5, true, null, ~]\nc: {d: -3}\n") ==
          "{\"a\":1,\"b\":[\"x\",\"y\",2.5,true,null,null],\"c\":{\"d\":-3}}\n");
    CHECK(read(R"({"a":1,"b":["x","y",2.5,true,null],"c":{"d":-3},"e":"\ud83d\ude00\u00e9\n\"\/"})") ==
          "{\"a\":1,\"b\":[\"x\",\"y\",2.5,true,null],\"c\":{\"d\":-3},\"e\":"
          "\"\xf0\x9f\x98\x80\xc3\xa9\\n\\\"/\"}\n");
    CHECK(read("{a: 1, b: two}") == "{\"a\":1,\"b\":\"two\"}\n");
    CHECK(read("a: 1\n---\n# nothing\n---\nb: 2\n---\n") == "{\"a\":1}\n{\"b\":2}\n");
    CHECK(read("") == "");
    CHECK(read("# only a comment\n") == "");
    CHECK(read("[]") == "[]\n");
    CHECK(read("{}") == "{}\n");
    CHECK(read("--- {}\n--- []\n") == "{}\n[]\n");
}

TEST_CASE("scalars follow the YAML 1.2 core schema") {
    CHECK(
        read(
            "[0x1f, 0o17, 017, +5, 1_000, yes, on, 1e3, 1.0, .5, 12:30, 1.5.2, '1', \"true\", 2026-01-02]") ==
        "[31,15,17,5,\"1_000\",\"yes\",\"on\",1000.0,1.0,0.5,\"12:30\",\"1.5.2\",\"1\",\"true\",\"2026-01-"
        "02\"]\n");
    CHECK(read("- 9223372036854775807\n- -9223372036854775808\n") ==
          "[9223372036854775807,-9223372036854775808]\n");
    says(read("a: 9223372036854775808"),
         "t.yaml:1:4: 9223372036854775808: a whole number outside of 64 bits");
    says(read("{\"a\": 18446744073709551615}"),
         "t.yaml:1:7: 18446744073709551615: a whole number outside of 64 bits");
    says(read("a: .nan"), "t.yaml:1:4: .nan: not a finite number");
    says(read("a: 1e999"), "t.yaml:1:4: 1e999: a number out of range");
}

TEST_CASE("every node knows where it stood, and a text where its first character stood") {
    Problems problems;
    const auto yaml = read_documents("a: 'x'\nb:\n  - y\n  - |\n    one\n    two\n", "f", problems);
    REQUIRE(yaml.size() == 1);
    CHECK(yaml[0].find("a")->place.to_string() == "f:1:4");
    CHECK(yaml[0].find("a")->quoted);
    CHECK(yaml[0].find("a")->text_column == 5);
    const auto& items = yaml[0].find("b")->items;
    CHECK(items[0].place.to_string() == "f:3:5");
    CHECK_FALSE(items[0].quoted);
    CHECK(items[0].text_column == 5);
    CHECK(items[1].place.to_string() == "f:4:5");
    CHECK(items[1].text_line == 5);
    CHECK(items[1].text_column == 5);
    CHECK(items[1].text == "one\ntwo\n");

    const auto json = read_documents("{\n  \"a\": [1,\n \"x\"]\n}", "f", problems);
    REQUIRE(json.size() == 1);
    CHECK(json[0].members[0].first.place.to_string() == "f:2:3");
    CHECK(json[0].find("a")->items[0].place.to_string() == "f:2:9");
    CHECK(json[0].find("a")->items[1].place.to_string() == "f:3:2");
    CHECK(json[0].find("a")->items[1].text_column == 3);
    CHECK(problems.empty());
    CHECK(json[0].find("b") == nullptr);
}

TEST_CASE("an unquoted expression is refused with the hint to quote it") {
    says(read("where: !has(event.data.x)\n"),
         "t.yaml:1:8: YAML reads !has(event.data.x) as a tag, and tags are not allowed; an expression must "
         "stand in "
         "single quotes: '!has(event.data.x)'");
    says(read("a: {where: !has(event.data.x)}\n"), "single quotes: '!has(event.data.x)'");
    says(read("where: \"a\" in event.data.tags\n"), "must stand in single quotes");
    says(read("where: event.x == \"a: b\"\n"), "must stand in single quotes");
    says(read("where: a ? \"x: y\" : \"z\"\n"), "must stand in single quotes");
    says(read("where: {\"a\": 1} == event.data\nb: 1\n"), "must stand in single quotes");
    says(read("a: {where: x in [1,2]}\n"), "must stand in single quotes");
    says(read("a: !!str x\n"), "tags are not allowed");
    says(read("a: !<x> [1]\n"), "tags are not allowed");
    says(read("a: ! x\n"), "tags are not allowed");
}

TEST_CASE("what a strict document may not hold") {
    says(read("a: 1\na: 2\n"), "t.yaml:2:1: the key \"a\" stands here a second time; the first is on line 1");
    says(read("{\"a\": 1,\n\"a\": 2}"),
         "t.yaml:2:1: the key \"a\" stands here a second time; the first is on line 1");
    says(read("1: x\n"), "t.yaml:1:1: a key must be text, not the number 1; write it in quotes");
    says(read("true: x\n"), "a key must be text, not the boolean true");
    says(read("? [a]\n: x\n"), "a key must be text, not a list");
    says(read("a: 1\n b: 2\n"), "malformed YAML");
    says(read("{a: 1} b\n"), "t.yaml:1:8: ");
    says(read("'a' 'b'\n"), "t.yaml:1:5: this does not belong to the document above");
    says(read("a: \xff\n"), "t.yaml:1:4: invalid UTF-8");
    says(read(std::string_view("a: 1\nb: \x04 c\n")), "t.yaml:2:4: the control character \\x04");
    says(read("{\"a\": 1", "t.json"), "t.json:1:");
    says(read("a: *nowhere\n"), "malformed YAML");
    says(read("a: &x [1, *x]\n"), "an alias inside of the very value that it names");
    // All problems, not only the first.
    const auto several = read("1: x\na: !t y\na: 1\n");
    says(several, "t.yaml:1:1");
    says(several, "t.yaml:2:4");
    says(several, "t.yaml:3:1");
}

TEST_CASE("limits hold before memory is used") {
    std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 12; ++i) {
        const auto name = std::to_string(i), below = std::to_string(i - 1);
        bomb += "a" + name + ": &a" + name + " [";
        for (int j = 0; j < 10; ++j)
            bomb += (j ? ",*a" : "*a") + below;
        bomb += "]\n";
    }
    says(read(bomb), "more than 200000 values");
    says(read(std::string(10'000, '[')), "nested deeper than");
    says(read("{\"a\":" + std::string(10'000, '[') + std::string(10'000, ']') + "}"),
         "nested deeper than 64");
    says(read("a: " + std::string(10'000, '[') + std::string(10'000, ']')), "nested deeper than 64");
    std::string dashes;
    for (int i = 0; i < 5'000; ++i)
        dashes += "- ";
    says(read(dashes + "x"), "nested deeper than 64");
    std::string many;
    for (int i = 0; i < 12; ++i)
        many += "--- {}\n";
    says(read(many, "t.yaml", {1000, 64, 1000, 10}), "more than 10 documents");
    says(read("[1,2,3,4,5]", "t.yaml", {1000, 64, 5, 10}), "more than 5 values");
    says(read("- 1\n- 2\n- 3\n- 4\n- 5\n", "t.yaml", {1000, 64, 5, 10}), "more than 5 values");
    says(read(std::string(1001, ' '), "t.yaml", {1000, 64, 5, 10}), "the limit is 1000");
    CHECK(read("a: &x {b: 1}\nc: *x\n") == "{\"a\":{\"b\":1},\"c\":{\"b\":1}}\n");
}
