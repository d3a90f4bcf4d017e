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

std::uint64_t bool_hash(bool truth) {
    return tagged(3, truth ? 1 : 0);
}

Probe::Found found_text(std::string_view text) {
    Probe::Found found;
    found.kind = Probe::Kind::Text;
    found.text = text;
    return found;
}

Probe::Found found_value(const cel::Value& value) {
    Probe::Found found;
    if (value.is_string()) return found_text(value.as_string());
    if (value.kind() == cel::Kind::Bool) {
        found.kind = Probe::Kind::Bool;
        found.truth = value.as_bool();
    } else if (const auto number = number_of(value)) {
        found.kind = Probe::Kind::Number;
        found.number = *number;
    } else {
        found.kind = Probe::Kind::Other;
        found.hash = value_hash(value);
        found.hashed = true;
    }
    return found;
}

} // namespace

std::uint64_t text_hash(std::string_view text) {
    return tagged(1, std::hash<std::string_view>{}(text));
}

std::optional<double> number_of(const cel::Value& value) {
    switch (value.kind()) {
        case cel::Kind::Int: return static_cast<double>(value.as_int());
        case cel::Kind::Uint: return static_cast<double>(value.as_uint());
        case cel::Kind::Double: return value.as_double();
        default: return std::nullopt;
    }
}

std::uint64_t value_hash(const cel::Value& value) {
    switch (value.kind()) {
        case cel::Kind::String: return text_hash(value.as_string());
        case cel::Kind::Int:
        case cel::Kind::Uint:
        case cel::Kind::Double: return number_hash(*number_of(value));
        case cel::Kind::Bool: return bool_hash(value.as_bool());
        case cel::Kind::Bytes: return tagged(4, std::hash<std::string_view>{}(value.as_string()));
        case cel::Kind::Timestamp: return tagged(5, static_cast<std::uint64_t>(to_ns(value.as_timestamp())));
        case cel::Kind::Duration: return tagged(6, static_cast<std::uint64_t>(value.as_duration().count()));
        default: return 0;
    }
}

Paths::Paths() {
    static_cast<void>(acquire({"type"}, {}));
}

std::optional<PathId> Paths::acquire(const std::vector<std::string>& path, const std::string& computed) {
    const auto known = ids_.find({computed, path});
    if (known != ids_.end()) {
        hold(known->second);
        return known->second;
    }
    Path made;
    made.holders = 1;
    made.members = path;
    if (!computed.empty()) {
        if (computed_ >= computed_max) return std::nullopt;
        cel::CompileOptions options;
        options.any_variable = true;
        options.check = false; // it is part of an expression that was checked
        auto program = cel::Program::compile(computed, options);
        if (!program.ok()) return std::nullopt;
        made.program = *std::move(program);
        made.root = Root::Computed;
        ++computed_;
    } else if (path[0] == "data") {
        made.root = Root::Data;
        made.members.erase(made.members.begin());
    } else if (path.size() == 1) {
        if (path[0] == "type") made.root = Root::Type;
        if (path[0] == "source") made.root = Root::Source;
        if (path[0] == "subject") made.root = Root::Subject;
        if (path[0] == "id") made.root = Root::Id;
    }
    PathId id = static_cast<PathId>(paths_.size());
    if (free_.empty()) {
        paths_.emplace_back();
    } else {
        id = free_.back();
        free_.pop_back();
    }
    made.key = ids_.emplace(Key{computed, path}, id).first;
    paths_[id] = std::move(made);
    return id;
}

void Paths::release(PathId id) {
    auto& path = paths_[id];
    if (--path.holders > 0) return;
    if (path.root == Root::Computed) --computed_;
    ids_.erase(path.key);
    path = Path{};
    free_.push_back(id);
}

std::size_t Paths::bytes() const {
    constexpr std::size_t node = 256;                      // of the map, with its key and what it owns
    constexpr std::size_t program = std::size_t{4} * 1024; // of a short expression
    return paths_.capacity() * sizeof(Path) + ids_.size() * node + computed_ * program;
}

void Probe::hash(Found& found) {
    found.hashed = true;
    switch (found.kind) {
        case Kind::Text: found.hash = text_hash(found.text); break;
        case Kind::Number: found.hash = number_hash(found.number); break;
        case Kind::Bool: found.hash = bool_hash(found.truth); break;
        case Kind::Missing:
        case Kind::Other: break;
    }
}

void Probe::look_up(PathId id, Cached& out) {
    const auto& path = paths_.paths_[id];
    const auto& event = event_->event();
    const cel::Value* value = nullptr;
    out.found = Found();
    switch (path.root) {
        case Paths::Root::Type: out.found = found_text(event.type); return;
        case Paths::Root::Source: out.found = found_text(event.source); return;
        case Paths::Root::Id: out.found = found_text(event.id); return;
        case Paths::Root::Subject:
            if (!event.subject.empty()) out.found = found_text(event.subject);
            return;
        case Paths::Root::Data: value = &event_->data(); break;
        case Paths::Root::Other: value = &event_->value(); break;
        case Paths::Root::Computed: {
            auto computed = path.program->value(EventBindings(*event_));
            if (!computed) return;
            out.computed = *std::move(computed);
            out.found = found_value(out.computed);
            return;
        }
    }
    for (const auto& member : path.members) {
        value = value->kind() == cel::Kind::Map ? value->find(member) : nullptr;
        if (value == nullptr) return;
    }
    out.found = found_value(*value);
}

} // namespace weir::triggers::match
