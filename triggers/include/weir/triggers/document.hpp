#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/document.hpp>
#include <weir/base/document_reader.hpp>

namespace weir::triggers {

/// A CEL expression and where its first character stands in the file. Equal if the text is.
struct Expression {
    std::string text;
    Place place;
    bool operator==(const Expression& other) const { return text == other.text; }
};

/// Any event whose attributes meet these globs (`*` is any run of characters). An empty one asks nothing.
struct EventPattern {
    std::string type;
    std::string source;
    std::string subject;
    bool operator==(const EventPattern&) const = default;
};

/// The settlement of a run: an event of type `weir.run.finished`.
struct FinishPattern {
    std::string flow;                  ///< glob
    std::vector<std::string> outcomes; ///< one or more of outcome_words(), sorted, each once
    std::string team;                  ///< exact; the trigger's own team unless said otherwise
    bool operator==(const FinishPattern&) const = default;
};

/// The slots of a cron expression in an IANA time zone.
struct SchedulePattern {
    std::string cron;
    std::string timezone;
    bool operator==(const SchedulePattern&) const = default;
};

using Pattern = std::variant<EventPattern, FinishPattern, SchedulePattern>;

/// One thing a trigger waits for.
struct Leaf {
    std::string name; ///< a CEL identifier; a single leaf is named by its operator: event, finish, schedule
    Pattern pattern;
    std::optional<Expression> where;
    bool keep = false; ///< survives firings
    Place place;
};

/// What becomes of held events when several fill a leaf. Only `latest` is built.
enum class Consume : std::uint8_t { Latest };

/// The condition of a trigger.
struct When {
    enum class Kind : std::uint8_t { Single, All };
    Kind kind = Kind::Single;
    std::vector<Leaf> leaves; ///< in document order
    /// One for each leaf. A single `key:` stands at every leaf that is not `keep`; a map where it says.
    std::vector<std::optional<Expression>> keys;
    std::optional<Duration> within;
    Consume consume = Consume::Latest;
};

/// A parameter of the launched flow: an expression, or a constant as JSON.
struct ParameterBinding {
    std::string name;
    bool constant = false;
    Expression expression;     ///< unless constant; of a constant only its place
    std::string constant_json; ///< if constant
};

/// What a firing starts.
struct Launch {
    std::string flow; ///< "flow" or "team/flow"
    Place place;      ///< of the flow's name
    std::vector<ParameterBinding> parameters;
    /// What to do while runs of this trigger are unfinished.
    enum class Overlap : std::uint8_t {
        Allow,
        Skip,
        Queue,
        Latest,       ///< one firing waits; a newer one takes its place
        CancelRunning ///< the same, and what runs is cancelled
    };
    Overlap overlap = Overlap::Allow;
    int queue_max = 100;             ///< waiting launches; one more is suppressed
    std::optional<Duration> max_age; ///< of a waiting launch

    /// The team part of `flow`, or the trigger's team.
    [[nodiscard]] std::string flow_team(std::string_view trigger_team) const;
    /// The flow part of `flow`.
    [[nodiscard]] std::string flow_name() const;
};
/// "allow", "skip", "queue", "latest", "cancel_running".
std::string_view to_string(Launch::Overlap overlap) noexcept;

/// Breakers: past one of these, firings wait until somebody resumes the trigger.
struct Breakers {
    int firings_per_minute = 1000;
    int depth = 32; ///< length of the chain of causes
    bool operator==(const Breakers&) const = default;
};

/// A trigger document as read.
struct Trigger {
    std::string name;
    std::string team;
    std::string description;
    std::map<std::string, std::string> labels;
    When when;
    Launch launch;
    Breakers breakers;
    /// The whole document with defaults filled in and keys in a fixed order: read_triggers() reads it back as
    /// the same trigger, and equal triggers have equal texts whatever their files looked like.
    std::string canonical_json;
    std::string hash; ///< SHA-256 of canonical_json, hexadecimal
    Place place;
};

/// Documented limits of one trigger.
struct TriggerLimits {
    static constexpr int leaves_max = 32;
    static constexpr int parameters_max = 256;
    static constexpr int labels_max = 64;
    static constexpr int queue_max = 10'000;
    static constexpr int glob_bytes_max = 1024;
};

/// True if the document says it is a trigger: it has the key `trigger`.
bool is_trigger(const Node& document);

/// Reads one document. Adds every problem found to `problems`; nothing if there was any. Expressions are
/// looked at only as text here: compile() (compiled.hpp) checks them; cron and zone are checked here. What
/// weir knows by name and does not do yet is refused as "not built yet: NAME".
std::optional<Trigger> read_trigger(const Node& document, Problems& problems,
                                    std::string_view default_team = "default");

/// Reads all documents of a text (YAML with `---`, or JSON); each must be a trigger, no name may come twice;
/// flow documents among them are left to their own reader. Empty if there was any problem.
std::vector<Trigger> read_triggers(std::string_view text, std::string_view file, Problems& problems,
                                   std::string_view default_team = "default");

/// The table of fields behind read_trigger(): json_schema() and reference_text() of it are the schema for
/// editors and the reference.
const DocumentTable& trigger_table();

/// The outcome words a finish leaf may name, sorted.
const std::vector<std::string_view>& outcome_words();

/// For each leaf of `before`, the leaf of `after` that takes over its held events: the same name, pattern,
/// where, key, keep and consume. Nothing: the held events leave, recorded as updated.
std::vector<std::optional<int>> carried_leaves(const When& before, const When& after);

} // namespace weir::triggers
