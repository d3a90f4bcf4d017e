#include <weir/flows/records.hpp>

#include <weir/flows/launcher.hpp>

namespace weir::flows {

std::string_view to_string(ParameterType type) noexcept {
    switch (type) {
        case ParameterType::Integer: return "integer";
        case ParameterType::Double: return "double";
        case ParameterType::String: return "string";
        case ParameterType::Boolean: return "boolean";
        case ParameterType::List: return "list";
        case ParameterType::Struct: return "struct";
    }
    return "string";
}

std::string_view to_string(Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::Succeeded: return "succeeded";
        case Outcome::Failed: return "failed";
        case Outcome::Cancelled: return "cancelled";
        case Outcome::Skipped: return "skipped";
        case Outcome::Refused: return "refused";
        case Outcome::Lost: return "lost";
    }
    return "lost";
}

std::string_view to_string(TaskState state) noexcept {
    switch (state) {
        case TaskState::Pending: return "pending";
        case TaskState::Running: return "running";
        case TaskState::Succeeded: return "succeeded";
        case TaskState::Failed: return "failed";
        case TaskState::Skipped: return "skipped";
        case TaskState::Cancelled: return "cancelled";
    }
    return "pending";
}

} // namespace weir::flows
