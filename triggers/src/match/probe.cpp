#include "probe.hpp"

#include <bit>
#include <functional>

namespace weir::triggers::match {
namespace {

std::uint64_t tagged(std::uint64_t tag, std::uint64_t value) {
    const auto hash = mix(value + tag * 0x9e3779b97f4a7c15U);
    return hash == 0 ? 1 : hash;
}

std::uint64_t number_hash(double number) {
    return tagged(2, std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number));
}

std::optional<double> number_of(const cel::Value& value) {
    switch (value.kind()) {
        case cel::Kind::Int: return static_cast<double>(value.as_int());
        case cel::Kind::Uint: return static_cast<double>(value.as_uint());
        case cel::Kind::Double: return value.as_double();
        default: return std::nullopt;
    }
}

Probe::Found found_text(std::string_view text) {
    return {text_hash(text), text, std::nullopt};
}

} // namespace

std::uint64_t text_hash(std::string_view text) {
    return tagged(1, std::hash<std::string_view>{}(text));
}

std::uint64_t value_hash(const cel::Value& value) {
    switch (value.kind()) {
        case cel::Kind::String: return text_hash(value.as_string());
        case cel::Kind::Int:
        case cel::Kind::Uint:
        case cel::Kind::Double: return number_hash(*number_of(value));
        case cel::Kind::Bool: return tagged(3, value.as_bool() ? 1 : 0);
        case cel::Kind::Bytes: return tagged(4, std::hash<std::string_view>{}(value.as_string()));
        case cel::Kind::Timestamp: return tagged(5, static_cast<std::uint64_t>(to_ns(value.as_timestamp())));
        case cel::Kind::Duration: return tagged(6, static_cast<std::uint64_t>(value.as_duration().count()));
        default: return 0;
    }
}

PathId Paths::id(const std::vector<std::string>& path) {
    const auto [at, is_new] = ids_.emplace(path, static_cast<PathId>(paths_.size()));
    if (!is_new) return at->second;
    Path made{Root::Other, path};
    if (path.size() == 1) {
        if (path[0] == "type") made.root = Root::Type;
        if (path[0] == "source") made.root = Root::Source;
        if (path[0] == "subject") made.root = Root::Subject;
        if (path[0] == "id") made.root = Root::Id;
    }
    if (path[0] == "data") {
        made.root = Root::Data;
        made.members.erase(made.members.begin());
    }
    paths_.push_back(std::move(made));
    return at->second;
}

Probe::Found Probe::look_up(PathId id) {
    const auto& path = paths_.paths_[id];
    const auto& event = event_->event();
    const cel::Value* value = nullptr;
    switch (path.root) {
        case Paths::Root::Type: return found_text(event.type);
        case Paths::Root::Source: return found_text(event.source);
        case Paths::Root::Id: return found_text(event.id);
        case Paths::Root::Subject: return event.subject.empty() ? Found{} : found_text(event.subject);
        case Paths::Root::Data: value = &event_->data(); break;
        case Paths::Root::Other: value = &event_->value(); break;
    }
    for (const auto& member : path.members) {
        value = value->kind() == cel::Kind::Map ? value->find(member) : nullptr;
        if (value == nullptr) return {};
    }
    if (value->is_string()) return found_text(value->as_string());
    return {value_hash(*value), std::nullopt, number_of(*value)};
}

} // namespace weir::triggers::match
