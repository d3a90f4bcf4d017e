#include "document_parse.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>
#include <unordered_map>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace weir::detail {
namespace {

constexpr std::string_view digits = "0123456789";

/// Thrown out of the event handler when a limit is passed: yaml-cpp has no other way to be stopped.
struct Stop {};

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool looks_like_expression(std::string_view line) {
    static constexpr std::array signs{
        "==",  "!=",   "&&",      "||",       " in ",  "event.", "has(", "size(",   ">=",          "<=",
        " ? ", "int(", "double(", ".exists(", ".all(", "where:", "key:", "string(", ".startsWith("};
    for (const std::string_view sign : signs)
        if (line.find(sign) != std::string_view::npos) return true;
    return false;
}

/// The text by lines, for looking back at what the parser stumbled over.
class Lines {
  public:
    explicit Lines(std::string_view text) {
        std::size_t at = 0;
        while (at <= text.size()) {
            const auto end = std::min(text.find('\n', at), text.size());
            lines_.push_back(text.substr(at, end - at));
            at = end + 1;
        }
    }
    /// From 0, as yaml-cpp counts; empty outside of the text.
    [[nodiscard]] std::string_view line(int index) const {
        return index >= 0 && static_cast<std::size_t>(index) < lines_.size()
                   ? lines_[static_cast<std::size_t>(index)]
                   : std::string_view();
    }
    [[nodiscard]] std::string_view from(const YAML::Mark& mark) const {
        const auto all = line(mark.line);
        const auto column = static_cast<std::size_t>(std::max(mark.column, 0));
        return column < all.size() ? all.substr(column) : std::string_view();
    }
    [[nodiscard]] int count() const { return static_cast<int>(lines_.size()); }

    /// What to add to a syntax error at this line: expressions hold characters that mean something to YAML.
    [[nodiscard]] std::string expression_hint(int index) const {
        while (index > 0 && trimmed(line(index)).empty())
            --index;
        for (const int tried : {index, index - 1})
            if (looks_like_expression(line(tried)))
                return "; an expression must stand in single quotes, as where: 'event.data.table == "
                       "\"orders\"'";
        return {};
    }

  private:
    std::vector<std::string_view> lines_;
};

/// Makes nodes of yaml-cpp's events. The event interface (not YAML::Load) because it shows duplicate keys and
/// anchors, and lets limits stop the reading before memory is used.
class Builder final : public YAML::EventHandler {
  public:
    Builder(const Lines& lines, std::string_view file, Problems& problems, const DocumentLimits& limits)
        : lines_(lines), file_(file), problems_(problems), limits_(limits) {}

    std::vector<Node> documents;

    void OnDocumentStart(const YAML::Mark& mark) override {
        // yaml-cpp takes what stands behind a finished document for the next one, `---` or not.
        if (started_++ > 0 && !lines_.from(mark).starts_with("---") && !lines_.from(mark).starts_with("%"))
            stop(mark, "this does not belong to the document above" + lines_.expression_hint(mark.line));
        if (documents.size() >= limits_.documents_max)
            stop(mark, "the file has more than " + std::to_string(limits_.documents_max) + " documents");
        anchors_.clear();
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        auto node = start(mark);
        const auto word = trimmed(lines_.from(mark));
        for (const std::string_view null : {"~", "null", "Null", "NULL"})
            if (word.starts_with(null)) node.text = null;
        finish(std::move(node), anchor, 1);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end()) stop(mark, "an alias inside of the very value that it names");
        nodes_ += found->second.nodes;
        check_limits(mark, found->second.depth);
        auto node = found->second.node;
        node.place = place(mark);
        finish(std::move(node), 0, 0);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        auto node = start(mark);
        refuse_tag(mark, tag);
        node.text = value;
        node.quoted = tag == "!";
        if (node.quoted)
            node.kind = Node::Kind::String;
        else if (const auto wrong = resolve_plain(node); !wrong.empty())
            problems_.push_back({node.place, printable(value, 60) + ": " + std::string(wrong)});
        if (node.kind == Node::Kind::String) place_text(node, mark);
        finish(std::move(node), anchor, 1);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, Node::Kind::List);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, Node::Kind::Map);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Frame {
        Node node;
        YAML::anchor_t anchor = 0;
        std::size_t nodes_before = 0;
        std::optional<Node> key;
        std::unordered_map<std::string, int> key_lines;
    };
    struct Anchored {
        Node node;
        std::size_t nodes;
        std::size_t depth;
    };

    [[nodiscard]] Place place(const YAML::Mark& mark) const {
        return {std::string(file_), mark.line + 1, mark.column + 1};
    }
    [[noreturn]] void stop(const YAML::Mark& mark, std::string message) {
        problems_.push_back({place(mark), std::move(message)});
        throw Stop{};
    }
    void check_limits(const YAML::Mark& mark, std::size_t more_depth) {
        if (nodes_ > limits_.nodes_max)
            stop(mark, "the file has more than " + std::to_string(limits_.nodes_max) +
                           " values (aliases count as what they stand for)");
        if (stack_.size() + more_depth > limits_.depth_max)
            stop(mark, "nested deeper than " + std::to_string(limits_.depth_max) + " levels");
    }
    Node start(const YAML::Mark& mark) {
        ++nodes_;
        check_limits(mark, 1);
        Node node;
        node.place = place(mark);
        return node;
    }

    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        const auto rest = lines_.from(mark);
        if (tag.empty() || tag == "?" || (tag == "!" && !rest.starts_with("!"))) return;
        auto shown = printable(trimmed(rest.substr(0, rest.find_first_of(",}"))), 80);
        problems_.push_back(
            {place(mark),
             "YAML reads " + shown +
                 " as a tag, and tags are not allowed; an expression must stand in single quotes: '" + shown +
                 "'"});
    }

    /// Where the text itself begins: behind a quote, or on the line below the head of a block scalar.
    void place_text(Node& node, const YAML::Mark& mark) const {
        const auto here = lines_.from(mark);
        node.text_line = mark.line + 1;
        node.text_column = mark.column + 1;
        if (!node.quoted || here.empty()) return;
        if (here.front() == '\'' || here.front() == '"') {
            ++node.text_column;
        } else if (here.front() == '|' || here.front() == '>') {
            int below = mark.line + 1;
            while (below + 1 < lines_.count() && trimmed(lines_.line(below)).empty())
                ++below;
            node.text_line = below + 1;
            node.text_column = static_cast<int>(lines_.line(below).find_first_not_of(' ')) + 1;
        }
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
        const auto before = nodes_;
        Frame frame{start(mark), anchor, before, std::nullopt, {}};
        refuse_tag(mark, tag);
        frame.node.kind = kind;
        stack_.push_back(std::move(frame));
    }
    void close() {
        auto frame = std::move(stack_.back());
        stack_.pop_back();
        finish(std::move(frame.node), frame.anchor, nodes_ - frame.nodes_before);
    }

    static std::size_t depth_of(const Node& node) {
        std::size_t deepest = 0;
        for (const auto& item : node.items)
            deepest = std::max(deepest, depth_of(item));
        for (const auto& member : node.members)
            deepest = std::max(deepest, depth_of(member.second));
        return deepest + 1;
    }

    void finish(Node node, YAML::anchor_t anchor, std::size_t nodes) {
        if (anchor != 0) {
            anchored_ += nodes;
            if (anchored_ > limits_.nodes_max) {
                problems_.push_back({node.place, "too many anchored values"});
                throw Stop{};
            }
            const auto depth = depth_of(node);
            anchors_.insert_or_assign(anchor, Anchored{node, nodes, depth});
        }
        if (stack_.empty()) {
            if (node.kind != Node::Kind::Null || !node.text.empty()) documents.push_back(std::move(node));
            return;
        }
        auto& frame = stack_.back();
        if (frame.node.kind == Node::Kind::List) {
            frame.node.items.push_back(std::move(node));
        } else if (frame.key) {
            frame.node.members.emplace_back(std::move(*frame.key), std::move(node));
            frame.key.reset();
        } else {
            take_key(frame, std::move(node));
        }
    }

    void take_key(Frame& frame, Node key) {
        if (key.kind != Node::Kind::String) {
            problems_.push_back({key.place, "a key must be text, not " + key.describe() +
                                                (key.text.empty() ? "" : "; write it in quotes") +
                                                lines_.expression_hint(key.place.line - 1)});
            key.kind = Node::Kind::String;
        } else if (const auto [first, is_new] = frame.key_lines.emplace(key.text, key.place.line); !is_new) {
            problems_.push_back({key.place, twice(key.text, first->second)});
        }
        frame.key = std::move(key);
    }

    const Lines& lines_;
    std::string_view file_;
    Problems& problems_;
    const DocumentLimits& limits_;
    std::vector<Frame> stack_;
    std::unordered_map<YAML::anchor_t, Anchored> anchors_;
    std::size_t nodes_ = 0;
    std::size_t anchored_ = 0;
    std::size_t started_ = 0;
};

bool is_float(std::string_view text) {
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    const auto take_digits = [&] {
        const auto n = std::min(text.find_first_not_of(digits), text.size());
        text.remove_prefix(n);
        return n;
    };
    auto count = take_digits();
    if (!text.empty() && text[0] == '.') {
        text.remove_prefix(1);
        count += take_digits();
    }
    if (count == 0) return false;
    if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
        text.remove_prefix(1);
        if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
        if (take_digits() == 0) return false;
    }
    return text.empty();
}

/// Reads a whole number; false if the text is none. `fits` tells whether it is within 64 bits.
bool is_integer(std::string_view text, std::int64_t& value, bool& fits) {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0o")) {
        base = text[1] == 'x' ? 16 : 8;
        text.remove_prefix(2);
        if (text.empty() || text[0] == '-') return false;
    } else if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return false;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error == std::errc::invalid_argument || end != text.data() + text.size()) return false;
    fits = error == std::errc();
    return true;
}

} // namespace

std::string twice(std::string_view key, int first) {
    return "the key \"" + printable(key) + "\" stands here a second time; the first is on line " +
           std::to_string(first);
}

std::string_view resolve_plain(Node& node) {
    const std::string_view text = node.text;
    const auto is = [&](std::initializer_list<std::string_view> words) {
        return std::find(words.begin(), words.end(), text) != words.end();
    };
    bool fits = true;
    if (is({"", "~", "null", "Null", "NULL"})) {
        node.kind = Node::Kind::Null;
    } else if (is({"true", "True", "TRUE", "false", "False", "FALSE"})) {
        node.kind = Node::Kind::Bool;
        node.bool_value = text[0] == 't' || text[0] == 'T';
    } else if (is_integer(text, node.int_value, fits)) {
        node.kind = Node::Kind::Int;
        if (!fits) return "a whole number outside of 64 bits; write it in quotes as text";
    } else if (is_float(text)) {
        node.kind = Node::Kind::Double;
        const auto unsigned_text = text.starts_with('+') ? text.substr(1) : text;
        const auto error = std::from_chars(unsigned_text.data(), unsigned_text.data() + unsigned_text.size(),
                                           node.double_value)
                               .ec;
        if (error != std::errc() || !std::isfinite(node.double_value)) return "a number out of range";
    } else if (is({".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                   ".NaN", ".NAN"})) {
        node.kind = Node::Kind::Double;
        return "not a finite number; for text write it in quotes";
    } else {
        node.kind = Node::Kind::String;
    }
    return {};
}

std::vector<Node> read_yaml_documents(std::string_view text, std::string_view file, Problems& problems,
                                      const DocumentLimits& limits) {
    const auto before = problems.size();
    const Lines lines(text);
    Builder builder(lines, file, problems, limits);
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Stop&) {
        // The problem is in the list.
    } catch (const YAML::Exception& error) {
        const int line = error.mark.is_null() ? 0 : error.mark.line;
        const int column = error.mark.is_null() ? 0 : error.mark.column;
        problems.push_back({{std::string(file), line + 1, column + 1},
                            "malformed YAML: " + error.msg + lines.expression_hint(line)});
    }
    if (problems.size() > before) return {};
    return std::move(builder.documents);
}

} // namespace weir::detail
