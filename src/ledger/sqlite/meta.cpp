#include "sqlite/meta.hpp"

#include <filesystem>
#include <fstream>

namespace weir::ledger::sqlite {

Result<std::string> read_meta(Connection& connection, std::string_view key) {
    WEIR_ASSIGN(query, connection.prepare("SELECT value FROM meta WHERE key = ?"));
    WEIR_ASSIGN(found, query.bind_text(key).step());
    if (!found)
        return corrupt("ledger " + connection.path() + ": its " + std::string(key) +
                       " is missing from the table meta");
    return query.string(0);
}

Status write_meta(Connection& connection, std::string_view key, std::string_view value) {
    WEIR_ASSIGN(upsert,
                connection.prepare("INSERT INTO meta(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET "
                                   "value = excluded.value"));
    return upsert.bind_text(key).bind_blob(value).run();
}

std::string place_of(const std::string& path) {
    std::string machine;
    std::ifstream file("/etc/machine-id");
    std::getline(file, machine);
    std::error_code error;
    const auto folder =
        std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error).parent_path();
    return machine + " " + folder.string();
}

} // namespace weir::ledger::sqlite
