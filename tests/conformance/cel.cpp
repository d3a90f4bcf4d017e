#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <stdexcept>

#include <weir/cel/program.hpp>

#include "set.hpp"

namespace weir::conformance {
namespace {

using cel::Kind;
using cel::Value;
using nlohmann::json;

std::string decode_base64(const std::string& text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        static constexpr std::string_view alphabet =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const auto at = alphabet.find(c);
        if (at == std::string_view::npos) break;
        bits = bits << 6 | static_cast<std::uint32_t>(at);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>(bits >> count & 0xff);
    }
    return out;
}

template <class Integer>
Integer whole(const std::string& text) {
    Integer value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ptr != text.data() + text.size())
        throw std::invalid_argument("not an integer: " + text);
    return value;
}

/// Times are read by the product's own conversion functions: timestamp("...") and duration("...").
Value converted(const char* function, const std::string& text) {
    const auto program = cel::Program::compile(std::string(function) + "(x)", {.any_variable = true});
    cel::SimpleBindings bindings;
    bindings.set("x", Value::string(text));
    auto value = program.ok() ? program->evaluate(bindings) : Result<Value>(program.error());
    if (!value.ok()) throw std::invalid_argument(value.error().message);
    return *value;
}

/// A typed value of the case file; nothing for kinds that only extensions have.
std::optional<Value> read(const json& typed) {
    const auto member = typed.begin();
    const std::string& kind = member.key();
    const json& content = member.value();
    if (kind == "null") return Value::null();
    if (kind == "bool") return Value::boolean(content.get<bool>());
    if (kind == "int") return Value::integer(whole<std::int64_t>(content));
    if (kind == "uint") return Value::unsigned_integer(whole<std::uint64_t>(content));
    if (kind == "string") return Value::string(content.get<std::string>());
    if (kind == "bytes") return Value::bytes(decode_base64(content));
    if (kind == "timestamp" || kind == "duration") return converted(kind.c_str(), content);
    if (kind == "type") return Value::type(content.get<std::string>());
    if (kind == "double") {
        if (content.is_number()) return Value::real(content.get<double>());
        if (content == "NaN") return Value::real(std::numeric_limits<double>::quiet_NaN());
        return Value::real(content == "-Infinity" ? -HUGE_VAL : HUGE_VAL);
    }
    if (kind == "list") {
        std::vector<Value> items;
        for (const auto& item : content) {
            auto value = read(item);
            if (!value) return std::nullopt;
            items.push_back(std::move(*value));
        }
        return Value::list(std::move(items));
    }
    if (kind == "map") {
        std::vector<Value::Entry> entries;
        for (const auto& pair : content) {
            auto key = read(pair.at(0)), value = read(pair.at(1));
            if (!key || !value) return std::nullopt;
            entries.emplace_back(std::move(*key), std::move(*value));
        }
        return Value::map(std::move(entries));
    }
    return std::nullopt;
}

/// Equal kind by kind: an int is not a double, NaN is NaN, -0.0 is not 0.0.
bool same(const Value& a, const Value& b) {
    if (a.kind() != b.kind()) return false;
    if (a.kind() == Kind::Double) {
        if (std::isnan(a.as_double()) || std::isnan(b.as_double()))
            return std::isnan(a.as_double()) && std::isnan(b.as_double());
        return a.as_double() == b.as_double() && std::signbit(a.as_double()) == std::signbit(b.as_double());
    }
    if (a.kind() == Kind::List) {
        const auto x = a.as_list(), y = b.as_list();
        return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
    }
    if (a.kind() == Kind::Map) {
        if (a.as_map().size() != b.as_map().size()) return false;
        for (const auto& [key, value] : a.as_map()) {
            bool found = false;
            for (const auto& [other_key, other] : b.as_map())
                found = found || (same(key, other_key) && same(value, other));
            if (!found) return false;
        }
        return true;
    }
    return a.equals(b);
}

std::string show(const Value& value) {
    std::string text(cel::type_name(value.kind()));
    if (value.kind() == Kind::Type) return text + " " + std::string(value.as_string());
    if (value.kind() == Kind::Double) {
        std::array<char, 64> buffer{};
        std::snprintf(buffer.data(), buffer.size(), " %.17g", value.as_double());
        return text + buffer.data();
    }
    const auto written = cel::to_json(value);
    return text + " " + (written.ok() ? *written : "(" + written.error().message + ")");
}

Result<Value> evaluate(const json& test_case) {
    // Bad operands of constants are errors of the evaluation here, as in CEL without its checker.
    cel::CompileOptions options{.any_variable = true, .check = false};
    cel::SimpleBindings bindings;
    for (const auto& [name, typed] : test_case.at("bindings").items()) {
        auto value = read(typed);
        if (!value) return unsupported("a binding of a kind that only extensions have");
        options.variables.push_back({name, cel::VariableType::Dynamic});
        bindings.set(name, std::move(*value));
    }
    WEIR_ASSIGN(program, cel::Program::compile(test_case.at("expr").get<std::string>(), options));
    return program.evaluate(bindings);
}

} // namespace

Verdict run_cel(const json& test_case) {
    const auto tier = test_case.at("tier").get<std::string>();
    if (tier == "ext") return Verdict::skip("tier ext: extension functions and macros are not built");
    const auto got = evaluate(test_case);
    if (!got.ok() && got.error().kind == ErrorKind::Unsupported) return Verdict::skip(got.error().message);
    const auto& expect = test_case.at("expect");
    const auto shown = got.ok() ? show(*got) : "error: " + got.error().message;
    const auto value_of = [](const json& side) -> std::optional<Value> {
        return side.contains("value") ? read(side.at("value")) : std::nullopt;
    };
    if (expect.contains("value")) {
        const auto wanted = read(expect.at("value"));
        if (!wanted) return Verdict::skip("a result of a kind that only extensions have");
        if (got.ok() && same(*got, *wanted)) return Verdict::pass();
        return Verdict::fail(show(*wanted), shown);
    }
    if (!got.ok()) return Verdict::pass();
    // A checker would refuse; without one, what `unchecked` says is as right.
    const auto unchecked = expect.contains("unchecked") ? value_of(expect.at("unchecked")) : std::nullopt;
    if (unchecked && same(*got, *unchecked)) return Verdict::pass();
    return Verdict::fail("an error (" + expect.value("message", std::string("any")) + ")", shown);
}

} // namespace weir::conformance
