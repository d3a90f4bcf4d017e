#include "backend_fields.hpp"

#include <algorithm>
#include <vector>

#include <weir/base/text.hpp>
#include <weir/flows/document.hpp>

namespace weir::flows {
namespace {

constexpr unsigned of(BackendKind kind) {
    return 1U << static_cast<unsigned>(kind);
}
constexpr unsigned of_local = of(BackendKind::Local);
constexpr unsigned of_null = of(BackendKind::Null);
constexpr unsigned of_kubeflow = of(BackendKind::Kubeflow);

struct FieldKinds {
    std::string_view name;
    unsigned kinds;
};
/// Fields that not every kind of backend has.
constexpr FieldKinds field_kinds[] = {
    {"pipeline", of_local | of_kubeflow},
    {"version", of_kubeflow},
    {"spec", of_kubeflow},
    {"experiment", of_kubeflow},
    {"display_name", of_kubeflow},
    {"reports", of_kubeflow},
    {"on_restart", of_local},
    {"timeout", of_local},
    {"task_timeout", of_local},
    {"env", of_local},
    {"env_pass", of_local},
    {"log_bytes_max", of_local},
    {"memory_bytes_max", of_local},
    {"parallel", of_local},
    {"parameters", of_null | of_kubeflow},
    {"settle_after", of_null},
    {"outcome", of_null},
    {"outputs", of_null},
};

std::string kinds_text(unsigned kinds) {
    std::string out;
    const auto add = [&](unsigned kind, const char* text) {
        if ((kinds & kind) != 0) out += (out.empty() ? "" : " and ") + std::string(text);
    };
    add(of_local, "backend local");
    add(of_null, "backend null");
    add(of_kubeflow, "Kubeflow backends");
    return out;
}

} // namespace

BackendKind kind_of_backend(std::string_view backend) noexcept {
    if (backend == "local") return BackendKind::Local;
    return backend == "null" ? BackendKind::Null : BackendKind::Kubeflow;
}

Status check_display_name(std::string_view pattern) {
    for (std::size_t open = pattern.find('{'); open != std::string_view::npos;
         open = pattern.find('{', open + 1)) {
        const auto close = pattern.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", open + 1);
        if (close == std::string_view::npos || close == open + 1 || pattern[close] != '}') continue;
        const auto word = pattern.substr(open + 1, close - open - 1);
        static const std::vector<std::string_view> words{"team",     "flow", "version", "run",
                                                         "decision", "time", "date"};
        if (std::find(words.begin(), words.end(), word) == words.end())
            return invalid("there is no {" + std::string(word) + "}" + did_you_mean(word, words) +
                           "; replaced are {team}, {flow}, {version}, {run}, {decision}, {time} and {date}");
    }
    return {};
}

std::string fault_of_server_text(std::string_view text, std::size_t characters_max) {
    if (text.find_first_not_of(' ') == std::string_view::npos) return "it is empty";
    const auto byte = [](char c) { return static_cast<unsigned char>(c); };
    if (std::any_of(text.begin(), text.end(), [&](char c) { return byte(c) < 0x20 || byte(c) == 0x7f; }))
        return "it holds a control character or a line break";
    if (std::any_of(text.begin(), text.end(), [&](char c) { return byte(c) >= 0xf0; }))
        return "it holds a character above U+FFFF, which the server's database may not take";
    const auto characters =
        std::count_if(text.begin(), text.end(), [&](char c) { return (byte(c) & 0xc0) != 0x80; });
    if (static_cast<std::size_t>(characters) > characters_max)
        return "it has more than " + std::to_string(characters_max) + " characters";
    return {};
}

void check_backend_fields(const Fields& fields, std::string_view backend, Problems& problems) {
    const auto kind = kind_of_backend(backend);
    if (backend == "process")
        problems.push_back({fields.place("backend"), "not built yet: backend: process"});
    for (const auto& [name, kinds] : field_kinds) {
        if ((kinds & of(kind)) != 0 || !fields.has(name)) continue;
        std::string message = std::string(name) + " is for " + kinds_text(kinds) + ", not for ";
        if (kind == BackendKind::Kubeflow)
            message += "the Kubeflow backend \"" + printable(backend, 60) + "\"" +
                       did_you_mean(backend, {"local", "null"});
        else
            message += std::string(backend);
        if (name == "parameters") message += "; local takes the pipeline's";
        problems.push_back({fields.place(name), std::move(message)});
    }
}

} // namespace weir::flows
