// A desk in memory: virtual time, seeded randomness, a database that is gone afterwards.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "portal/server/domain/cabinets.hpp"
#include "portal/server/domain/cases.hpp"
#include "portal/server/domain/catalogue.hpp"
#include "portal/server/domain/intake.hpp"
#include "portal/server/domain/notices.hpp"
#include "portal/server/domain/people.hpp"
#include "portal/server/domain/retention.hpp"
#include "portal/server/domain/staff.hpp"

namespace locker::portal {
inline std::ostream& operator<<(std::ostream& out, const problem& p) {
    return out << p.code;
}
}  // namespace locker::portal

namespace portal_bench {

using namespace locker;
using namespace locker::portal;
using boost::json::object;

struct bench {
    std::int64_t now = 1'800'000'000'000;
    std::uint32_t seed = 1;
    sources from{[this] { return now; },
                 [this](std::size_t count) {
                     std::vector<unsigned char> out(count);
                     for (auto& b : out) {
                         seed = seed * 1664525U + 1013904223U;
                         b = static_cast<unsigned char>(seed >> 24U);
                     }
                     return out;
                 }};
    database db{":memory:"};
    vault safe{key256{7}, from};
    office desk{db, safe, from, signing_key{"portal-1", key256{9}}, {}};
    std::uint64_t sequence = 0;
    key256 cabinet_key{1, 2, 3};

    bench() {
        desk.by.quiet_from = desk.by.quiet_to = "00:00";
        (void)add_cabinet(desk, {"c1", "北门", "岗亭旁", "0917-1", 0}, cabinet_key);
    }

    taken_in take(cabinet_event e) { return take_in(desk, {std::move(e)}); }
    // The next event of the cabinet, taken in.
    taken_in event(const std::string& type, object data) { return take({"c1", ++sequence, type, std::move(data)}); }
    case_record a_case(const std::string& person) {
        service s;
        s.id = "s1";
        s.name = "居住证明";
        s.name_en = "Certificate";
        s.papers = {{"身份证", "Identity card", true}};
        return *begin_case(desk, person, "c1", s, 1);
    }
    case_record reload(const case_record& c) { return *find_case(desk, c.id); }
    // Papers in and confirmed, taken, put back and confirmed.
    void to_ready(case_record& c) {
        const auto in = plan_door(desk, c, {"S", false, false, c.person})->deposit.id;
        for (const char* type : {"deposit.reserved", "deposit.deposited", "deposit.confirmed", "deposit.retrieved"}) {
            (void)event(type, {{"deposit", in}, {"case", c.id}, {"kind", "intake"}, {"compartment", 3}});
        }
        c = reload(c);
        const auto back = plan_door(desk, c, {"S", false, true, "g-4711"})->deposit.id;
        for (const char* type : {"deposit.reserved", "deposit.deposited", "deposit.confirmed"}) {
            (void)event(type, {{"deposit", back}, {"case", c.id}, {"kind", "return"}, {"compartment", 5}});
        }
        c = reload(c);
    }
    int count(const std::string& sql) {
        int n = 0;
        db.sql() << sql, soci::into(n);
        return n;
    }
};

}  // namespace portal_bench
