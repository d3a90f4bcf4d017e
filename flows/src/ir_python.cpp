#include <array>

#include <weir/flows/ir.hpp>

namespace weir::flows::ir {

namespace {

/// Words and operators of a piece of shell, without expansion: enough for the script that kfp writes.
std::optional<std::vector<std::vector<std::string>>> statements(std::string_view script) {
    std::vector<std::vector<std::string>> list(1);
    std::string word;
    bool in_word = false;
    const auto end_word = [&] {
        if (in_word) list.back().push_back(std::move(word));
        word.clear();
        in_word = false;
    };
    const auto end_statement = [&] {
        end_word();
        if (!list.back().empty()) list.emplace_back();
    };
    for (std::size_t i = 0; i < script.size(); ++i) {
        const char c = script[i];
        if (c == '\n' || c == ';' || c == '&' || c == '|') {
            end_statement();
        } else if (c == ' ' || c == '\t') {
            end_word();
        } else if (c == '\'' || c == '"') {
            in_word = true;
            for (++i; i < script.size() && script[i] != c; ++i) {
                if (c == '"' && script[i] == '\\' && i + 1 < script.size()) ++i;
                word += script[i];
            }
            if (i >= script.size()) return {};
        } else if (c == '\\') {
            if (++i < script.size() && script[i] != '\n') {
                in_word = true;
                word += script[i];
            }
        } else {
            in_word = true;
            word += c;
        }
    }
    end_statement();
    list.pop_back();
    return list;
}

/// The installs of the script that kfp puts before a component. Nothing if it does anything else beside.
std::optional<std::vector<std::vector<std::string>>> installs_of(std::string_view script) {
    const auto all = statements(script);
    if (!all || all->empty()) return {};
    std::vector<std::vector<std::string>> installs;
    bool in_if = false;
    for (const std::vector<std::string>& statement : *all) {
        auto word = statement.begin();
        if (*word == "if") in_if = true;
        if (*word == "fi") {
            in_if = false;
            continue;
        }
        if (in_if) continue;
        while (word != statement.end() && word->starts_with("PIP_"))
            ++word;
        const std::vector<std::string> rest(word, statement.end());
        if (rest.size() > 4 && rest[0] == "python3" && rest[1] == "-m" && rest[2] == "pip" &&
            rest[3] == "install") {
            installs.emplace_back(rest.begin() + 4, rest.end());
            continue;
        }
        // `use_venv=True`: an environment of its own is what weir makes anyway.
        const bool venv = rest.size() > 2 && rest[0] == "python3" && rest[1] == "-m" && rest[2] == "venv";
        const bool known = venv || (!rest.empty() && (rest[0] == "export" || rest[0] == "." ||
                                                      rest[0] == "$0" || rest[0].starts_with("tmp=")));
        if (!known) return {};
    }
    if (all->back() != std::vector<std::string>{"$0", "$@"}) return {};
    return installs;
}

std::string single_spaced(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool space = c == ' ' || c == '\n' || c == '\t';
        if (!space)
            out += c;
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    while (!out.empty() && out.back() == ' ')
        out.pop_back();
    return out;
}

/// True if the script writes "$0" to a file and runs it by kfp's executor: what weir does without a shell.
bool is_executor_script(std::string_view script) {
    return single_spaced(script) ==
           "program_path=$(mktemp -d) printf \"%s\" \"$0\" > \"$program_path/ephemeral_component.py\" "
           "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "
           "\"$program_path/ephemeral_component.py\" \"$@\"";
}

} // namespace

std::optional<PythonStep> python_step(const Executor& executor) {
    if (executor.kind != Executor::Kind::Container) return {};
    const std::vector<std::string>& command = executor.command;
    PythonStep step;
    std::size_t at = 0;
    if (command.size() >= 7 && command[0] == "sh" && command[1] == "-c") {
        auto installs = installs_of(command[2]);
        if (!installs) return {};
        step.installs = std::move(*installs);
        at = 3;
    }
    if (command.size() < at + 4 || command[at] != "sh" || command[at + 1] != "-ec" ||
        !is_executor_script(command[at + 2]))
        return {};
    step.source = command[at + 3];
    step.arguments.assign(command.begin() + static_cast<std::ptrdiff_t>(at) + 4, command.end());
    step.arguments.insert(step.arguments.end(), executor.args.begin(), executor.args.end());
    return step;
}

} // namespace weir::flows::ir
