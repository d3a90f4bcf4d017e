#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/base/result.hpp>
#include <weir/base/text.hpp>

namespace weir {

/// One thing wrong with a document, with its place. A reader collects all of them.
struct Problem {
    Place place;
    std::string message;
    /// "file:line:column: message"
    [[nodiscard]] std::string to_string() const { return place.to_string() + ": " + message; }
};
using Problems = std::vector<Problem>;

/// Documented limits of a document file.
struct DocumentLimits {
    std::size_t bytes_max = 4 * 1024 * 1024;
    std::size_t depth_max = 64;
    std::size_t nodes_max = 200'000; ///< after alias expansion, so that an alias bomb is refused
    std::size_t documents_max = 1'000;
};

/// A YAML 1.2 or JSON document as a tree that remembers where everything stood.
struct Node {
    enum class Kind : std::uint8_t { Null, Bool, Int, Double, String, List, Map };
    using Member = std::pair<Node, Node>; ///< key (always a String), value

    Kind kind = Kind::Null;
    Place place;
    bool quoted = false;         ///< a string that stood in quotes
    int text_line = 0;           ///< String: where the first character of `text` stood, from 1
    int text_column = 0;         ///< the same; further lines of a block scalar begin at this column too
    bool bool_value = false;     ///< Bool
    std::int64_t int_value = 0;  ///< Int
    double double_value = 0;     ///< Double
    std::string text;            ///< String: the text; other scalars: as written
    std::vector<Node> items;     ///< List
    std::vector<Member> members; ///< Map, in order; no duplicate keys

    /// The member of a map, or nullptr (also for what is not a map).
    [[nodiscard]] const Node* find(std::string_view key) const;
    /// "a string", "a list", "the number 5"...: for error messages.
    [[nodiscard]] std::string describe() const;
};

/// Reads all documents of a text: JSON if it begins with `{` or `[` and is JSON, else YAML 1.2 core schema.
/// Tags, duplicate keys, keys that are not strings, numbers outside of 64 bits or not finite, control
/// characters, anchors past the limits and invalid UTF-8 are problems; a YAML error on a line that looks like
/// an unquoted expression carries the hint to put it into single quotes. Empty documents are left out.
/// Columns count bytes. On any problem the returned list is empty. Thread-safe.
std::vector<Node> read_documents(std::string_view text, std::string_view file, Problems& problems,
                                 const DocumentLimits& limits = {});

/// The node as compact JSON (members in document order). A Double that is whole keeps its ".0".
std::string to_json(const Node& node);

} // namespace weir
