#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <support/catch.hpp>
#include <weir/triggers/compiled.hpp>
#include <weir/triggers/document.hpp>

namespace weir::test {

/// The trigger of a document that is known to be good.
inline triggers::Trigger trigger_of(std::string_view text) {
    Problems problems;
    auto triggers = triggers::read_triggers(text, "t", problems, "home");
    INFO((problems.empty() ? std::string() : problems.front().to_string()));
    REQUIRE(problems.empty());
    REQUIRE(triggers.size() == 1);
    return triggers[0];
}

inline std::shared_ptr<const triggers::CompiledTrigger> compiled_of(std::string_view text) {
    Problems problems;
    auto compiled = triggers::compile(trigger_of(text), problems);
    INFO((problems.empty() ? std::string() : problems.front().to_string()));
    REQUIRE(problems.empty());
    REQUIRE(compiled != nullptr);
    return compiled;
}

/// A small trigger with this `when`.
inline std::string with_when(const std::string& when) {
    return "trigger: t\nlaunch: {flow: f}\nwhen: " + when + "\n";
}

inline events::Event event_of(std::string type, std::string json, std::string subject = {},
                              std::string source = "/s") {
    events::Event event;
    event.id = "1";
    event.source = std::move(source);
    event.type = std::move(type);
    event.subject = std::move(subject);
    event.data = std::move(json);
    event.data_kind = event.data.empty() ? events::DataKind::None : events::DataKind::Json;
    return event;
}

} // namespace weir::test
