#include "schema/schema.hpp"

#include "schema/version_1.hpp"

namespace weir::ledger::schema {

std::span<const Migration> migrations() {
    static const Migration table[] = {
        {1, version_1},
    };
    return table;
}

} // namespace weir::ledger::schema
