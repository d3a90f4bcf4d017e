#include "schema/schema.hpp"

#include "schema/version_1.hpp"
#include "schema/version_2.hpp"
#include "schema/version_3.hpp"

namespace weir::ledger::schema {

std::span<const Migration> migrations() {
    static const Migration table[] = {
        {1, version_1},
        {2, version_2},
        {3, version_3},
    };
    return table;
}

} // namespace weir::ledger::schema
