#include <weir/cel/program.hpp>

#include "eval.hpp"

namespace weir::cel {

void SimpleBindings::set(std::string name, Value value) {
    for (auto& [known, held] : values_) {
        if (known != name) continue;
        held = std::move(value);
        return;
    }
    values_.emplace_back(std::move(name), std::move(value));
}

const Value* SimpleBindings::find(std::string_view name) const {
    for (const auto& [known, value] : values_)
        if (known == name) return &value;
    return nullptr;
}

Result<Value> Program::evaluate(const Bindings& bindings) const {
    Evaluator evaluator(*impl_, bindings, impl_->limits.cost_max);
    Value scratch;
    const auto* const value = evaluator.run(*impl_->root, scratch);
    if (value == nullptr) return evaluator.error();
    return *value;
}

Result<bool> Program::test(const Bindings& bindings) const {
    Evaluator evaluator(*impl_, bindings, impl_->limits.cost_max);
    Value scratch;
    const auto* const value = evaluator.run(*impl_->root, scratch);
    if (value == nullptr) return evaluator.error();
    if (value->kind() != Kind::Bool)
        return invalid("a condition must be true or false, this is of type " +
                       std::string(type_name(value->kind())));
    return value->as_bool();
}

bool Program::matches(const Bindings& bindings) const {
    Evaluator evaluator(*impl_, bindings, impl_->limits.cost_max);
    Value scratch;
    const auto* const value = evaluator.run(*impl_->root, scratch);
    return value != nullptr && value->kind() == Kind::Bool && value->as_bool();
}

std::optional<Value> Program::value(const Bindings& bindings) const {
    Evaluator evaluator(*impl_, bindings, impl_->limits.cost_max);
    Value scratch;
    const auto* const value = evaluator.run(*impl_->root, scratch);
    return value != nullptr ? std::optional(*value) : std::nullopt;
}

const std::string& Program::text() const {
    return impl_->text;
}

const std::vector<std::string>& Program::variables() const {
    return impl_->variables;
}

} // namespace weir::cel
