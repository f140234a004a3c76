// What every room of the portal works with: its memory, its secrets, its clock, its rules.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "portal/server/domain/database.hpp"
#include "portal/server/domain/problem.hpp"
#include "portal/server/domain/vault.hpp"
#include "protocol/grant.hpp"

namespace locker::portal {

struct rules {
    std::int64_t session_idle_ms = 30 * day;    // of a resident
    std::int64_t staff_idle_ms = 30 * minute;   // of staff …
    std::int64_t staff_longest_ms = 12 * hour;  // … who sign in at least once a shift
    std::int64_t keep_cases_ms = 180 * day;     // after a case has ended, then it is purged
    std::int64_t keep_audit_ms = 400 * day;
    std::int64_t unconfirmed_ms = 30 * minute;     // papers that lie there without a word
    std::vector<std::string> country_codes{"86"};  // of phone numbers that messages are sent to: each costs
    int codes_of_address = 60;         // sign-in codes an hour; a phone company puts many phones behind one address
    int requests_of_address = 50;      // a second, with 300 at once
    std::string quiet_from = "22:00";  // local time; no notice that can wait
    std::string quiet_to = "07:00";
    std::int64_t utc_offset_ms = 8 * hour;
    std::vector<std::string> resident_channels{"inbox"};  // of notices; by their names in the configuration
    std::vector<std::string> staff_channels{"inbox"};     // to each staff member of the cabinet
    std::string figures_token;               // of programs that read metrics and statistics; empty: none may
    std::vector<std::string> team_channels;  // once, to a group: its robot, another system
};

struct office {
    database& db;
    const vault& safe;
    sources from;
    signing_key issuer;
    rules by;
    // Something of this subject has changed: "case/<id>", "person/<id>", "cabinet/<id>", "work". After the commit.
    std::function<void(const std::string& subject)> changed = [](const std::string&) {};

    [[nodiscard]] std::int64_t now() const { return from.now_ms(); }
};

// Who looked at what, or changed it: kept for the rules' time.
void audit(office& o, const std::string& who, const std::string& what, const std::string& whom);
// … a page that looks again by itself is one look for so long.
void audit_once(office& o, const std::string& who, const std::string& what, const std::string& whom,
                std::int64_t within_ms);

}  // namespace locker::portal
