#include "sqlite/names.hpp"

namespace weir::ledger::sqlite {

Result<std::int64_t> NameKeys::find(Connection& connection, std::string_view text) {
    if (text.empty()) return std::int64_t{0};
    if (const auto it = keys_.find(text); it != keys_.end()) return it->second;
    WEIR_ASSIGN(look, connection.prepare("SELECT id FROM name WHERE text = ?"));
    WEIR_ASSIGN(row, look.bind_text(text).step());
    if (!row) return std::int64_t{0};
    const auto key = look.integer(0);
    keys_.emplace(text, key);
    return key;
}

Result<std::int64_t> NameKeys::key(Connection& connection, std::string_view text) {
    WEIR_ASSIGN(known, find(connection, text));
    if (known != 0 || text.empty()) return known;
    WEIR_ASSIGN(insert, connection.prepare("INSERT INTO name(text) VALUES(?) RETURNING id"));
    WEIR_ASSIGN(row, insert.bind_text(text).step());
    expects(row, "INSERT RETURNING gives a row");
    const auto key = insert.integer(0);
    WEIR_TRY(insert.step());
    keys_.emplace(text, key);
    fresh_.emplace_back(text);
    return key;
}

void NameKeys::committed() {
    fresh_.clear();
    if (keys_.size() > names_cached_max) keys_.clear();
}

void NameKeys::rolled_back() {
    for (const auto& text : fresh_)
        keys_.erase(text);
    fresh_.clear();
}

Result<std::string> NameTexts::text(Connection& connection, std::int64_t key) {
    if (key == 0) return std::string();
    if (const auto it = texts_.find(key); it != texts_.end()) return it->second;
    WEIR_ASSIGN(look, connection.prepare("SELECT text FROM name WHERE id = ?"));
    WEIR_ASSIGN(row, look.bind(key).step());
    if (!row) return corrupt("ledger " + connection.path() + ": name " + std::to_string(key) + " is missing");
    if (texts_.size() >= names_cached_max) texts_.clear();
    return texts_.emplace(key, look.string(0)).first->second;
}

} // namespace weir::ledger::sqlite
