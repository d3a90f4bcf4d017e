#include <weir/base/document_reader.hpp>

#include <algorithm>

#include <weir/base/json.hpp>

namespace weir {
namespace {

constexpr std::string_view quote_hint =
    "; an expression is text, best in single quotes: 'event.data.rows > 0'";

bool among(std::string_view word, const std::vector<std::string_view>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::string join(const std::vector<std::string_view>& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
        out += words[i];
    }
    return out;
}

bool valid_reference(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return valid_name(text);
    return valid_name(text.substr(0, slash)) && valid_name(text.substr(slash + 1));
}

constexpr std::string_view name_rule = "1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or digit";

class Checker {
  public:
    explicit Checker(Problems& problems) : problems_(problems) {}

    void section(const Node& node, const DocumentTable& table, const std::string& path) {
        if (node.kind != Node::Kind::Map) {
            wrong(node, path.empty() ? std::string("the ") + std::string(table.name) : path,
                  "a map of fields");
            return;
        }
        std::vector<std::string_view> names;
        for (const auto& field : table.fields)
            if (field.built) names.push_back(field.name);
        for (const auto& [key, value] : node.members) {
            const auto* field = find(table, key.text);
            const auto inner = path.empty() ? key.text : path + "." + key.text;
            if (field == nullptr)
                add(key, "unknown key \"" + printable(key.text, 60) + "\"" +
                             (path.empty() ? "" : " in " + printable(path)) + did_you_mean(key.text, names));
            else if (!field->built)
                add(key, "not built yet: " + std::string(field->name));
            else
                check(value, *field, inner);
        }
        for (const auto& field : table.fields)
            if (field.required && node.find(field.name) == nullptr)
                add(node,
                    "missing " +
                        (path.empty() ? std::string(field.name) : path + "." + std::string(field.name)) +
                        ": " + std::string(field.doc));
    }

  private:
    static const Field* find(const DocumentTable& table, std::string_view name) {
        for (const auto& field : table.fields)
            if (field.name == name) return &field;
        return nullptr;
    }
    void add(const Node& node, std::string message) { problems_.push_back({node.place, std::move(message)}); }
    void wrong(const Node& node, const std::string& path, std::string_view expected,
               std::string_view hint = {}) {
        const bool scalar =
            node.kind == Node::Kind::Bool || node.kind == Node::Kind::Int || node.kind == Node::Kind::Double;
        std::string message =
            printable(path) + ": expected " + std::string(expected) + ", found " + node.describe();
        if (!hint.empty())
            message += hint;
        else if (scalar && expected.find("text") != std::string_view::npos)
            message += "; write it in quotes";
        add(node, std::move(message));
    }

    void word(const Node& node, const Field& field, const std::string& path) {
        if (node.kind != Node::Kind::String)
            wrong(node, path, join(field.words));
        else if (among(node.text, field.words_later))
            add(node, "not built yet: " + path + ": " + node.text);
        else if (!among(node.text, field.words))
            add(node, printable(path) + ": expected " + join(field.words) + ", found " + node.describe() +
                          did_you_mean(node.text, field.words));
    }

    void whole(const Node& node, const Field& field, const std::string& path) {
        if (node.kind != Node::Kind::Int) return wrong(node, path, "a whole number");
        if (node.int_value < field.minimum || node.int_value > field.maximum)
            add(node, path + ": " + node.text + " is out of range; allowed: " +
                          std::to_string(field.minimum) + " to " + std::to_string(field.maximum));
    }

    void name(const Node& node, const Field& field, const std::string& path) {
        const bool reference = field.type == FieldType::Reference;
        if (node.kind != Node::Kind::String) return wrong(node, path, "a name as text");
        if (!(reference ? valid_reference(node.text) : valid_name(node.text)))
            add(node, path + ": \"" + printable(node.text, 60) + "\" is not a name" +
                          (reference ? " or team/name" : "") + " (" + std::string(name_rule) + ")");
    }

    void expression(const Node& node, const std::string& path) {
        if (node.kind != Node::Kind::String) return wrong(node, path, "an expression", quote_hint);
        if (node.text.find_first_not_of(" \t\r\n") == std::string::npos)
            add(node, path + ": the expression is empty");
    }

    template <class Each>
    void list(const Node& node, const std::string& path, std::string_view expected, Each each) {
        if (node.kind == Node::Kind::List && node.items.empty()) return wrong(node, path, expected);
        if (node.kind != Node::Kind::List) return each(node, path);
        for (std::size_t i = 0; i < node.items.size(); ++i)
            each(node.items[i], path + "[" + std::to_string(i) + "]");
    }

    template <class Each>
    void map(const Node& node, const std::string& path, std::string_view expected, Each each) {
        if (node.kind != Node::Kind::Map) return wrong(node, path, expected);
        for (const auto& [key, value] : node.members)
            each(key, value, path + "." + key.text);
    }

    void check(const Node& node, const Field& field, const std::string& path) {
        const auto text = [&](const Node& n, const std::string& p) {
            if (n.kind != Node::Kind::String) wrong(n, p, "text");
        };
        const auto expression_in = [&](const Node&, const Node& n, const std::string& p) {
            expression(n, p);
        };
        switch (field.type) {
            case FieldType::Any: break;
            case FieldType::Flag:
                if (node.kind != Node::Kind::Bool) wrong(node, path, "true or false");
                break;
            case FieldType::Whole: whole(node, field, path); break;
            case FieldType::Number:
                if (node.kind != Node::Kind::Int && node.kind != Node::Kind::Double)
                    wrong(node, path, "a number");
                break;
            case FieldType::Text: text(node, path); break;
            case FieldType::Hidden:
                if (node.kind != Node::Kind::String) add(node, path + ": expected text, in quotes");
                break;
            case FieldType::Secret: secret(node, path); break;
            case FieldType::SecretMap:
                map(node, path, "a map of name to {env: NAME} or {file: PATH}",
                    [&](const Node&, const Node& n, const std::string& p) { secret(n, p); });
                break;
            case FieldType::Name:
            case FieldType::Reference: name(node, field, path); break;
            case FieldType::Word: word(node, field, path); break;
            case FieldType::Period: duration(node, path); break;
            case FieldType::Expression: expression(node, path); break;
            case FieldType::Texts: list(node, path, "text or a list of texts", text); break;
            case FieldType::Words:
                list(node, path, "one or more of " + join(field.words),
                     [&](const Node& n, const std::string& p) { word(n, field, p); });
                break;
            case FieldType::TextMap:
                map(node, path, "a map of texts",
                    [&](const Node&, const Node& n, const std::string& p) { text(n, p); });
                break;
            case FieldType::ExpressionOrMap:
                if (node.kind == Node::Kind::Map)
                    map(node, path, {}, expression_in);
                else
                    expression(node, path);
                break;
            case FieldType::ValueMap: map(node, path, "a map", [](auto&&...) {}); break;
            case FieldType::Section: section(node, *field.section, path); break;
            case FieldType::SectionMap: section_map(node, field, path); break;
            case FieldType::SectionList: section_list(node, field, path); break;
            case FieldType::NamedList: named_list(node, field, path); break;
            case FieldType::KindMap:
                map(node, path, "a map of named entries",
                    [&](const Node& key, const Node& n, const std::string& p) {
                        if (!valid_name(key.text)) bad_key(key, path);
                        kind(key.text, n, field, p);
                    });
                break;
        }
    }

    /// Never says what stands there.
    void secret(const Node& node, const std::string& path) {
        if (node.kind != Node::Kind::Map)
            return add(node, path +
                                 ": a secret does not stand in this file; say where it is: {env: NAME} "
                                 "or {file: PATH}");
        const auto* env = node.find("env");
        const auto* file = node.find("file");
        const auto is_text = [](const Node* n) {
            return n != nullptr && n->kind == Node::Kind::String && !n->text.empty();
        };
        if (node.members.size() != 1 || (!is_text(env) && !is_text(file)))
            add(node, path + ": expected {env: NAME} or {file: PATH}");
    }

    void duration(const Node& node, const std::string& path) {
        if (node.kind != Node::Kind::String) return wrong(node, path, "a duration as text (90s, 1h30m, 7d)");
        if (const auto parsed = parse_duration(node.text); !parsed.ok())
            add(node, path + ": " + parsed.error().message);
    }

    void section_map(const Node& node, const Field& field, const std::string& path) {
        map(node, path, "a map of named entries", [&](const Node& key, const Node& n, const std::string& p) {
            if (!valid_name(key.text)) bad_key(key, path);
            section(n, *field.section, p);
        });
    }

    void bad_key(const Node& key, const std::string& path) {
        add(key,
            path + ": \"" + printable(key.text, 60) + "\" is not a name (" + std::string(name_rule) + ")");
    }

    /// One entry of a KindMap.
    void kind(const std::string& name, const Node& node, const Field& field, const std::string& path) {
        if (node.kind != Node::Kind::Map) return wrong(node, path, "a map of fields");
        std::vector<std::string_view> known, by_name;
        const auto* given = node.find("kind");
        for (const auto* table : field.kinds) {
            const auto* word_field = find(*table, "kind");
            known.push_back(word_field->words.front());
            if (!word_field->required) by_name.push_back(known.back());
            const bool meant = given == nullptr
                                   ? !word_field->required && name == known.back()
                                   : given->kind == Node::Kind::String && given->text == known.back();
            if (meant) return section(node, *table, path);
        }
        if (given == nullptr)
            return add(node, "missing " + path + ".kind: " + join(known) + did_you_mean(name, by_name));
        Field as_word{"kind", FieldType::Word};
        as_word.words = std::move(known);
        as_word.words_later = field.words_later;
        word(*given, as_word, path + ".kind");
    }

    void named_list(const Node& node, const Field& field, const std::string& path) {
        list(node, path, "a name, or a list of names and maps", [&](const Node& n, const std::string& p) {
            if (n.kind == Node::Kind::Map) return section(n, *field.section, p);
            if (n.kind != Node::Kind::String) return wrong(n, p, "a name as text, or a map of fields");
            if (!valid_name(n.text))
                add(n,
                    p + ": \"" + printable(n.text, 60) + "\" is not a name (" + std::string(name_rule) + ")");
        });
    }

    void section_list(const Node& node, const Field& field, const std::string& path) {
        if (node.kind != Node::Kind::List) return wrong(node, path, "a list");
        for (std::size_t i = 0; i < node.items.size(); ++i)
            section(node.items[i], *field.section, path + "[" + std::to_string(i) + "]");
    }

    Problems& problems_;
};

} // namespace

bool check_fields(const Node& node, const DocumentTable& table, Problems& problems, std::string_view path) {
    const auto before = problems.size();
    Checker(problems).section(node, table, std::string(path));
    return problems.size() == before;
}

const Node* Fields::find(std::string_view name) const {
    const bool known = std::any_of(table_.fields.begin(), table_.fields.end(),
                                   [&](const Field& field) { return field.name == name; });
    expects(known, "a field asked for that its table does not have");
    return node_.find(name);
}

Place Fields::place(std::string_view name) const {
    const auto* node = find(name);
    return node == nullptr ? node_.place : node->place;
}

Place Fields::key_place(std::string_view name) const {
    for (const auto& member : node_.members)
        if (member.first.text == name) return member.first.place;
    return node_.place;
}

std::string Fields::text(std::string_view name, std::string_view otherwise) const {
    const auto* node = find(name);
    return std::string(node != nullptr && node->kind == Node::Kind::String ? std::string_view(node->text)
                                                                           : otherwise);
}

bool Fields::flag(std::string_view name, bool otherwise) const {
    const auto* node = find(name);
    return node != nullptr && node->kind == Node::Kind::Bool ? node->bool_value : otherwise;
}

std::int64_t Fields::whole(std::string_view name, std::int64_t otherwise) const {
    const auto* node = find(name);
    return node != nullptr && node->kind == Node::Kind::Int ? node->int_value : otherwise;
}

std::optional<Duration> Fields::duration(std::string_view name) const {
    const auto* node = find(name);
    if (node == nullptr || node->kind != Node::Kind::String) return std::nullopt;
    const auto parsed = parse_duration(node->text);
    return parsed.ok() ? std::optional(*parsed) : std::nullopt;
}

std::vector<std::string> Fields::texts(std::string_view name) const {
    const auto* node = find(name);
    if (node == nullptr) return {};
    if (node->kind == Node::Kind::String) return {node->text};
    std::vector<std::string> out;
    for (const auto& item : node->items)
        if (item.kind == Node::Kind::String) out.push_back(item.text);
    return out;
}

} // namespace weir
