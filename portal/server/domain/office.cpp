#include "portal/server/domain/office.hpp"

namespace locker::portal {

void audit(office& o, const std::string& who, const std::string& what, const std::string& whom) {
    const long long at = o.now();
    o.db.sql() << "INSERT INTO audit (n, at, who, what, whom) SELECT COALESCE(MAX(n), 0) + 1, :at, :who, :what, :whom "
                  "FROM audit",
        soci::use(at), soci::use(who), soci::use(what), soci::use(whom);
}

}  // namespace locker::portal
