#include <weir/cel/value.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <numeric>

#include "number.hpp"

namespace weir::cel {

/// What all shared parts begin with. A text's bytes follow it directly.
struct Value::Rep {
    std::atomic<std::uint32_t> references{1};
};
struct Value::ListRep : Rep {
    std::vector<Value> items;
};
struct Value::MapRep : Rep {
    std::vector<Entry> entries;
    std::vector<std::uint32_t> sorted; ///< entries by key, only for maps too large to be searched in a row
};

namespace {

constexpr std::size_t linear_search_max = 12;
constexpr std::size_t text_bytes_max = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t ns_per_s = 1'000'000'000;

/// A total order over map keys: the kind first, shorter texts before longer ones (cheap, not alphabetical).
int key_order(const Value& a, const Value& b) {
    if (a.kind() != b.kind()) return a.kind() < b.kind() ? -1 : 1;
    switch (a.kind()) {
        case Kind::Bool: return static_cast<int>(a.as_bool()) - static_cast<int>(b.as_bool());
        case Kind::Int: return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int() ? 1 : 0;
        case Kind::Uint: return a.as_uint() < b.as_uint() ? -1 : a.as_uint() > b.as_uint() ? 1 : 0;
        default: {
            const auto x = a.as_string(), y = b.as_string();
            if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
            return std::memcmp(x.data(), y.data(), x.size());
        }
    }
}

bool key_kind(Kind kind) {
    return kind == Kind::Bool || kind == Kind::Int || kind == Kind::Uint || kind == Kind::String;
}

/// The other kind a numeric key may stand under, as `key` of that kind; false if there is none.
bool whole_number(const Value& key, Kind wanted, Value& out) {
    if (wanted == Kind::Int) {
        if (key.kind() == Kind::Uint && key.as_uint() <= static_cast<std::uint64_t>(INT64_MAX)) {
            out = Value::integer(static_cast<std::int64_t>(key.as_uint()));
            return true;
        }
        std::int64_t whole = 0;
        if (key.kind() == Kind::Double && to_int_exact(key.as_double(), whole)) {
            out = Value::integer(whole);
            return true;
        }
        return false;
    }
    if (key.kind() == Kind::Int && key.as_int() >= 0) {
        out = Value::unsigned_integer(static_cast<std::uint64_t>(key.as_int()));
        return true;
    }
    std::uint64_t whole = 0;
    if (key.kind() == Kind::Double && to_uint_exact(key.as_double(), whole)) {
        out = Value::unsigned_integer(whole);
        return true;
    }
    return false;
}

} // namespace

std::string_view type_name(Kind kind) noexcept {
    switch (kind) {
        case Kind::Null: return "null_type";
        case Kind::Bool: return "bool";
        case Kind::Int: return "int";
        case Kind::Uint: return "uint";
        case Kind::Double: return "double";
        case Kind::String: return "string";
        case Kind::Bytes: return "bytes";
        case Kind::List: return "list";
        case Kind::Map: return "map";
        case Kind::Timestamp: return "google.protobuf.Timestamp";
        case Kind::Duration: return "google.protobuf.Duration";
        case Kind::Type: return "type";
    }
    return "unknown";
}

Value::Rep* Value::rep() const noexcept {
    if (kind_ == Kind::List || kind_ == Kind::Map) return rep_;
    return reinterpret_cast<Rep*>(const_cast<char*>(text_) - sizeof(Rep));
}

void Value::retain() const noexcept {
    rep()->references.fetch_add(1, std::memory_order_relaxed);
}

void Value::release() noexcept {
    Rep* const shared = rep();
    if (shared->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (kind_ == Kind::List) {
        delete static_cast<ListRep*>(shared);
    } else if (kind_ == Kind::Map) {
        delete static_cast<MapRep*>(shared);
    } else {
        shared->~Rep();
        ::operator delete(shared);
    }
}

void Value::wrong_kind(Kind wanted) const {
    broken_invariant("a CEL value of kind " + std::string(type_name(kind_)) + " was asked for a " +
                         std::string(type_name(wanted)),
                     std::source_location::current());
}

Value Value::text(Kind kind, std::string_view v) {
    expects(v.size() < text_bytes_max, "a CEL string holds less than 4 GiB");
    Value value(kind, 0);
    value.size_ = static_cast<std::uint32_t>(v.size());
    if (v.empty()) {
        value.text_ = "";
        return value;
    }
    auto* memory = static_cast<char*>(::operator new(sizeof(Rep) + v.size()));
    new (memory) Rep;
    std::memcpy(memory + sizeof(Rep), v.data(), v.size());
    value.text_ = memory + sizeof(Rep);
    value.flags_ = shared_flag;
    return value;
}

Value Value::real(double v) noexcept {
    Value value(Kind::Double, 0);
    value.double_ = v;
    return value;
}

Value Value::string(std::string_view v) {
    return text(Kind::String, v);
}
Value Value::bytes(std::string_view v) {
    return text(Kind::Bytes, v);
}

Value Value::borrowed(std::string_view v) noexcept {
    expects(v.size() < text_bytes_max, "a CEL string holds less than 4 GiB");
    Value value(Kind::String, 0);
    value.size_ = static_cast<std::uint32_t>(v.size());
    value.text_ = v.empty() ? "" : v.data();
    return value;
}

Value Value::timestamp(Instant v) {
    const auto ns = to_ns(v);
    auto seconds = ns / ns_per_s;
    auto rest = ns % ns_per_s;
    if (rest < 0) {
        rest += ns_per_s;
        --seconds;
    }
    return timestamp(seconds, static_cast<std::uint32_t>(rest));
}

Value Value::timestamp(std::int64_t seconds, std::uint32_t nanoseconds) noexcept {
    expects(nanoseconds < ns_per_s, "a timestamp's nanoseconds are less than a second");
    Value value(Kind::Timestamp, seconds);
    value.size_ = nanoseconds;
    return value;
}

Value Value::duration(Duration v) noexcept {
    return {Kind::Duration, v.count()};
}

Value Value::type(Kind kind) noexcept {
    Value value = borrowed(type_name(kind));
    value.kind_ = Kind::Type;
    return value;
}

Value Value::type(std::string_view name) {
    return text(Kind::Type, name);
}

Value Value::list(std::vector<Value> items) {
    auto* rep = new ListRep;
    rep->items = std::move(items);
    Value value(Kind::List, 0);
    value.rep_ = rep;
    value.flags_ = shared_flag;
    return value;
}

Value Value::map(std::vector<Entry> entries) {
    for (const auto& [key, unused] : entries)
        expects(key_kind(key.kind()), "map keys are bool, int, uint or string");
    auto rep = std::make_unique<MapRep>();
    if (entries.size() <= linear_search_max) {
        rep->entries.reserve(entries.size());
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const auto again = [&](const Entry& later) {
                return key_order(later.first, entries[i].first) == 0;
            };
            if (std::none_of(entries.begin() + static_cast<std::ptrdiff_t>(i) + 1, entries.end(), again))
                rep->entries.push_back(std::move(entries[i]));
        }
    } else {
        std::vector<std::uint32_t> by_key(entries.size());
        std::iota(by_key.begin(), by_key.end(), 0U);
        std::sort(by_key.begin(), by_key.end(), [&](std::uint32_t a, std::uint32_t b) {
            const int o = key_order(entries[a].first, entries[b].first);
            return o != 0 ? o < 0 : a < b;
        });
        std::vector<bool> dropped(entries.size());
        bool any = false;
        for (std::size_t i = 0; i + 1 < by_key.size(); ++i)
            if (key_order(entries[by_key[i]].first, entries[by_key[i + 1]].first) == 0)
                any = dropped[by_key[i]] = true;
        if (any) {
            std::vector<Entry> kept;
            for (std::size_t i = 0; i < entries.size(); ++i)
                if (!dropped[i]) kept.push_back(std::move(entries[i]));
            return map(std::move(kept));
        }
        rep->entries = std::move(entries);
        rep->sorted = std::move(by_key);
    }
    Value value(Kind::Map, 0);
    value.rep_ = rep.release();
    value.flags_ = shared_flag;
    return value;
}

Value Value::object(std::vector<std::pair<std::string, Value>> members) {
    std::vector<Entry> entries;
    entries.reserve(members.size());
    for (auto& [name, value] : members)
        entries.emplace_back(string(name), std::move(value));
    return map(std::move(entries));
}

Instant Value::as_timestamp() const {
    must_be(Kind::Timestamp);
    std::int64_t ns = 0;
    if (__builtin_mul_overflow(int_, ns_per_s, &ns) || __builtin_add_overflow(ns, std::int64_t{size_}, &ns))
        return from_ns(int_ < 0 ? INT64_MIN : INT64_MAX);
    return from_ns(ns);
}

std::span<const Value> Value::as_list() const {
    must_be(Kind::List);
    return static_cast<const ListRep*>(rep_)->items;
}

std::span<const Value::Entry> Value::as_map() const {
    must_be(Kind::Map);
    return static_cast<const MapRep*>(rep_)->entries;
}

const Value* Value::find(std::string_view key) const {
    must_be(Kind::Map);
    const auto& map = *static_cast<const MapRep*>(rep_);
    if (map.sorted.empty()) {
        for (const auto& [k, v] : map.entries)
            if (k.kind_ == Kind::String && std::string_view(k.text_, k.size_) == key) return &v;
        return nullptr;
    }
    return find(borrowed(key));
}

const Value* Value::find(const Value& key) const {
    must_be(Kind::Map);
    const auto& map = *static_cast<const MapRep*>(rep_);
    const auto exact = [&map](const Value& wanted) -> const Value* {
        if (map.sorted.empty()) {
            for (const auto& [k, v] : map.entries)
                if (key_order(k, wanted) == 0) return &v;
            return nullptr;
        }
        const auto at = std::lower_bound(
            map.sorted.begin(), map.sorted.end(), wanted,
            [&map](std::uint32_t i, const Value& w) { return key_order(map.entries[i].first, w) < 0; });
        if (at == map.sorted.end() || key_order(map.entries[*at].first, wanted) != 0) return nullptr;
        return &map.entries[*at].second;
    };
    if (key_kind(key.kind()))
        if (const auto* found = exact(key)) return found;
    Value other;
    if (whole_number(key, Kind::Int, other))
        if (const auto* found = exact(other)) return found;
    if (whole_number(key, Kind::Uint, other))
        if (const auto* found = exact(other)) return found;
    return nullptr;
}

bool Value::equals(const Value& other) const {
    if (is_number(kind_) && is_number(other.kind_)) return compare_numbers(*this, other) == 0;
    if (kind_ != other.kind_) return false;
    switch (kind_) {
        case Kind::Null: return true;
        case Kind::String:
        case Kind::Bytes:
        case Kind::Type: return as_string() == other.as_string();
        case Kind::Timestamp: return int_ == other.int_ && size_ == other.size_;
        case Kind::List: {
            const auto a = as_list(), b = other.as_list();
            return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                              [](const Value& x, const Value& y) { return x.equals(y); });
        }
        case Kind::Map: {
            const auto a = as_map(), b = other.as_map();
            if (a.size() != b.size()) return false;
            return std::all_of(a.begin(), a.end(), [&other](const Entry& e) {
                const auto* found = other.find(e.first);
                return found != nullptr && e.second.equals(*found);
            });
        }
        default: return int_ == other.int_;
    }
}

std::partial_ordering order(const Value& a, const Value& b) noexcept {
    if (is_number(a.kind()) && is_number(b.kind())) return compare_numbers(a, b);
    if (a.kind() != b.kind()) return std::partial_ordering::unordered;
    switch (a.kind()) {
        case Kind::Bool: return a.as_bool() <=> b.as_bool();
        case Kind::String:
        case Kind::Bytes: return a.as_string().compare(b.as_string()) <=> 0;
        case Kind::Timestamp:
            if (a.timestamp_seconds() != b.timestamp_seconds())
                return a.timestamp_seconds() <=> b.timestamp_seconds();
            return a.timestamp_nanoseconds() <=> b.timestamp_nanoseconds();
        case Kind::Duration: return a.as_duration().count() <=> b.as_duration().count();
        default: return std::partial_ordering::unordered;
    }
}

} // namespace weir::cel
