#include <weir/triggers/document.hpp>

namespace weir::triggers {
namespace {

Field later(std::string_view name) {
    Field field;
    field.name = name;
    field.built = false;
    return field;
}

Field section(std::string_view name, FieldType type, const DocumentTable& table, std::string_view doc,
              bool required = false) {
    Field field{name, type, doc, required};
    field.section = &table;
    return field;
}

Field word(std::string_view name, std::vector<std::string_view> words,
           std::vector<std::string_view> words_later, std::string_view doc) {
    Field field{name, FieldType::Word, doc};
    field.words = std::move(words);
    field.words_later = std::move(words_later);
    return field;
}

Field whole(std::string_view name, std::int64_t minimum, std::int64_t maximum, std::string_view doc) {
    Field field{name, FieldType::Whole, doc};
    field.minimum = minimum;
    field.maximum = maximum;
    return field;
}

void append(std::vector<Field>& fields, const std::vector<Field>& more) {
    fields.insert(fields.end(), more.begin(), more.end());
}

std::vector<Field> pattern_fields() {
    Field outcome{"outcome", FieldType::Words, "With `finish`: how the run ended; `succeeded` if left out."};
    outcome.words = outcome_words();
    return {{"event", FieldType::Text, "An event of this type; `*` stands for any run of characters."},
            {"source", FieldType::Text, "With `event`: glob that its source must meet."},
            {"subject", FieldType::Text, "With `event`: glob that its subject must meet."},
            {"finish", FieldType::Text, "The end of a run of this flow (glob, or team/flow)."},
            outcome,
            {"team", FieldType::Name, "With `finish`: the flow's team; the trigger's own if left out."},
            {"schedule", FieldType::Text, "The slots of a cron expression of five fields."},
            {"timezone", FieldType::Text, "With `schedule`: an IANA time zone; UTC if left out."},
            {"where", FieldType::Expression,
             "A condition on the event; it must be true, an error counts as false."},
            later("project"),
            later("branch")};
}

std::vector<Field> operators_later() {
    return {later("any"),   later("at_least"), later("sequence"),
            later("count"), later("absent"),   later("unless")};
}

std::vector<Field> flow_control_later() {
    return {later("debounce"),    later("throttle"), later("rate_limit"), later("batch"),
            later("concurrency"), later("priority"), later("dedupe"),     later("reset")};
}

const DocumentTable& leaf_table() {
    static const DocumentTable table = [] {
        DocumentTable t{
            "leaf", "One thing that `all` waits for: an event, the end of a run, or a slot of a schedule.",
            pattern_fields()};
        t.fields.push_back({"keep", FieldType::Flag, "Its event survives firings and ignores `within`."});
        t.fields.push_back(later("all"));
        append(t.fields, operators_later());
        return t;
    }();
    return table;
}

const DocumentTable& when_table() {
    static const DocumentTable table = [] {
        DocumentTable t{"when", "What a trigger waits for: one leaf, or `all` of several.", pattern_fields()};
        t.fields.push_back(
            section("all", FieldType::SectionMap, leaf_table(), "Named leaves that must all have an event."));
        t.fields.push_back(
            {"key", FieldType::ExpressionOrMap,
             "With `all`: joins only events that agree on this; one expression keys every leaf but "
             "`keep` leaves, a map the leaves it names."});
        t.fields.push_back(
            {"within", FieldType::Period,
             "With `all`: newest minus oldest arrival time of the events used is at most this."});
        t.fields.push_back(
            word("consume", {"latest"}, {"each", "all"}, "With `all`: which held events a firing uses."));
        t.fields.push_back(
            word("clock", {"arrival"}, {"event"}, "With `all`: which time `within` compares."));
        append(t.fields, operators_later());
        append(t.fields, flow_control_later());
        return t;
    }();
    return table;
}

const DocumentTable& queue_table() {
    static const DocumentTable table{
        "queue",
        "How launches wait with `overlap: queue`.",
        {whole("limit", 1, TriggerLimits::queue_max,
               "Waiting launches; one more is suppressed. 100 if left out."),
         {"max_age", FieldType::Period, "A launch that waited longer is suppressed."}}};
    return table;
}

const DocumentTable& launch_table() {
    static const DocumentTable table = [] {
        DocumentTable t{
            "launch",
            "What a firing starts.",
            {{"flow", FieldType::Reference, "The flow to run, of the trigger's team or as team/flow.", true},
             {"parameters", FieldType::ValueMap,
              "The run's parameters: a text is an expression, any other value a constant, `{value: text}` "
              "constant text."},
             word("overlap", {"allow", "skip", "queue", "latest", "cancel_running"}, {},
                  "What to do while a run of this trigger is unfinished; `allow` if left out."),
             section("queue", FieldType::Section, queue_table(), "With `overlap: queue`: its limits.")}};
        append(t.fields, flow_control_later());
        return t;
    }();
    return table;
}

const DocumentTable& limits_table() {
    static const DocumentTable table{
        "limits",
        "Breakers: past one of these, firings wait until the trigger is resumed.",
        {whole("firings_per_minute", 1, 1'000'000, "Firings within a minute; 1000 if left out."),
         whole("depth", 1, 1'000, "Length of the chain of causes that led to a firing; 32 if left out.")}};
    return table;
}

} // namespace

const std::vector<std::string_view>& outcome_words() {
    static const std::vector<std::string_view> words{"cancelled", "failed",  "lost",
                                                     "refused",   "skipped", "succeeded"};
    return words;
}

const DocumentTable& trigger_table() {
    static const DocumentTable table = [] {
        DocumentTable t{"trigger",
                        "A trigger document: when something happens, launch a flow.",
                        {{"trigger", FieldType::Name, "The trigger's name, unique within the team.", true},
                         {"team", FieldType::Name, "The team it belongs to."},
                         {"description", FieldType::Text, "A sentence for people."},
                         {"labels", FieldType::TextMap, "Labels for listings."},
                         section("when", FieldType::Section, when_table(), "What it waits for.", true),
                         section("launch", FieldType::Section, launch_table(), "What it starts.", true),
                         section("limits", FieldType::Section, limits_table(), "Its breakers."),
                         {"start", FieldType::Any,
                          "From where it sees events: `new` is what arrives after it was applied."}}};
        append(t.fields, flow_control_later());
        return t;
    }();
    return table;
}

} // namespace weir::triggers
