#include <support/catch.hpp>

#include "create_run.hpp"
#include "json.hpp"
#include "parameters.hpp"

using namespace weir;
using namespace weir::flows;
using namespace weir::flows::kubeflow;

namespace {

const std::string where = "the version \"v1\" of the pipeline \"train\"";

SpecView spec() {
    SpecView view;
    view.parameters["s"] = {"STRING", false};
    view.parameters["i"] = {"NUMBER_INTEGER", false};
    view.parameters["d"] = {"NUMBER_DOUBLE", false};
    view.parameters["b"] = {"BOOLEAN", false};
    view.parameters["l"] = {"LIST", false};
    view.parameters["m"] = {"STRUCT", false};
    return view;
}

std::string fault(const std::string& arguments, const std::vector<Parameter>& declared = {}) {
    const auto checked = check_arguments(declared, spec(), arguments, 1000, where);
    return checked.ok() ? std::string() : checked.error().message;
}

bool holds(const std::string& text, const std::string& part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("arguments that arrive unchanged are let pass", "[kubeflow]") {
    CHECK(fault("{}").empty());
    CHECK(fault(R"({"s":"x","i":3,"d":1.5,"b":true,"l":[1,"a",null],"m":{"k":{"n":null}}})").empty());
    CHECK(fault(R"({"i":9007199254740991,"d":3})").empty());
    CHECK(fault(R"({"i":-9007199254740991})").empty());
    CHECK(fault(R"({"i":1.0})").empty());
    CHECK(fault(R"({"s":"","l":[],"m":{}})").empty());
    CHECK(fault("{\"s\":\"\xc3\xbc \xe2\x82\xac \xef\xbf\xbd\"}").empty());
    // The server leaves these as they are.
    CHECK(fault(R"({"s":"[[ScheduledTime]] [[Index]] [[ RunUUID ]] [[1,2],[3]]"})").empty());
    CHECK(fault(R"({"l":["[[RunUUID]]"],"m":{"k":"[[CurrentTime]]"}})").empty());
    CHECK(fault(R"({"d":9007199254740992,"l":[1e300]})").empty());
}

TEST_CASE("arguments that the server takes wrongly are refused", "[kubeflow]") {
    CHECK(holds(fault(R"({"i":1.5})"), "\"i\" must be a whole number"));
    CHECK(holds(fault(R"({"i":"1"})"), "must be a whole number"));
    CHECK(holds(fault(R"({"i":9007199254740993})"), "2^53"));
    CHECK(holds(fault(R"({"i":12345678901234567890})"), "whole number"));
    CHECK(holds(fault(R"({"d":9007199254740993})"), "would round"));
    CHECK(holds(fault(R"({"l":[[9007199254740993]]})"), "would round"));
    CHECK(holds(fault(R"({"m":{"k":18446744073709551615}})"), "would round"));
    CHECK(holds(fault(R"({"s":null})"), "is null"));
    CHECK(holds(fault(R"({"b":1})"), "true or false"));
    CHECK(holds(fault(R"({"l":{}})"), "a list"));
    CHECK(holds(fault(R"({"m":[]})"), "an object"));
    CHECK(holds(fault(R"({"s":5})"), "a string"));
    CHECK(holds(fault("{\"s\":\"\xf0\x9f\x98\x80\"}"), "U+1F600"));
    CHECK(holds(fault(R"({"m":{"\ud83d\ude00":1}})"), "U+1F600"));
    CHECK(holds(fault(R"({"l":[["a\u0000b"]]})"), "NUL"));
    CHECK(holds(fault(R"({"s":"id=[[RunUUID]]"})"), "[[RunUUID"));
    CHECK(holds(fault(R"({"s":"[[CurrentTime.2006-01-02]]"})"), "[[CurrentTime"));
    CHECK(holds(fault("[]"), "JSON object"));
    CHECK(holds(fault("{\"s\":\"" + std::string(1000, 'x') + "\"}"), "1000"));
    // Every fault is said at once.
    const auto both = fault(R"({"i":1.5,"s":null})");
    CHECK((holds(both, "\"i\"") && holds(both, "\"s\"")));
}

TEST_CASE("a version that has changed is noticed", "[kubeflow]") {
    Parameter declared;
    declared.name = "i";
    declared.type = ParameterType::String;
    CHECK(holds(fault(R"({"i":"x"})", {declared}), "is NUMBER_INTEGER in the version"));
    CHECK(holds(fault(R"({"sum":1})"), "has no parameter \"sum\""));
    SpecView demanding = spec();
    demanding.parameters["date"] = {"STRING", true};
    const auto checked = check_arguments({}, demanding, "{}", 1000, where);
    REQUIRE_FALSE(checked.ok());
    CHECK(holds(checked.error().message, "demands the parameter \"date\""));
}

TEST_CASE("specs are read in both shapes", "[kubeflow]") {
    const std::string bare = R"({"schemaVersion":"2.1.0","root":{"inputDefinitions":{"parameters":{
        "a":{"parameterType":"STRING"},"b":{"parameterType":"LIST","defaultValue":[]},
        "c":{"parameterType":"STRUCT","isOptional":true}}}}})";
    for (const std::string& text : {bare, "{\"pipeline_spec\":" + bare + ",\"platform_spec\":{}}"}) {
        const auto document = Document::parse(text);
        REQUIRE(document.ok());
        const auto view = read_spec(document->root());
        REQUIRE(view.ok());
        CHECK(view->parameters.size() == 3);
        CHECK(view->parameters.at("a").required);
        CHECK_FALSE(view->parameters.at("b").required);
        CHECK_FALSE(view->parameters.at("c").required);
    }
    const auto argo = Document::parse(R"({"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow"})");
    CHECK(holds(read_spec(argo->root()).error().message, "KFP v1"));
    CHECK_FALSE(read_spec(Document::parse("{}")->root()).ok());
}

TEST_CASE("names, descriptions and bodies", "[kubeflow]") {
    FlowVersion flow;
    flow.team = "ads";
    flow.flow = "train";
    flow.version = "0123456789ab";
    flow.settings_json = R"({"pipeline":"train"})";
    LaunchRequest request;
    request.flow = std::make_shared<const FlowVersion>(flow);
    request.arguments_json = R"({"n":1e3})";
    request.created = *parse_rfc3339("2026-01-02T03:04:05.6Z");
    CHECK(display_name_of("{flow} {time}", request) == "train 2026-01-02T03:04:05Z");
    CHECK(display_name_of("{team}/{flow} {date} {nope}", request) == "ads/train 2026-01-02 {nope}");
    CHECK(display_name_of("  ", request) == "train 2026-01-02T03:04:05Z");
    CHECK(display_name_of(std::string(300, 'x'), request).size() == 255);
    CHECK(read_machine_line(description_of(request)).flow == "ads/train");
    const Binding binding;
    const auto body = run_body({request, binding, *read_target(flow), "p", "v", "e", false});
    CHECK(body.find(R"("parameters":{"n":1e3})") != std::string::npos);
    CHECK(body.find("plugins_input") == std::string::npos);
    CHECK(Document::parse(body).ok());
    Binding other;
    other.pipeline_root = "s3://b/\"runtime_config\":{";
    const auto with_root = run_body({request, other, *read_target(flow), "p", "v", "", true});
    INFO(with_root);
    const auto document = Document::parse(with_root);
    REQUIRE(document.ok());
    CHECK(text_of(*member(document->root(), "runtime_config"), "pipeline_root") == other.pipeline_root);
    CHECK(member(*member(document->root(), "runtime_config"), "parameters"));

    CHECK(takes_plugins("2.17.0"));
    CHECK(takes_plugins("v3.0.1"));
    CHECK_FALSE(takes_plugins("2.16.1"));
    CHECK_FALSE(takes_plugins(""));
    CHECK_FALSE(takes_plugins("2"));
    CHECK_FALSE(takes_plugins("nightly"));

    CHECK(equal_json(R"({"a":1,"b":[1.0]})", R"({"b":[1],"a":1.0})"));
    CHECK_FALSE(equal_json(R"({"a":1})", R"({"a":"1"})"));

    flow.settings_json = "{}";
    CHECK_FALSE(read_target(flow).ok());
    flow.pipeline = "train";
    CHECK(read_target(flow)->pipeline == "train");
    flow.settings_json = "{\"pipeline\":\"\xf0\x9f\x98\x80\"}";
    CHECK(holds(read_target(flow).error().message, "U+1F600"));
}

TEST_CASE("experiments come from the binding", "[kubeflow]") {
    Binding binding;
    Target target;
    CHECK(experiment_of(binding, target)->empty());
    binding.namespace_ = "ns";
    CHECK(*experiment_of(binding, target) == "Default");
    binding.experiment = "weir";
    CHECK(*experiment_of(binding, target) == "weir");
    target.experiment = "mine";
    binding.experiments = {};
    CHECK_FALSE(experiment_of(binding, target).ok());
    binding.experiments = {"mine"};
    CHECK(*experiment_of(binding, target) == "mine");
}
