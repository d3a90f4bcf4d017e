#include <support/catch.hpp>

#include <weir/flows/naming.hpp>

#include "multipart.hpp"
#include "spec.hpp"

using namespace weir;
using namespace weir::facade;

namespace {

const std::string hello = R"(# a comment
components:
  comp-say:
    executorLabel: exec-say
    inputDefinitions:
      parameters:
        msg: {parameterType: STRING}
deploymentSpec:
  executors:
    exec-say:
      container: {image: 'python:3.11', command: [echo], args: ["{{$.inputs.parameters['msg']}}"]}
pipelineInfo: {name: hello-pipe}
root:
  dag:
    tasks:
      say:
        componentRef: {name: comp-say}
        inputs: {parameters: {msg: {componentInputParameter: msg}}}
        taskInfo: {name: say}
  inputDefinitions:
    parameters:
      msg: {parameterType: STRING, defaultValue: hi, isOptional: true}
      n: {parameterType: NUMBER_INTEGER, defaultValue: 7.0, isOptional: true}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
)";
const std::string platform =
    "---\nplatforms:\n  kubernetes:\n    deploymentSpec:\n      executors:\n        exec-say: "
    "{nodeSelector: {labels: {disk: ssd}}}\n";

std::string form(const std::string& content, const std::string& field = "uploadfile") {
    return "--XX\r\nContent-Disposition: form-data; name=\"" + field +
           "\"; filename=\"/tmp/p.yaml\"\r\nContent-Type: application/octet-stream\r\n\r\n" + content +
           "\r\n--XX--\r\n";
}

const std::string form_type = "multipart/form-data; boundary=XX";

} // namespace

TEST_CASE("a spec of one document is shown bare, one of two with its platform") {
    auto one = read_spec(hello);
    REQUIRE(one.ok());
    CHECK(one->name == "hello-pipe");
    CHECK(one->shown["pipelineInfo"]["name"] == "hello-pipe");
    CHECK(to_text(one->shown["root"]["inputDefinitions"]["parameters"]["n"]["defaultValue"]) == "7");
    CHECK(one->parameters.size() == 2);
    auto two = read_spec(hello + platform);
    REQUIRE(two.ok());
    CHECK(two->shown["pipeline_spec"] == one->shown);
    CHECK(two->shown["platform_spec"].contains("platforms"));
    CHECK(shown_spec(two->text) == two->shown);

    SECTION("both shapes come back from JSON") {
        for (auto* spec : {&*one, &*two}) {
            auto again = read_spec(text_of_spec(spec->shown));
            REQUIRE(again.ok());
            CHECK(again->shown == spec->shown);
        }
        auto wrapped = read_spec(text_of_spec(Json{{"pipeline_spec", one->shown}}));
        REQUIRE(wrapped.ok());
        CHECK(wrapped->shown == one->shown);
    }
}

TEST_CASE("what is no pipeline is refused with its line") {
    auto yaml = read_spec("not: [a pipeline");
    REQUIRE(!yaml.ok());
    CHECK(yaml.error().message.find("pipeline.yaml:") == 0);
    CHECK(!read_spec("").ok());
    CHECK(!read_spec("a: 1").ok());
    CHECK(!read_spec("{}").ok());
    auto zip = read_spec("PK\x03\x04zzzz");
    REQUIRE(!zip.ok());
    CHECK(zip.error().kind == ErrorKind::Unsupported);
    CHECK(!read_spec("\x1f\x8b zzz").ok());
}

TEST_CASE("a pipeline's name gives its flow's") {
    CHECK(flows::flow_name_of("train") == "train");
    CHECK(flows::flow_name_of("demo.user.alice.ProjectFlow") == "demo.user.alice.ProjectFlow");
    CHECK(flows::flow_name_of("Bad Name!") == "Bad-Name-");
    CHECK(flows::flow_name_of("-_.x") == "x");
    CHECK(flows::flow_name_of("äö") == "pipeline");
    CHECK(flows::flow_name_of(std::string(200, 'a')).size() == 100);
    auto version = flow_version_of("ads", "train", hello);
    REQUIRE(version.ok());
    CHECK(version->backend == "local");
    CHECK(version->version == flow_version_of("ads", "train", hello).value().version);
    CHECK(version->version != flow_version_of("ads", "train", hello + platform).value().version);
}

TEST_CASE("a form's file is found, whatever else is in the form") {
    auto file = read_form(form_type, form("content\r\nwith lines"));
    REQUIRE(file.ok());
    CHECK(file->name == "p.yaml");
    CHECK(file->content == "content\r\nwith lines");
    auto two = form("x", "other");
    two.resize(two.size() - 4); // "--\r\n" of its end
    auto second = read_form("Multipart/Form-Data; charset=utf-8; boundary=\"XX\"", two + form("y").substr(4));
    REQUIRE(second.ok());
    CHECK(second->content == "y");
}

TEST_CASE("a form that is broken anywhere is refused") {
    CHECK(!read_form("application/json", "{}").ok());
    CHECK(!read_form("multipart/form-data", form("x")).ok());
    CHECK(!read_form("multipart/form-data; boundary=", form("x")).ok());
    CHECK(!read_form(form_type, "").ok());
    CHECK(!read_form(form_type, form("x", "other")).ok());
    const auto whole = form("abc");
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        INFO(cut);
        auto read = read_form(form_type, whole.substr(0, cut));
        if (read.ok()) CHECK(read->content == "abc");
    }
}
