#include <weir/base/document_reader.hpp>

#include <string>

#include <support/catch.hpp>
#include <weir/base/json.hpp>

using namespace weir;

namespace {

const DocumentTable& part() {
    static const DocumentTable table{"part",
                                     "A part.",
                                     {{"where", FieldType::Expression, "A condition."},
                                      {"size", FieldType::Whole, "Its size.", true, {}, nullptr, 1, 10}}};
    return table;
}

const DocumentTable& thing() {
    static const DocumentTable table{
        "thing",
        "A thing.",
        {{"name", FieldType::Name, "Its name.", true},
         {"flow", FieldType::Reference, "A flow."},
         {"on", FieldType::Flag, "Whether."},
         {"weight", FieldType::Number, "How heavy."},
         {"note", FieldType::Text, "A note."},
         {"mode", FieldType::Word, "How.", false, {"fast", "slow"}, nullptr, 0, 0, true, {"warp"}},
         {"wait", FieldType::Period, "How long."},
         {"tags", FieldType::Texts, "Tags."},
         {"ends", FieldType::Words, "Ends.", false, {"good", "bad"}},
         {"labels", FieldType::TextMap, "Labels."},
         {"key", FieldType::ExpressionOrMap, "Keys."},
         {"values", FieldType::ValueMap, "Values."},
         {"one", FieldType::Section, "A part.", false, {}, &part()},
         {"parts", FieldType::SectionMap, "Parts.", false, {}, &part()},
         {"list", FieldType::SectionList, "Parts.", false, {}, &part()},
         {"free", FieldType::Any, "Anything."},
         {"later", FieldType::Text, "Later.", false, {}, nullptr, 0, 0, false}}};
    return table;
}

Field buses() {
    static const DocumentTable near{
        "near bus",
        "Here.",
        {{"kind", FieldType::Word, "Its kind.", true, {"near"}}, {"size", FieldType::Whole, "Its size."}}};
    static const DocumentTable far{"far bus",
                                   "There.",
                                   {{"kind", FieldType::Word, "Its kind.", true, {"far"}},
                                    {"part", FieldType::Section, "A part.", false, {}, &part()}}};
    Field field{"buses", FieldType::KindMap, "Buses."};
    field.kinds = {&near, &far};
    field.words_later = {"farther"};
    return field;
}

/// Kinds that may be left out of entries called like them.
Field backends() {
    static const DocumentTable here{
        "here backend", "Here.", {{"kind", FieldType::Word, "K.", false, {"here"}}}};
    static const DocumentTable there{
        "there backend", "There.", {{"kind", FieldType::Word, "K.", true, {"there"}}}};
    Field field{"backends", FieldType::KindMap, "Backends."};
    field.kinds = {&here, &there};
    return field;
}

const DocumentTable& use() {
    static const DocumentTable table{
        "use",
        "A use.",
        {{"name", FieldType::Name, "Of what.", true}, {"size", FieldType::Whole, "How much."}}};
    return table;
}

const DocumentTable& dock() {
    static const DocumentTable table{"dock",
                                     "A dock.",
                                     {{"name", FieldType::Name, "Its name.", true},
                                      {"hidden", FieldType::Hidden, "A text."},
                                      {"password", FieldType::Secret, "A secret."},
                                      {"cookies", FieldType::SecretMap, "Secrets."},
                                      {"uses", FieldType::NamedList, "Parts.", false, {}, &use()},
                                      backends(),
                                      buses()}};
    return table;
}

std::string check(std::string_view text, const DocumentTable& table = thing()) {
    Problems problems;
    const auto documents = read_documents(text, "t", problems);
    REQUIRE(problems.empty());
    REQUIRE(documents.size() == 1);
    const bool good = check_fields(documents[0], table, problems);
    CHECK(good == problems.empty());
    std::string out;
    for (const auto& problem : problems)
        out += problem.to_string() + "\n";
    return out;
}

std::string dock_check(const std::string& text) {
    return check(text, dock());
}

} // namespace

TEST_CASE("a good document has no problems and reads back by type") {
    const std::string_view text =
        "name: n\nflow: ads/train\non: true\nweight: 1.5\nnote: x\nmode: fast\nwait: 1h\ntags: a\nends: "
        "[good, bad]\n"
        "labels: {a: b}\nkey: {a: 'x'}\nvalues: {a: [1]}\none: {size: 3, where: 'a == b'}\nparts: {p: {size: "
        "1}}\n"
        "list: [{size: 2}]\nfree: [1, 2]\n";
    CHECK(check(text) == "");
    Problems problems;
    const auto documents = read_documents(text, "t", problems);
    const Fields fields(documents[0], thing());
    CHECK(fields.text("name") == "n");
    CHECK(fields.flag("on", false));
    CHECK(fields.duration("wait") == std::chrono::hours(1));
    CHECK(fields.texts("tags") == std::vector<std::string>{"a"});
    CHECK(fields.texts("ends") == std::vector<std::string>{"good", "bad"});
    CHECK(fields.text("later", "none") == "none");
    CHECK(Fields(*fields.find("one"), part()).whole("size", 0) == 3);
    CHECK(fields.place("mode").to_string() == "t:6:7");
}

TEST_CASE("every problem of a document is named, with its place") {
    CHECK(check("nam: n\nmodee: fast\n") ==
          "t:1:1: unknown key \"nam\"; did you mean \"name\"?\nt:2:1: unknown key \"modee\"; did you mean "
          "\"mode\"?\n"
          "t:1:1: missing name: Its name.\n");
    CHECK(check("name: 5\n") ==
          "t:1:7: name: expected a name as text, found the number 5; write it in quotes\n");
    CHECK(check("name: a b\n") ==
          "t:1:7: name: \"a b\" is not a name (1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or "
          "digit)\n");
    CHECK(check("name: a\nmode: fasst\n") ==
          "t:2:7: mode: expected fast or slow, found the text \"fasst\"; did you mean \"fast\"?\n");
    CHECK(check("name: a\nmode: warp\n") == "t:2:7: not built yet: mode: warp\n");
    CHECK(check("name: a\nlater: x\n") == "t:2:1: not built yet: later\n");
    CHECK(check("name: a\non: yes\n") == "t:2:5: on: expected true or false, found the text \"yes\"\n");
    CHECK(check("name: a\none: {size: 11}\n") == "t:2:13: one.size: 11 is out of range; allowed: 1 to 10\n");
    CHECK(check("name: a\none: {where: true}\n") ==
          "t:2:14: one.where: expected an expression, found the boolean true; an expression is text, best in "
          "single quotes: "
          "'event.data.rows > 0'\nt:2:6: missing one.size: Its size.\n");
    CHECK(check("name: a\nparts: {p: {sise: 1, size: 1}}\n") ==
          "t:2:13: unknown key \"sise\" in parts.p; did you mean \"size\"?\n");
    CHECK(check("name: a\nlist: [{size: x}]\n") ==
          "t:2:15: list[0].size: expected a whole number, found the text \"x\"\n");
    CHECK(check("name: a\nends: []\n") ==
          "t:2:7: ends: expected one or more of good or bad, found an empty list\n");
    CHECK(check("name: a\ntags: [1]\n") ==
          "t:2:8: tags[0]: expected text, found the number 1; write it in quotes\n");
    CHECK(check("name: a\nwait: 5\n") ==
          "t:2:7: wait: expected a duration as text (90s, 1h30m, 7d), found the number 5; write it in "
          "quotes\n");
    CHECK(check("name: a\nkey: {a: 1}\n").find("key.a: expected an expression") != std::string::npos);
    CHECK(check("[]\n") == "t:1:1: the thing: expected a map of fields, found an empty list\n");
    CHECK(check("name: a\nlabels: {a: 1}\n") ==
          "t:2:13: labels.a: expected text, found the number 1; write it in quotes\n");
    CHECK(check("name: a\nnote: {}\nweight: x\nflow: a/b/c\n").find("is not a name or team/name") !=
          std::string::npos);
}

TEST_CASE("a secret is named, never given, and never repeated") {
    CHECK(dock_check("name: a\npassword: {env: PASSWORD}\n") == "");
    CHECK(dock_check("name: a\npassword: {file: p.txt}\nhidden: hunter2\n") == "");
    for (const auto* value : {"hunter2", "5", "[hunter2]", "{env: ''}", "{env: A, file: B}", "{}",
                              "{value: hunter2}", "{env: 17}"}) {
        INFO(value);
        const auto problem = dock_check("name: a\npassword: " + std::string(value) + "\n");
        CHECK(problem.find("t:2:11: password: ") == 0);
        CHECK(problem.find("{env: NAME}") != std::string::npos);
        CHECK(problem.find("hunter2") == std::string::npos);
    }
    CHECK(dock_check("name: a\nhidden: 12345\n") == "t:2:9: hidden: expected text, in quotes\n");
}

TEST_CASE("entries of several kinds are each read by their own table") {
    CHECK(dock_check("name: a\nbuses: {b: {kind: near, size: 1}, c: {kind: far, part: {size: 1}}}\n") == "");
    CHECK(dock_check("name: a\nbuses: {b: {kind: far, size: 1}}\n") ==
          "t:2:24: unknown key \"size\" in buses.b\n");
    CHECK(dock_check("name: a\nbuses: {b: {size: 1}}\n") == "t:2:12: missing buses.b.kind: near or far\n");
    CHECK(dock_check("name: a\nbuses: {b: {kind: nera}}\n") ==
          "t:2:19: buses.b.kind: expected near or far, found the text \"nera\"; did you mean \"near\"?\n");
    CHECK(dock_check("name: a\nbuses: {b: {kind: farther}}\n") ==
          "t:2:19: not built yet: buses.b.kind: farther\n");
    CHECK(dock_check("name: a\nbuses: {b: {kind: 5}}\n") ==
          "t:2:19: buses.b.kind: expected near or far, found the number 5\n");
    CHECK(dock_check("name: a\nbuses: {b: near}\n") ==
          "t:2:12: buses.b: expected a map of fields, found the text \"near\"\n");
    CHECK(dock_check("name: a\nbuses: {a b: {kind: near}}\n").find("is not a name") != std::string::npos);
    CHECK(dock_check("name: a\nbuses: []\n").find("a map of named entries") != std::string::npos);
    CHECK(json_schema(dock()).find("\"#/$defs/far bus\"") != std::string::npos);
    CHECK(reference_text(dock()).find("map of name to near bus or far bus") != std::string::npos);
}

TEST_CASE("an entry without a kind is of the kind that it is called like, where tables allow that") {
    CHECK(dock_check("name: a\nbackends: {here: {}, there: {kind: there}, x: {kind: here}}\n") == "");
    CHECK(dock_check("name: a\nbackends: {there: {}}\n") ==
          "t:2:19: missing backends.there.kind: here or there\n");
    CHECK(dock_check("name: a\nbackends: {hree: {}}\n") ==
          "t:2:18: missing backends.hree.kind: here or there; did you mean \"here\"?\n");
}

TEST_CASE("maps of secrets, and lists of names and sections") {
    CHECK(dock_check("name: a\ncookies: {a: {env: A}, b: {file: b}}\nuses: [x, {name: y, size: 2}]\n") == "");
    CHECK(dock_check("name: a\nuses: x\n") == "");
    const auto problem = dock_check("name: a\ncookies: {a: hunter2}\n");
    CHECK(problem.find("t:2:14: cookies.a: a secret does not stand in this file") == 0);
    CHECK(problem.find("hunter2") == std::string::npos);
    CHECK(dock_check("name: a\nuses: []\n") ==
          "t:2:7: uses: expected a name, or a list of names and maps, found an empty list\n");
    CHECK(dock_check("name: a\nuses: [3]\n") ==
          "t:2:8: uses[0]: expected a name as text, or a map of fields, found the number 3; write it in "
          "quotes\n");
    CHECK(dock_check("name: a\nuses: [a b]\n").find("is not a name") != std::string::npos);
    CHECK(dock_check("name: a\nuses: [{size: 2}]\n") == "t:2:8: missing uses[0].name: Of what.\n");
    CHECK(dock_check("name: a\nuses: [{name: y, sise: 2}]\n") ==
          "t:2:18: unknown key \"sise\" in uses[0]; did you mean \"size\"?\n");
    CHECK(validate_json(json_schema(dock())).ok());
    CHECK(reference_text(dock()).find("name, or list of names and of use") != std::string::npos);
}

TEST_CASE("the same table gives the JSON Schema and the reference") {
    const auto schema = json_schema(thing());
    INFO(schema);
    CHECK(validate_json(schema).ok());
    CHECK(schema.find("\"later\"") == std::string::npos);
    CHECK(schema.find("\"required\":[\"name\"]") != std::string::npos);
    CHECK(schema.find(
              "\"size\":{\"description\":\"Its size.\",\"type\":\"integer\",\"minimum\":1,\"maximum\":10}") !=
          std::string::npos);
    CHECK(schema.find("\"free\":{\"description\":\"Anything.\"}") != std::string::npos);
    const auto reference = reference_text(thing());
    INFO(reference);
    CHECK(reference.find("| `mode` | `fast` \\| `slow` | How. |") != std::string::npos);
    CHECK(reference.find("| `name` (required) | name | Its name. |") != std::string::npos);
    CHECK(reference.find("not built yet: `mode: warp`, `later`.") != std::string::npos);
    CHECK(reference.find("## part") != std::string::npos);
}
