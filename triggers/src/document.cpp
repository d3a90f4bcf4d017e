#include <weir/triggers/document.hpp>

#include <algorithm>
#include <array>
#include <set>

#include <weir/base/digest.hpp>
#include <weir/triggers/cron.hpp>

#include "canonical.hpp"

namespace weir::triggers {
namespace {

/// The table of a section, by the names that lead to it from the trigger table.
const DocumentTable& section_table(const DocumentTable& table, std::string_view name) {
    for (const auto& field : table.fields)
        if (field.name == name) return *field.section;
    broken_invariant("a section that the trigger table lacks", std::source_location::current());
}

/// Names that mean something in every expression, or to CEL.
bool reserved(std::string_view name) {
    static constexpr std::array words{"event",     "run",    "true",   "false",    "null", "in",
                                      "as",        "break",  "const",  "continue", "else", "for",
                                      "function",  "if",     "import", "let",      "loop", "package",
                                      "namespace", "return", "var",    "void",     "while"};
    return std::find(words.begin(), words.end(), name) != words.end();
}

bool identifier(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !name.empty() && name.size() <= 64 && letter(name.front()) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

Expression expression_of(const Node& node) {
    return {node.text, {node.place.file, node.text_line, node.text_column}};
}

class Reader {
  public:
    Reader(const Node& document, Problems& problems, std::string_view default_team)
        : document_(document), problems_(problems), fields_(document, trigger_table()) {
        trigger_.place = document.place;
        trigger_.name = fields_.text("trigger");
        trigger_.team = fields_.text("team", default_team);
    }

    std::optional<Trigger> read() {
        const auto before = problems_.size();
        check_fields(document_, trigger_table(), problems_);
        if (document_.kind != Node::Kind::Map) return std::nullopt;
        trigger_.description = fields_.text("description");
        read_labels();
        if (const auto* when = fields_.find("when"); when != nullptr && when->kind == Node::Kind::Map)
            read_when(*when);
        if (const auto* launch = fields_.find("launch"); launch != nullptr && launch->kind == Node::Kind::Map)
            read_launch(*launch);
        if (const auto* limits = fields_.find("limits")) {
            const Fields inner(*limits, section_table(trigger_table(), "limits"));
            trigger_.breakers.firings_per_minute = static_cast<int>(inner.whole("firings_per_minute", 1000));
            trigger_.breakers.depth = static_cast<int>(inner.whole("depth", 32));
        }
        if (const auto* start = fields_.find("start"))
            if (start->kind != Node::Kind::String || start->text != "new")
                add(start->place,
                    "not built yet: start: " +
                        (start->kind == Node::Kind::String ? printable(start->text, 60) : start->describe()) +
                        "; only new");
        if (problems_.size() > before) return std::nullopt;
        trigger_.canonical_json = canonical_json(trigger_);
        trigger_.hash = to_hex(sha256(trigger_.canonical_json));
        return std::move(trigger_);
    }

  private:
    void add(const Place& place, std::string message) { problems_.push_back({place, std::move(message)}); }

    void read_labels() {
        const auto* labels = fields_.find("labels");
        if (labels == nullptr) return;
        if (labels->members.size() > TriggerLimits::labels_max)
            add(labels->place, "labels: more than " + std::to_string(TriggerLimits::labels_max));
        for (const auto& [key, value] : labels->members)
            trigger_.labels[key.text] = value.text;
    }

    void read_when(const Node& node) {
        const auto& table = section_table(trigger_table(), "when");
        const Fields when(node, table);
        if (!when.has("all")) {
            for (const auto* field : {"key", "within", "consume", "clock"})
                if (when.has(field))
                    add(when.key_place(field), "when." + std::string(field) + ": only together with all");
            if (auto leaf = read_leaf({}, when, node.place)) trigger_.when.leaves.push_back(std::move(*leaf));
            trigger_.when.keys.resize(trigger_.when.leaves.size());
            return;
        }
        for (const auto* field :
             {"event", "source", "subject", "finish", "outcome", "team", "schedule", "timezone", "where"})
            if (when.has(field))
                add(when.key_place(field),
                    "when." + std::string(field) + ": not beside all; it belongs to a leaf of all");
        trigger_.when.kind = When::Kind::All;
        const auto& all = *when.find("all");
        if (all.kind != Node::Kind::Map) return;
        if (all.members.empty()) add(all.place, "when.all: at least one leaf is needed");
        if (all.members.size() > TriggerLimits::leaves_max)
            add(all.place, "when.all: more than " + std::to_string(TriggerLimits::leaves_max) + " leaves");
        const auto& leaf_fields = section_table(table, "all");
        for (const auto& [key, value] : all.members) {
            if (valid_name(key.text) && (!identifier(key.text) || reserved(key.text)))
                add(key.place,
                    "when.all: \"" + key.text +
                        "\" cannot name a leaf: expressions use the name, so it must be " +
                        "letters, digits and _ (at most 64), and not a word such as event, run or in");
            if (value.kind != Node::Kind::Map) continue;
            if (auto leaf = read_leaf(key.text, Fields(value, leaf_fields), key.place))
                trigger_.when.leaves.push_back(std::move(*leaf));
        }
        read_keys(when);
        trigger_.when.within = when.duration("within");
        if (trigger_.when.within && *trigger_.when.within <= Duration::zero())
            add(when.place("within"), "when.within: must be longer than zero");
    }

    std::optional<Leaf> read_leaf(const std::string& name, const Fields& fields, const Place& place) {
        const std::string path = name.empty() ? "when" : "when.all." + name;
        std::vector<std::string> operators;
        for (const auto* each : {"event", "finish", "schedule"})
            if (fields.has(each)) operators.emplace_back(each);
        if (operators.empty()) {
            add(place, path + ": expected one of event, finish" +
                           (name.empty() ? ", schedule or all" : " or schedule"));
            return std::nullopt;
        }
        if (operators.size() > 1) {
            add(fields.key_place(operators[1]), path + ": " + operators[0] + " and " + operators[1] +
                                                    " cannot stand together; use all with two leaves");
            return std::nullopt;
        }
        const auto only_with = [&](std::string_view field, std::string_view owner) {
            if (operators[0] != owner && fields.has(field))
                add(fields.key_place(field),
                    path + "." + std::string(field) + ": only together with " + std::string(owner));
        };
        only_with("source", "event");
        only_with("subject", "event");
        only_with("outcome", "finish");
        only_with("team", "finish");
        only_with("timezone", "schedule");
        Leaf leaf;
        leaf.name = name.empty() ? operators[0] : name;
        leaf.place = place;
        if (operators[0] == "event") leaf.pattern = read_event(fields, path);
        if (operators[0] == "finish") leaf.pattern = read_finish(fields, path);
        if (operators[0] == "schedule") leaf.pattern = read_schedule(fields, path);
        if (const auto* where = fields.find("where"); where != nullptr && where->kind == Node::Kind::String)
            leaf.where = expression_of(*where);
        if (!name.empty()) leaf.keep = fields.flag("keep", false);
        return leaf;
    }

    EventPattern read_event(const Fields& fields, const std::string& path) {
        for (const auto* field : {"event", "source", "subject"})
            if (const auto text = fields.text(field, "*");
                text.empty() || text.size() > TriggerLimits::glob_bytes_max)
                add(fields.place(field), path + "." + field + ": expected 1 to " +
                                             std::to_string(TriggerLimits::glob_bytes_max) + " bytes");
        return {fields.text("event"), fields.text("source"), fields.text("subject")};
    }

    FinishPattern read_finish(const Fields& fields, const std::string& path) {
        FinishPattern pattern{fields.text("finish"), fields.texts("outcome"),
                              fields.text("team", trigger_.team)};
        if (const auto slash = pattern.flow.find('/'); slash != std::string::npos) {
            if (fields.has("team")) add(fields.place("team"), path + ".team: finish names a team already");
            pattern.team = pattern.flow.substr(0, slash);
            pattern.flow.erase(0, slash + 1);
            if (!valid_name(pattern.team))
                add(fields.place("finish"), path + ".finish: the team's name is not valid");
        }
        auto letters = pattern.flow;
        std::replace(letters.begin(), letters.end(), '*', 'x');
        if (fields.find("finish")->kind == Node::Kind::String && !valid_name(letters))
            add(fields.place("finish"), path + ".finish: expected a flow's name, or a glob of one, found \"" +
                                            printable(pattern.flow, 60) + "\"");
        if (pattern.outcomes.empty()) pattern.outcomes = {"succeeded"};
        std::sort(pattern.outcomes.begin(), pattern.outcomes.end());
        pattern.outcomes.erase(std::unique(pattern.outcomes.begin(), pattern.outcomes.end()),
                               pattern.outcomes.end());
        return pattern;
    }

    SchedulePattern read_schedule(const Fields& fields, const std::string& path) {
        SchedulePattern pattern{fields.text("schedule"), fields.text("timezone", "UTC")};
        if (fields.find("schedule")->kind != Node::Kind::String) return pattern;
        const auto cron = Cron::parse(pattern.cron);
        if (!cron.ok()) add(fields.place("schedule"), path + ".schedule: " + cron.error().message);
        if (const auto zone = Schedule::parse("* * * * *", pattern.timezone); !zone.ok())
            add(fields.place(fields.has("timezone") ? "timezone" : "schedule"),
                path + ".timezone: " + zone.error().message);
        return pattern;
    }

    void read_keys(const Fields& when) {
        auto& leaves = trigger_.when.leaves;
        auto& keys = trigger_.when.keys;
        keys.resize(leaves.size());
        const auto* key = when.find("key");
        if (key == nullptr) return;
        if (key->kind == Node::Kind::String) {
            for (std::size_t i = 0; i < leaves.size(); ++i)
                if (!leaves[i].keep) keys[i] = expression_of(*key);
            return;
        }
        std::vector<std::string_view> names;
        for (const auto& leaf : leaves)
            names.push_back(leaf.name);
        for (const auto& [name, expression] : key->members) {
            const auto found = std::find(names.begin(), names.end(), name.text);
            if (found == names.end())
                add(name.place, "when.key: there is no leaf \"" + printable(name.text, 60) + "\"" +
                                    did_you_mean(name.text, names));
            else if (expression.kind == Node::Kind::String)
                keys[static_cast<std::size_t>(found - names.begin())] = expression_of(expression);
        }
        for (std::size_t i = 0; i < leaves.size(); ++i)
            if (!keys[i] && !leaves[i].keep)
                add(key->place, "when.key: the leaf \"" + leaves[i].name +
                                    "\" has no key, so all keys share it; then it must be keep: true");
    }

    void read_launch(const Node& node) {
        const auto& table = section_table(trigger_table(), "launch");
        const Fields fields(node, table);
        auto& launch = trigger_.launch;
        launch.flow = fields.text("flow");
        launch.place = fields.place("flow");
        const auto overlap = fields.text("overlap", "allow");
        for (const auto each : {Launch::Overlap::Allow, Launch::Overlap::Skip, Launch::Overlap::Queue,
                                Launch::Overlap::Latest, Launch::Overlap::CancelRunning})
            if (to_string(each) == overlap) launch.overlap = each;
        if (const auto* queue = fields.find("queue")) {
            const Fields inner(*queue, section_table(table, "queue"));
            launch.queue_max = static_cast<int>(inner.whole("limit", launch.queue_max));
            launch.max_age = inner.duration("max_age");
            if (launch.overlap != Launch::Overlap::Queue)
                add(queue->place, "launch.queue: only together with overlap: queue");
            if (launch.max_age && *launch.max_age <= Duration::zero())
                add(inner.place("max_age"), "launch.queue.max_age: must be longer than zero");
        }
        const auto* parameters = fields.find("parameters");
        if (parameters == nullptr) return;
        if (parameters->members.size() > TriggerLimits::parameters_max)
            add(parameters->place,
                "launch.parameters: more than " + std::to_string(TriggerLimits::parameters_max));
        for (const auto& [key, value] : parameters->members)
            read_parameter(key, value);
    }

    void read_parameter(const Node& key, const Node& value) {
        ParameterBinding binding;
        binding.name = key.text;
        binding.expression.place = value.place;
        if (key.text.empty() || key.text.size() > 128)
            add(key.place, "launch.parameters: a parameter's name has 1 to 128 bytes");
        const auto* wrapped = value.members.size() == 1 ? value.find("value") : nullptr;
        if (value.kind == Node::Kind::String) {
            binding.expression = expression_of(value);
            if (value.text.find_first_not_of(" \t\r\n") == std::string::npos)
                add(value.place, "launch.parameters." + printable(key.text, 60) +
                                     ": the expression is empty; for empty text write {value: ''}");
        } else {
            binding.constant = true;
            binding.constant_json = to_json(wrapped != nullptr ? *wrapped : value);
        }
        trigger_.launch.parameters.push_back(std::move(binding));
    }

    const Node& document_;
    Problems& problems_;
    Fields fields_;
    Trigger trigger_;
};

} // namespace

std::string Launch::flow_team(std::string_view trigger_team) const {
    const auto slash = flow.find('/');
    return slash == std::string::npos ? std::string(trigger_team) : flow.substr(0, slash);
}

std::string Launch::flow_name() const {
    const auto slash = flow.find('/');
    return slash == std::string::npos ? flow : flow.substr(slash + 1);
}

std::string_view to_string(Launch::Overlap overlap) noexcept {
    switch (overlap) {
        case Launch::Overlap::Allow: return "allow";
        case Launch::Overlap::Skip: return "skip";
        case Launch::Overlap::Queue: return "queue";
        case Launch::Overlap::Latest: return "latest";
        case Launch::Overlap::CancelRunning: return "cancel_running";
    }
    return "allow";
}

bool is_trigger(const Node& document) {
    return document.find("trigger") != nullptr;
}

std::optional<Trigger> read_trigger(const Node& document, Problems& problems, std::string_view default_team) {
    return Reader(document, problems, default_team).read();
}

std::vector<Trigger> read_triggers(std::string_view text, std::string_view file, Problems& problems,
                                   std::string_view default_team) {
    const auto before = problems.size();
    std::vector<Trigger> triggers;
    std::map<std::string, Place> seen;
    for (const auto& document : read_documents(text, file, problems)) {
        if (!is_trigger(document) && document.find("flow") != nullptr) continue;
        auto trigger = read_trigger(document, problems, default_team);
        if (!trigger) continue;
        const auto [first, is_new] = seen.emplace(trigger->team + "/" + trigger->name, trigger->place);
        if (!is_new)
            problems.push_back({trigger->place, "the trigger " + first->first +
                                                    " stands here a second time; the first is at " +
                                                    first->second.to_string()});
        triggers.push_back(std::move(*trigger));
    }
    if (problems.size() > before) triggers.clear();
    return triggers;
}

std::vector<std::optional<int>> carried_leaves(const When& before, const When& after) {
    std::vector<std::optional<int>> carried(before.leaves.size());
    if (before.kind != When::Kind::All || after.kind != When::Kind::All || before.consume != after.consume)
        return carried;
    for (std::size_t i = 0; i < before.leaves.size(); ++i)
        for (std::size_t j = 0; j < after.leaves.size(); ++j) {
            const auto& a = before.leaves[i];
            const auto& b = after.leaves[j];
            if (a.name == b.name && a.pattern == b.pattern && a.where == b.where && a.keep == b.keep &&
                before.keys[i] == after.keys[j])
                carried[i] = static_cast<int>(j);
        }
    return carried;
}

} // namespace weir::triggers
