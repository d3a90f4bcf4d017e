#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sqlite/connection.hpp"

namespace weir::ledger::sqlite {

/// Most texts kept in memory by either cache; then it starts anew.
inline constexpr std::size_t names_cached_max = 100'000;

/// Text -> key, for the writer. Empty text is key 0 and has no row. Thread: the writer's.
class NameKeys {
  public:
    /// The key of a text, given out inside the open transaction if it is new.
    Result<std::int64_t> key(Connection& connection, std::string_view text);
    /// The key of a text if it has one; 0 if not.
    Result<std::int64_t> find(Connection& connection, std::string_view text);
    void committed();
    void rolled_back();

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> keys_;
    std::vector<std::string> fresh_; ///< given out in the open transaction
};

/// Key -> text, for readers: a committed name never changes. Thread: that of its connection.
class NameTexts {
  public:
    Result<std::string> text(Connection& connection, std::int64_t key);

  private:
    std::unordered_map<std::int64_t, std::string> texts_;
};

} // namespace weir::ledger::sqlite
