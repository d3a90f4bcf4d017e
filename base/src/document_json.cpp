#include "document_parse.hpp"

#include <cstdlib>
#include <unordered_map>
namespace weir::detail {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
    const auto byte = [&](std::uint32_t b) { out += static_cast<char>(b); };
    if (c < 0x80) {
        byte(c);
    } else if (c < 0x800) {
        byte(0xc0 | (c >> 6));
        byte(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        byte(0xe0 | (c >> 12));
        byte(0x80 | ((c >> 6) & 0x3f));
        byte(0x80 | (c & 0x3f));
    } else {
        byte(0xf0 | (c >> 18));
        byte(0x80 | ((c >> 12) & 0x3f));
        byte(0x80 | ((c >> 6) & 0x3f));
        byte(0x80 | (c & 0x3f));
    }
}

/// Walks a JSON text that is known to be valid, so it only has to keep count of places and of what validity
/// does not cover: duplicate keys, the number of nodes, numbers past 64 bits. No JSON library that is
/// packaged keeps line and column of its nodes.
class JsonWalk {
  public:
    JsonWalk(std::string_view text, std::string_view file, Problems& problems, const DocumentLimits& limits)
        : text_(text), file_(file), problems_(problems), limits_(limits) {}

    Node document() {
        skip_space();
        return value();
    }
    [[nodiscard]] bool too_many() const { return nodes_ > limits_.nodes_max; }

  private:
    [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    char take() {
        const char c = peek();
        ++at_;
        if (c == '\n') {
            ++line_;
            line_start_ = at_;
        }
        return c;
    }
    void skip_space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
            take();
    }
    [[nodiscard]] Place here() const {
        return {std::string(file_), line_, static_cast<int>(at_ - line_start_) + 1};
    }

    Node value() {
        Node node;
        node.place = here();
        if (++nodes_ > limits_.nodes_max) {
            at_ = text_.size();
            return node;
        }
        switch (peek()) {
            case '{': map(node); break;
            case '[': list(node); break;
            case '"': string(node); break;
            default: plain(node);
        }
        skip_space();
        return node;
    }

    void map(Node& node) {
        node.kind = Node::Kind::Map;
        std::unordered_map<std::string, int> lines;
        take();
        skip_space();
        while (at_ < text_.size() && peek() != '}') {
            Node key;
            key.place = here();
            string(key);
            skip_space();
            take(); // the colon
            skip_space();
            if (const auto [first, is_new] = lines.emplace(key.text, key.place.line); !is_new)
                problems_.push_back({key.place, twice(key.text, first->second)});
            auto member = value();
            node.members.emplace_back(std::move(key), std::move(member));
            if (peek() == ',') take();
            skip_space();
        }
        take();
    }

    void list(Node& node) {
        node.kind = Node::Kind::List;
        take();
        skip_space();
        while (at_ < text_.size() && peek() != ']') {
            node.items.push_back(value());
            if (peek() == ',') take();
            skip_space();
        }
        take();
    }

    std::uint32_t hex4() {
        const std::string digits(text_.substr(at_, 4));
        at_ += 4;
        return static_cast<std::uint32_t>(std::strtoul(digits.c_str(), nullptr, 16));
    }

    void string(Node& node) {
        node.kind = Node::Kind::String;
        node.quoted = true;
        take();
        node.text_line = line_;
        node.text_column = here().column;
        while (at_ < text_.size()) {
            const char c = take();
            if (c == '"') return;
            if (c != '\\') {
                node.text += c;
                continue;
            }
            switch (const char escape = take()) {
                case 'b': node.text += '\b'; break;
                case 'f': node.text += '\f'; break;
                case 'n': node.text += '\n'; break;
                case 'r': node.text += '\r'; break;
                case 't': node.text += '\t'; break;
                case 'u': {
                    auto code = hex4();
                    if (code >= 0xd800 && code < 0xdc00) {
                        at_ += 2;
                        code = 0x10000 + ((code - 0xd800) << 10) + (hex4() - 0xdc00);
                    }
                    append_utf8(node.text, code);
                    break;
                }
                default: node.text += escape;
            }
        }
    }

    void plain(Node& node) {
        while (at_ < text_.size() &&
               std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos)
            node.text += take();
        if (const auto wrong = resolve_plain(node); !wrong.empty())
            problems_.push_back({node.place, printable(node.text, 60) + ": " + std::string(wrong)});
    }

    std::string_view text_;
    std::string_view file_;
    Problems& problems_;
    const DocumentLimits& limits_;
    std::size_t at_ = 0;
    std::size_t line_start_ = 0;
    std::size_t nodes_ = 0;
    int line_ = 1;
};

} // namespace

std::vector<Node> read_json_document(std::string_view text, std::string_view file, Problems& problems,
                                     const DocumentLimits& limits) {
    const auto before = problems.size();
    JsonWalk walk(text, file, problems, limits);
    std::vector<Node> documents;
    documents.push_back(walk.document());
    if (walk.too_many())
        problems.push_back({{std::string(file), 1, 1},
                            "the document has more than " + std::to_string(limits.nodes_max) + " values"});
    if (problems.size() > before) documents.clear();
    return documents;
}

} // namespace weir::detail
