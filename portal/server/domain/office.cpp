#include "portal/server/domain/office.hpp"

namespace locker::portal {

void audit(office& o, const std::string& who, const std::string& what, const std::string& whom) {
    const long long at = o.now();
    o.db.sql() << "INSERT INTO audit (n, at, who, what, whom) SELECT COALESCE(MAX(n), 0) + 1, :at, :who, :what, :whom "
                  "FROM audit",
        soci::use(at), soci::use(who), soci::use(what), soci::use(whom);
}

void audit_once(office& o, const std::string& who, const std::string& what, const std::string& whom,
                std::int64_t within_ms) {
    const long long since = o.now() - within_ms;
    int known = 0;
    o.db.sql() << "SELECT COUNT(*) FROM audit WHERE at > :t AND who = :who AND what = :what AND whom = :whom",
        soci::use(since), soci::use(who), soci::use(what), soci::use(whom), soci::into(known);
    if (known == 0) {
        audit(o, who, what, whom);
    }
}

}  // namespace locker::portal
