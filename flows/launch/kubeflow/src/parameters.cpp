#include "parameters.hpp"

#include <algorithm>
#include <cmath>

#include <weir/base/text.hpp>

#include "json.hpp"

namespace weir::flows::kubeflow {

namespace {

constexpr std::int64_t safe_integer = 9'007'199'254'740'991; // 2^53 - 1

std::string describe(Element value) {
    switch (value.type()) {
        case simdjson::dom::element_type::ARRAY: return "a list";
        case simdjson::dom::element_type::OBJECT: return "an object";
        default: return printable(to_text(value), 60);
    }
}

/// Faults of texts and numbers that no server must get, wherever they stand.
class Inside {
  public:
    explicit Inside(bool top_text) : top_text_(top_text) {}

    /// Empty: fine.
    std::string fault(Element value, bool number_may_be_double) {
        using Type = simdjson::dom::element_type;
        switch (value.type()) {
            case Type::STRING:
                return text_fault(std::string_view(value.get_c_str(), value.get_string_length()));
            case Type::INT64: return number_fault(static_cast<std::int64_t>(value), number_may_be_double);
            case Type::UINT64: return "holds a number beyond 2^53, which the server would round";
            case Type::ARRAY:
                for (const Element item : simdjson::dom::array(value))
                    if (auto why = nested(item); !why.empty()) return why;
                return {};
            case Type::OBJECT:
                for (const auto& [key, item] : simdjson::dom::object(value)) {
                    if (auto why = text_fault(key, false); !why.empty()) return why;
                    if (auto why = nested(item); !why.empty()) return why;
                }
                return {};
            default: return {};
        }
    }

  private:
    std::string nested(Element item) {
        Inside inner(false);
        return inner.fault(item, true);
    }
    std::string text_fault(std::string_view text) { return text_fault(text, top_text_); }
    static std::string text_fault(std::string_view text, bool macros) {
        if (const auto point = beyond_plane(text); !point.empty())
            return "holds the character " + point +
                   ", which the server's database may not take (nothing above U+FFFF)";
        if (text.find('\0') != std::string_view::npos) return "holds a NUL character";
        if (macros)
            for (const std::string_view macro : {"[[RunUUID", "[[CurrentTime"})
                if (text.find(macro) != std::string_view::npos)
                    return "holds the text " + std::string(macro) +
                           ", which the server would replace; write it another way";
        return {};
    }
    static std::string number_fault(std::int64_t number, bool may_be_double) {
        if (number <= safe_integer && number >= -safe_integer) return {};
        // A double that prints as a whole number is the same double again.
        if (may_be_double && std::abs(static_cast<double>(number)) < 9.2e18 &&
            static_cast<std::int64_t>(static_cast<double>(number)) == number)
            return {};
        return "holds " + std::to_string(number) +
               ", which the server would round: whole numbers arrive unchanged within +-(2^53 - 1)";
    }

    bool top_text_;
};

/// Why the value is not of the type, or nothing.
std::string kind_fault(std::string_view type, Element value) {
    const auto want = [&](std::string_view what) {
        return "must be " + std::string(what) + ", not " + describe(value);
    };
    if (value.is_null()) return "is null, which the server never takes; leave it out";
    if (type == "NUMBER_INTEGER") {
        if (value.is_int64()) return {};
        if (double number = 0; value.get(number) == simdjson::SUCCESS && std::trunc(number) == number &&
                               std::abs(number) <= static_cast<double>(safe_integer))
            return {};
        if (value.is_number() && value.is_double()) return want("a whole number within +-(2^53 - 1)");
        return want("a whole number");
    }
    if (type == "NUMBER_DOUBLE") return value.is_number() ? "" : want("a number");
    if (type == "STRING") return value.is_string() ? "" : want("a string");
    if (type == "BOOLEAN") return value.is_bool() ? "" : want("true or false");
    if (type == "LIST") return value.is_array() ? "" : want("a list");
    if (type == "STRUCT") return value.is_object() ? "" : want("an object");
    return "is of the type " + std::string(type) + ", which no launch can give";
}

class Faults {
  public:
    void add(const std::string& text) {
        if (++count_ <= shown_max) text_ += (text_.empty() ? "" : "; ") + text;
    }
    [[nodiscard]] Status status() const {
        if (count_ == 0) return {};
        return invalid(text_ + (count_ > shown_max ? "; and " + std::to_string(count_ - shown_max) + " more"
                                                   : std::string()));
    }

  private:
    static constexpr std::size_t shown_max = 20;
    std::size_t count_ = 0;
    std::string text_;
};

std::string in_quotes(std::string_view name) {
    return "\"" + printable(name, 100) + "\"";
}

} // namespace

std::string_view spec_type(ParameterType type) noexcept {
    switch (type) {
        case ParameterType::Integer: return "NUMBER_INTEGER";
        case ParameterType::Double: return "NUMBER_DOUBLE";
        case ParameterType::String: return "STRING";
        case ParameterType::Boolean: return "BOOLEAN";
        case ParameterType::List: return "LIST";
        case ParameterType::Struct: return "STRUCT";
    }
    return "STRING";
}

Result<SpecView> read_spec(Element pipeline_spec) {
    Element spec = pipeline_spec;
    if (const auto inner = member(spec, "pipeline_spec"); inner && inner->is_object()) spec = *inner;
    const auto root = member(spec, "root");
    if (!root || text_of(spec, "schemaVersion").empty()) {
        if (member(spec, "apiVersion"))
            return unsupported(
                "it is a pipeline of KFP v1 (an Argo workflow), not v2 IR; compile it with kfp 2");
        return unsupported("it holds no v2 IR; compile it with kfp 2 and upload it again");
    }
    SpecView view;
    const auto inputs = member(*root, "inputDefinitions");
    if (!inputs) return view;
    const auto parameters = member(*inputs, "parameters");
    simdjson::dom::object members;
    if (!parameters || parameters->get(members) != simdjson::SUCCESS) return view;
    for (const auto& [name, declared] : members) {
        SpecParameter parameter;
        parameter.type = text_of(declared, "parameterType");
        const bool optional = flag_of(declared, "isOptional", false);
        parameter.required = !optional && !member(declared, "defaultValue");
        view.parameters.emplace(std::string(name), std::move(parameter));
    }
    return view;
}

Status check_arguments(const std::vector<Parameter>& declared, const SpecView& spec,
                       std::string_view arguments_json, std::size_t bytes_max, std::string_view where) {
    if (arguments_json.size() > bytes_max)
        return exhausted("the parameters are " + std::to_string(arguments_json.size()) + " bytes; at most " +
                         std::to_string(bytes_max) + " are sent to the server");
    WEIR_ASSIGN(document, Document::parse(arguments_json));
    simdjson::dom::object given;
    if (document.root().get(given) != simdjson::SUCCESS)
        return invalid("the parameters must be a JSON object of name: value");
    Faults faults;
    std::vector<std::string_view> names;
    for (const auto& [name, parameter] : spec.parameters)
        names.push_back(name);
    for (const auto& [key, value] : given) {
        const std::string what = "the parameter " + in_quotes(key);
        const auto own = std::find_if(declared.begin(), declared.end(),
                                      [name = key](const Parameter& one) { return one.name == name; });
        const auto there = spec.parameters.find(std::string(key));
        if (there == spec.parameters.end()) {
            faults.add(std::string(where) + " has no parameter " + in_quotes(key) + did_you_mean(key, names));
            continue;
        }
        if (own != declared.end() && spec_type(own->type) != there->second.type) {
            faults.add(what + " is " + there->second.type + " in " + std::string(where) +
                       "; the flow declares it as " + std::string(to_string(own->type)));
            continue;
        }
        if (auto why = kind_fault(there->second.type, value); !why.empty()) {
            faults.add(what + " " + why);
            continue;
        }
        Inside inside(there->second.type == "STRING");
        if (auto why = inside.fault(value, there->second.type == "NUMBER_DOUBLE"); !why.empty())
            faults.add(what + " " + why);
    }
    for (const auto& [name, parameter] : spec.parameters) {
        Element ignored;
        if (parameter.required && given.at_key(name).get(ignored) != simdjson::SUCCESS)
            faults.add(std::string(where) + " demands the parameter " + in_quotes(name) + " (" +
                       parameter.type + "), which the launch does not give");
    }
    return faults.status();
}

std::string beyond_plane(std::string_view text) {
    for (std::size_t at = 0; at + 3 < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if (byte < 0xF0) continue;
        const auto next = [&](std::size_t n) { return static_cast<unsigned char>(text[at + n]) & 0x3FU; };
        const unsigned point = (byte & 0x07U) << 18 | next(1) << 12 | next(2) << 6 | next(3);
        static constexpr char hex[] = "0123456789ABCDEF";
        std::string shown;
        for (int shift = 20; shift >= 0; shift -= 4)
            if (const unsigned digit = point >> shift & 15U; digit != 0 || !shown.empty())
                shown += hex[digit];
        return "U+" + shown;
    }
    return {};
}

std::string cut_text(std::string text, std::size_t code_points) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) continue;
        if (count++ == code_points) {
            text.resize(at);
            break;
        }
    }
    return text;
}

} // namespace weir::flows::kubeflow
