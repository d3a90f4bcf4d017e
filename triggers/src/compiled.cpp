#include <weir/triggers/compiled.hpp>

#include <algorithm>
#include <charconv>

#include <weir/base/text.hpp>

namespace weir::triggers {
namespace {

bool is_schedule(const Leaf& leaf) {
    return std::holds_alternative<SchedulePattern>(leaf.pattern);
}
bool is_finish(const Leaf& leaf) {
    return std::holds_alternative<FinishPattern>(leaf.pattern);
}

cel::VariableType event_type(const Leaf& leaf) {
    return is_schedule(leaf) ? cel::VariableType::Dynamic : cel::VariableType::Event;
}

cel::CompileOptions options_with(std::vector<cel::Variable> variables) {
    cel::CompileOptions options;
    options.variables = std::move(variables);
    options.refuse_untyped_arithmetic = true;
    return options;
}

/// What `where` and `key` of a leaf may name: its own event only.
cel::CompileOptions leaf_options(const Leaf& leaf) {
    std::vector<cel::Variable> variables{{"event", event_type(leaf)}};
    if (leaf.name != "event") variables.push_back({leaf.name, event_type(leaf)});
    if (is_finish(leaf)) variables.push_back({"run", cel::VariableType::Dynamic});
    return options_with(std::move(variables));
}

/// The leaf that `run` stands for in `launch`: the only finish leaf there is.
std::optional<int> run_leaf(const When& when) {
    std::optional<int> found;
    for (std::size_t i = 0; i < when.leaves.size(); ++i) {
        if (!is_finish(when.leaves[i])) continue;
        if (found) return std::nullopt;
        found = static_cast<int>(i);
    }
    return found;
}

cel::CompileOptions launch_options(const When& when) {
    const bool any_schedule = std::any_of(when.leaves.begin(), when.leaves.end(), is_schedule);
    std::vector<cel::Variable> variables{
        {"event", any_schedule ? cel::VariableType::Dynamic : cel::VariableType::Event}};
    for (const auto& leaf : when.leaves)
        if (leaf.name != "event") variables.push_back({leaf.name, event_type(leaf)});
    if (run_leaf(when)) variables.push_back({"run", cel::VariableType::Dynamic});
    return options_with(std::move(variables));
}

const cel::Value& value_for(const Leaf& leaf, EventView& event) {
    return is_schedule(leaf) ? event.slot() : event.value();
}

class LeafBindings final : public cel::Bindings {
  public:
    LeafBindings(const Leaf& leaf, EventView& event) : leaf_(leaf), event_(event) {}
    [[nodiscard]] const cel::Value* find(std::string_view name) const override {
        if (name == "event" || name == leaf_.name) return &value_for(leaf_, event_);
        if (name == "run" && is_finish(leaf_)) return &event_.run();
        return nullptr;
    }

  private:
    const Leaf& leaf_;
    EventView& event_;
};

class LaunchBindings final : public cel::Bindings {
  public:
    LaunchBindings(const When& when, std::span<const Used> used, EventView& completing)
        : when_(when), used_(used), completing_(completing) {}

    [[nodiscard]] const cel::Value* find(std::string_view name) const override {
        if (name == "event") {
            for (const auto& used : used_)
                if (used.event == &completing_) return &value_for(leaf(used), completing_);
            return &completing_.value();
        }
        const auto run = run_leaf(when_);
        for (const auto& used : used_) {
            if (leaf(used).name == name) return &value_for(leaf(used), *used.event);
            if (name == "run" && run == used.leaf) return &used.event->run();
        }
        return nullptr;
    }

  private:
    [[nodiscard]] const Leaf& leaf(const Used& used) const {
        return when_.leaves[static_cast<std::size_t>(used.leaf)];
    }
    const When& when_;
    std::span<const Used> used_;
    EventView& completing_;
};

/// A program compiled when first asked for; what went wrong is kept as well.
class Lazy {
  public:
    [[nodiscard]] const Result<cel::Program>& get(const Expression& expression,
                                                  const cel::CompileOptions& options) {
        if (!program_)
            program_ =
                std::make_unique<Result<cel::Program>>(cel::Program::compile(expression.text, options));
        return *program_;
    }
    [[nodiscard]] bool there() const { return program_ != nullptr; }
    [[nodiscard]] const Result<cel::Program>& get() const { return *program_; }

  private:
    std::unique_ptr<Result<cel::Program>> program_;
};

/// "2:5: what" of an expression as a problem at its place in the file.
Problem problem_of(const Expression& expression, const std::string& what, const Error& error) {
    Place place = expression.place;
    const char* at = error.message.data();
    const char* const end = at + error.message.size();
    int line = 0, column = 0;
    std::string_view message = error.message;
    const auto [after_line, line_error] = std::from_chars(at, end, line);
    if (line_error == std::errc() && after_line != end && *after_line == ':') {
        const auto [after_column, column_error] = std::from_chars(after_line + 1, end, column);
        if (column_error == std::errc() && after_column != end && *after_column == ':') {
            message.remove_prefix(static_cast<std::size_t>(after_column - at) + 1);
            message.remove_prefix(std::min(message.find_first_not_of(' '), message.size()));
            if (place.line > 0) {
                place.line += line - 1;
                place.column += column - 1;
            }
        }
    }
    return {place, what + ": " + std::string(message)};
}

std::string expected_miss(std::string_view what, std::string_view found, std::string_view expected) {
    return std::string(what) + " is \"" + printable(found, 80) + "\", expected " + printable(expected, 80);
}

std::string text_member(const cel::Value& data, std::string_view name) {
    const auto* member = data.kind() == cel::Kind::Map ? data.find(name) : nullptr;
    return member != nullptr && member->is_string() ? std::string(member->as_string()) : std::string();
}

} // namespace

struct CompiledTrigger::Impl {
    explicit Impl(Trigger t)
        : trigger(std::move(t)), where(trigger.when.leaves.size()), keys(trigger.when.leaves.size()) {
        parameters.resize(trigger.launch.parameters.size());
    }
    Trigger trigger;
    std::vector<Lazy> where;
    std::vector<Lazy> keys;
    std::vector<Lazy> parameters;

    [[nodiscard]] const Leaf& leaf(int i) const { return trigger.when.leaves[static_cast<std::size_t>(i)]; }

    const Result<cel::Program>& where_program(int i) {
        auto& lazy = where[static_cast<std::size_t>(i)];
        return lazy.there() ? lazy.get() : lazy.get(*leaf(i).where, leaf_options(leaf(i)));
    }
    const Result<cel::Program>& key_program(int i) {
        auto& lazy = keys[static_cast<std::size_t>(i)];
        return lazy.there()
                   ? lazy.get()
                   : lazy.get(*trigger.when.keys[static_cast<std::size_t>(i)], leaf_options(leaf(i)));
    }
    const Result<cel::Program>& parameter_program(std::size_t i) {
        auto& lazy = parameters[i];
        return lazy.there() ? lazy.get()
                            : lazy.get(trigger.launch.parameters[i].expression, launch_options(trigger.when));
    }

    void compile_all(Problems& problems) {
        const auto look = [&](const Expression& expression, const std::string& what,
                              const Result<cel::Program>& program) {
            if (!program.ok()) problems.push_back(problem_of(expression, what, program.error()));
        };
        const auto& when = trigger.when;
        for (std::size_t i = 0; i < when.leaves.size(); ++i) {
            const auto path =
                when.kind == When::Kind::All ? "when.all." + when.leaves[i].name : std::string("when");
            const int leaf = static_cast<int>(i);
            if (when.leaves[i].where) look(*when.leaves[i].where, path + ".where", where_program(leaf));
            // One `key:` of several leaves is one mistake.
            const bool again = i > 0 && when.keys[i] && when.keys[i - 1] &&
                               when.keys[i]->place.line == when.keys[i - 1]->place.line &&
                               when.keys[i]->place.column == when.keys[i - 1]->place.column &&
                               !key_program(leaf - 1).ok();
            if (when.keys[i] && !again)
                look(*when.keys[i], "when.key of " + when.leaves[i].name, key_program(leaf));
        }
        for (std::size_t i = 0; i < trigger.launch.parameters.size(); ++i) {
            const auto& binding = trigger.launch.parameters[i];
            if (!binding.constant)
                look(binding.expression, "launch.parameters." + printable(binding.name, 60),
                     parameter_program(i));
        }
    }
};

CompiledTrigger::CompiledTrigger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CompiledTrigger::~CompiledTrigger() = default;

std::shared_ptr<const CompiledTrigger> CompiledTrigger::stored(Trigger trigger) {
    return std::shared_ptr<const CompiledTrigger>(
        new CompiledTrigger(std::make_unique<Impl>(std::move(trigger))));
}

std::shared_ptr<const CompiledTrigger> compile(const Trigger& trigger, Problems& problems) {
    const auto before = problems.size();
    auto impl = std::make_unique<CompiledTrigger::Impl>(trigger);
    impl->compile_all(problems);
    if (problems.size() > before) return nullptr;
    return std::shared_ptr<const CompiledTrigger>(new CompiledTrigger(std::move(impl)));
}

Problems check(const Trigger& trigger) {
    Problems problems;
    static_cast<void>(compile(trigger, problems));
    return problems;
}

const Trigger& CompiledTrigger::trigger() const {
    return impl_->trigger;
}
int CompiledTrigger::leaf_count() const {
    return static_cast<int>(impl_->trigger.when.leaves.size());
}

bool CompiledTrigger::pattern_meets(int leaf, EventView& event) const {
    const auto& pattern = impl_->leaf(leaf).pattern;
    const auto& e = event.event();
    if (const auto* p = std::get_if<EventPattern>(&pattern))
        return glob_match(p->type, e.type) && (p->source.empty() || glob_match(p->source, e.source)) &&
               (p->subject.empty() || glob_match(p->subject, e.subject));
    const auto* p = std::get_if<FinishPattern>(&pattern);
    if (p == nullptr || event.origin() != Origin::Settled || e.type != finish_type) return false;
    const auto& data = event.data();
    return text_member(data, "team") == p->team && glob_match(p->flow, text_member(data, "flow")) &&
           std::binary_search(p->outcomes.begin(), p->outcomes.end(), text_member(data, "outcome"));
}

std::string CompiledTrigger::pattern_miss(int leaf, EventView& event) const {
    if (pattern_meets(leaf, event)) return {};
    const auto& pattern = impl_->leaf(leaf).pattern;
    const auto& e = event.event();
    if (const auto* p = std::get_if<EventPattern>(&pattern)) {
        if (!glob_match(p->type, e.type)) return expected_miss("type", e.type, p->type);
        if (!p->source.empty() && !glob_match(p->source, e.source))
            return expected_miss("source", e.source, p->source);
        return expected_miss("subject", e.subject, p->subject);
    }
    const auto* p = std::get_if<FinishPattern>(&pattern);
    if (p == nullptr) return "it waits for slots of the schedule " + std::get<SchedulePattern>(pattern).cron;
    if (e.type != finish_type) return expected_miss("type", e.type, finish_type);
    if (event.origin() != Origin::Settled)
        return "it came from outside (source \"" + e.source +
               "\"), and `finish` waits for runs of this weir; `event: " + std::string(finish_type) +
               "` would see it";
    const auto team = text_member(event.data(), "team"), flow = text_member(event.data(), "flow");
    if (team != p->team) return expected_miss("team", team, p->team);
    if (!glob_match(p->flow, flow)) return expected_miss("flow", flow, p->flow);
    std::string outcomes;
    for (const auto& outcome : p->outcomes)
        outcomes += (outcomes.empty() ? "" : " or ") + outcome;
    return expected_miss("outcome", text_member(event.data(), "outcome"), outcomes);
}

Result<bool> CompiledTrigger::where(int leaf, EventView& event) const {
    if (!impl_->leaf(leaf).where) return true;
    const auto& program = impl_->where_program(leaf);
    if (!program.ok()) return program.error();
    return program->test(LeafBindings(impl_->leaf(leaf), event));
}

bool CompiledTrigger::where_holds(int leaf, EventView& event) const {
    if (!impl_->leaf(leaf).where) return true;
    const auto& program = impl_->where_program(leaf);
    return program.ok() && program->matches(LeafBindings(impl_->leaf(leaf), event));
}

bool CompiledTrigger::has_where(int leaf) const {
    return impl_->leaf(leaf).where.has_value();
}

const cel::Program* CompiledTrigger::where_program(int leaf) const {
    if (!has_where(leaf)) return nullptr;
    const auto& program = impl_->where_program(leaf);
    return program.ok() ? &*program : nullptr;
}

cel::Explanation CompiledTrigger::explain_where(int leaf, EventView& event) const {
    if (!impl_->leaf(leaf).where) return {};
    const auto& program = impl_->where_program(leaf);
    if (!program.ok()) return {impl_->leaf(leaf).where->text, {}, program.error().message};
    return program->explain(LeafBindings(impl_->leaf(leaf), event));
}

cel::Necessary CompiledTrigger::necessary(int leaf) const {
    const auto& where = impl_->leaf(leaf).where;
    if (!where) return {};
    const auto& lazy = impl_->where[static_cast<std::size_t>(leaf)];
    if (lazy.there()) return lazy.get().ok() ? lazy.get()->necessary() : cel::Necessary{};
    const auto program = cel::Program::compile(where->text, leaf_options(impl_->leaf(leaf)));
    return program.ok() ? program->necessary() : cel::Necessary{};
}

bool CompiledTrigger::has_key(int leaf) const {
    return impl_->trigger.when.keys[static_cast<std::size_t>(leaf)].has_value();
}

Result<std::string> CompiledTrigger::key(int leaf, EventView& event) const {
    expects(has_key(leaf), "the key asked of a leaf that has none");
    const auto& program = impl_->key_program(leaf);
    const auto context = "key of " + impl_->leaf(leaf).name;
    if (!program.ok()) return program.error().in(context);
    auto value = program->evaluate(LeafBindings(impl_->leaf(leaf), event));
    if (!value.ok()) return value.error().in(context);
    auto key = cel::canonical_key(*value);
    if (!key.ok()) return key.error().in(context);
    return key;
}

Result<std::vector<Argument>> CompiledTrigger::arguments(std::span<const Used> used,
                                                         EventView& completing) const {
    std::vector<Argument> arguments;
    const LaunchBindings bindings(impl_->trigger.when, used, completing);
    const auto& parameters = impl_->trigger.launch.parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const auto context = "parameter " + printable(parameters[i].name, 60);
        if (parameters[i].constant) {
            auto value = cel::from_json(parameters[i].constant_json);
            if (!value.ok()) return value.error().in(context);
            arguments.push_back({parameters[i].name, *std::move(value)});
            continue;
        }
        const auto& program = impl_->parameter_program(i);
        if (!program.ok()) return program.error().in(context);
        auto value = program->evaluate(bindings);
        if (!value.ok()) return value.error().in(context);
        arguments.push_back({parameters[i].name, *std::move(value)});
    }
    return arguments;
}

} // namespace weir::triggers
