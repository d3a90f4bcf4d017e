#include "canonical.hpp"

#include <weir/base/json.hpp>

namespace weir::triggers {
namespace {

/// Writes one JSON object, members in the order of the calls.
class Object {
  public:
    void raw(std::string_view name, std::string_view json) {
        out_ += out_.empty() ? '{' : ',';
        append_json_string(out_, name);
        out_ += ':';
        out_ += json;
    }
    void text(std::string_view name, std::string_view value) { raw(name, json_string(value)); }
    void text_if(std::string_view name, std::string_view value) {
        if (!value.empty()) text(name, value);
    }
    [[nodiscard]] std::string finish() const { return out_.empty() ? "{}" : out_ + "}"; }

  private:
    std::string out_;
};

void add_leaf(Object& out, const Leaf& leaf) {
    if (const auto* event = std::get_if<EventPattern>(&leaf.pattern)) {
        out.text("event", event->type);
        out.text_if("source", event->source);
        out.text_if("subject", event->subject);
    } else if (const auto* finish = std::get_if<FinishPattern>(&leaf.pattern)) {
        out.text("finish", finish->flow);
        std::string outcomes;
        for (const auto& outcome : finish->outcomes)
            outcomes += (outcomes.empty() ? "[" : ",") + json_string(outcome);
        out.raw("outcome", outcomes + "]");
        out.text("team", finish->team);
    } else if (const auto* schedule = std::get_if<SchedulePattern>(&leaf.pattern)) {
        out.text("schedule", schedule->cron);
        out.text("timezone", schedule->timezone);
    }
    if (leaf.where) out.text("where", leaf.where->text);
    if (leaf.keep) out.raw("keep", "true");
}

std::string when_json(const When& when) {
    Object out;
    if (when.kind == When::Kind::Single) {
        add_leaf(out, when.leaves.front());
        return out.finish();
    }
    Object leaves, keys;
    bool keyed = false;
    for (std::size_t i = 0; i < when.leaves.size(); ++i) {
        Object leaf;
        add_leaf(leaf, when.leaves[i]);
        leaves.raw(when.leaves[i].name, leaf.finish());
        if (!when.keys[i]) continue;
        keys.text(when.leaves[i].name, when.keys[i]->text);
        keyed = true;
    }
    out.raw("all", leaves.finish());
    if (keyed) out.raw("key", keys.finish());
    if (when.within) out.text("within", format_duration(*when.within));
    out.text("consume", "latest");
    return out.finish();
}

/// A constant that would read as something else by itself is wrapped: text as an expression, {value: x} as x.
std::string parameter_json(const ParameterBinding& binding) {
    if (!binding.constant) return json_string(binding.expression.text);
    const bool wrap =
        binding.constant_json.starts_with('"') || binding.constant_json.starts_with("{\"value\":");
    return wrap ? "{\"value\":" + binding.constant_json + "}" : binding.constant_json;
}

std::string launch_json(const Launch& launch) {
    Object out, parameters;
    out.text("flow", launch.flow);
    for (const auto& binding : launch.parameters)
        parameters.raw(binding.name, parameter_json(binding));
    if (!launch.parameters.empty()) out.raw("parameters", parameters.finish());
    out.text("overlap", to_string(launch.overlap));
    if (launch.overlap == Launch::Overlap::Queue) {
        Object queue;
        queue.raw("limit", std::to_string(launch.queue_max));
        if (launch.max_age) queue.text("max_age", format_duration(*launch.max_age));
        out.raw("queue", queue.finish());
    }
    return out.finish();
}

} // namespace

std::string canonical_json(const Trigger& trigger) {
    Object out;
    out.text("trigger", trigger.name);
    out.text("team", trigger.team);
    out.text_if("description", trigger.description);
    Object labels;
    for (const auto& [name, value] : trigger.labels)
        labels.text(name, value);
    if (!trigger.labels.empty()) out.raw("labels", labels.finish());
    out.raw("when", when_json(trigger.when));
    out.raw("launch", launch_json(trigger.launch));
    Object limits;
    limits.raw("firings_per_minute", std::to_string(trigger.breakers.firings_per_minute));
    limits.raw("depth", std::to_string(trigger.breakers.depth));
    out.raw("limits", limits.finish());
    out.text("start", "new");
    return out.finish();
}

} // namespace weir::triggers
