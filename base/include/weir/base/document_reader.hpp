#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/base/clock.hpp>
#include <weir/base/document.hpp>

namespace weir {

/// What may stand in a field of a document.
enum class FieldType : std::uint8_t {
    Any,             ///< any value; the reader's caller looks at it
    Flag,            ///< true or false
    Whole,           ///< a whole number within minimum..maximum
    Number,          ///< any finite number
    Text,            ///< a string
    Hidden,          ///< a string that no message quotes
    Secret,          ///< where a secret is, never the secret: `{env: NAME}` or `{file: PATH}`
    SecretMap,       ///< a map of Secrets
    Name,            ///< a string that valid_name() takes
    Reference,       ///< a Name, or Name/Name: something of another team
    Word,            ///< one of `words`
    Period,          ///< what parse_duration() takes, as text
    Expression,      ///< a CEL expression as text (its syntax is not looked at here)
    Texts,           ///< a string or a list of strings
    Words,           ///< one of `words` or a list of them
    TextMap,         ///< a map of strings
    ExpressionOrMap, ///< an expression, or a map of name -> expression
    ValueMap,        ///< a map of any values
    Section,         ///< a map with the fields of `section`
    SectionMap,      ///< a map of Name -> Section
    SectionList,     ///< a list of Sections
    NamedList,       ///< a Name, or a list of Names and Sections; each Section has a field `name`
    /// A map of Name -> Section of that table of `kinds` which its field `kind` names. Where a table does not
    /// require `kind`, an entry without one is of the kind that it is called like.
    KindMap,
};

struct DocumentTable;

/// One field of a document kind. These rows drive the reading, the JSON Schema and the reference text.
struct Field {
    std::string_view name;
    FieldType type = FieldType::Text;
    std::string_view doc; ///< one sentence for the reference
    bool required = false;
    std::vector<std::string_view> words;    ///< Word, Words: those allowed
    const DocumentTable* section = nullptr; ///< Section, SectionMap, SectionList, NamedList
    std::int64_t minimum = std::numeric_limits<std::int64_t>::min(); ///< Whole
    std::int64_t maximum = std::numeric_limits<std::int64_t>::max(); ///< Whole
    bool built = true;                         ///< false: known by name and refused as "not built yet"
    std::vector<std::string_view> words_later; ///< words refused as "not built yet"
    std::vector<const DocumentTable*> kinds;   ///< KindMap: each has a field `kind`, a Word with one word
};

/// A document kind, or a section of one.
struct DocumentTable {
    std::string_view name; ///< "trigger document"
    std::string_view doc;
    std::vector<Field> fields;
};

/// Checks a node against a table, sections included: unknown keys (with "did you mean"), wrong types, words
/// and numbers out of range, missing fields, fields that are not built yet. Adds every problem, not only the
/// first, each with the place it is about; `path` stands before the names in messages ("when.all.orders").
/// True if it found none.
bool check_fields(const Node& node, const DocumentTable& table, Problems& problems,
                  std::string_view path = {});

/// The fields of a node that check_fields() has looked at. A field that is absent or of the wrong type gives
/// the default, so a reader can go on after a problem and find more. Asking for a name the table lacks
/// aborts.
class Fields {
  public:
    /// Both must outlive the object.
    Fields(const Node& node, const DocumentTable& table) : node_(node), table_(table) {}

    [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
    /// The value as it stands, or nullptr.
    [[nodiscard]] const Node* find(std::string_view name) const;
    /// Of the value, and of the key; of the whole node if there is none.
    [[nodiscard]] Place place(std::string_view name) const;
    [[nodiscard]] Place key_place(std::string_view name) const;
    [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise = {}) const;
    [[nodiscard]] bool flag(std::string_view name, bool otherwise) const;
    [[nodiscard]] std::int64_t whole(std::string_view name, std::int64_t otherwise) const;
    [[nodiscard]] std::optional<Duration> duration(std::string_view name) const;
    /// Of Texts and Words: one string is a list of one.
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;

  private:
    const Node& node_;
    const DocumentTable& table_;
};

/// JSON Schema (draft 2020-12) of a document kind, for editors. Fields not built yet are left out.
std::string json_schema(const DocumentTable& table);

/// The reference of a document kind as Markdown: a table of fields for it and for each of its sections.
std::string reference_text(const DocumentTable& table);

} // namespace weir
