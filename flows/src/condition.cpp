#include <weir/flows/condition.hpp>

namespace weir::flows::ir {

Result<cel::Program> compile_condition(std::string_view text) {
    cel::CompileOptions options;
    options.variables = {{"inputs", cel::VariableType::Dynamic}};
    return cel::Program::compile(text, options);
}

Result<bool> test_condition(std::string_view text, const std::map<std::string, cel::Value>& parameters) {
    WEIR_ASSIGN(program, compile_condition(text));
    std::vector<std::pair<std::string, cel::Value>> values(parameters.begin(), parameters.end());
    cel::SimpleBindings bindings;
    bindings.set("inputs", cel::Value::object({{"parameter_values", cel::Value::object(std::move(values))}}));
    return program.test(bindings);
}

} // namespace weir::flows::ir
