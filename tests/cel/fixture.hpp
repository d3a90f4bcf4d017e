#pragma once

#include <string>

#include <support/catch.hpp>

#include <weir/cel/program.hpp>

namespace weir::cel::testing {

/// An event as the triggers offer it: attributes, time as a timestamp, data as parsed JSON.
inline Value event() {
    auto data = from_json(R"({
        "table": "orders", "rows": 1250, "ratio": 0.875, "ok": true, "owner": null, "text": "12",
        "tags": ["daily", "pii", "gold"], "files": [{"name": "a", "size": 3}, {"name": "b", "size": 0}],
        "matrix": [[1, 2], [3]], "empty": [], "nested": {"a": {"b": "deep"}}, "a-b": 7, "metrics": {"auc": 0.9, "f1": 0.5}
    })");
    REQUIRE(data.ok());
    return Value::object({{"id", Value::string("A-1")},
                          {"source", Value::string("/storage/eu")},
                          {"type", Value::string("com.example.table.updated")},
                          {"specversion", Value::string("1.0")},
                          {"time", Value::timestamp(1'772'325'931, 250'000'000)}, // 2026-03-01T00:45:31.25Z
                          {"data", *data}});
}

inline SimpleBindings bindings() {
    SimpleBindings all;
    all.set("event", event());
    all.set("x", Value::integer(7));
    return all;
}

inline CompileOptions options() {
    return {.variables = {{"event", VariableType::Dynamic}, {"x", VariableType::Dynamic}}};
}

/// "int 7", "string \"a\"", "type int"; a failure as "error: words".
inline std::string show(const Result<Value>& value) {
    if (!value.ok()) return "error: " + value.error().message;
    if (value->kind() == Kind::Type) return "type " + std::string(value->as_string());
    const auto text = to_json(*value);
    return std::string(type_name(value->kind())) + " " + (text.ok() ? *text : text.error().message);
}

inline Result<Value> evaluate(std::string_view expression, const CompileOptions& how) {
    WEIR_ASSIGN(program, Program::compile(expression, how));
    return program.evaluate(bindings());
}

} // namespace weir::cel::testing
