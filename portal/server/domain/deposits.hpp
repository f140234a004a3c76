// Stays of papers in compartments, as this portal knows them from events; and what opens their doors: codes and grants.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "portal/server/domain/office.hpp"

namespace locker::portal {

// `asked`: a grant was signed, the cabinet has not said yet that it took it. The others are the contract's.
struct deposit_record {
    std::string id;
    std::string cabinet;
    std::string case_id;
    std::string kind;  // intake | return
    std::string state = "asked";
    int compartment = 0;  // 0: none yet
    std::string size = "S";
    bool accessible = false;
    bool confirm_wanted = false;     // "documents deposited" was tapped; said to the cabinet as soon as it hears
    std::int64_t first_issue = 0;    // the cabinet accepts none below it
    std::int64_t latest_issue = -1;  // that was shown; -1: none
    std::int64_t changed_ms = 0;
    bool renew = false;               // what became of the one that was typed nobody knows: the next is a new one
    std::int64_t grant_until_ms = 0;  // until then a grant or a QR code that was signed for it may open its door
    std::string taken_back_by{};      // grants, by their ids, by which whoever put the papers in takes them out again
    std::int64_t revoke_to = 0;       // the cabinet is to be told that it accepts no issue below; 0: it was
};

[[nodiscard]] bool live(const deposit_record& d);    // asked, reserved, deposited or confirmed
[[nodiscard]] bool stored(const deposit_record& d);  // deposited or confirmed: something lies there
// A compartment is held for it, or may be as soon as somebody shows what was signed.
[[nodiscard]] bool may_hold(const deposit_record& d, std::int64_t now_ms);

// A row's columns of `FROM deposits d`, and what they say from this one on.
inline constexpr const char* deposit_columns =
    "d.id, d.cabinet, d.case_id, d.kind, d.state, d.compartment, d.size, d.accessible, d.confirm_wanted, "
    "d.first_issue, d.latest_issue, d.renew, d.changed_at, d.grant_until, d.revoke_to, d.taken_back_by";
[[nodiscard]] deposit_record deposit_of_row(const soci::row& r, std::size_t from = 0);

[[nodiscard]] std::optional<deposit_record> find_deposit(office& o, const std::string& id);
[[nodiscard]] std::vector<deposit_record> live_deposits(office& o, const std::string& cabinet);
void save(office& o, const deposit_record& d);
[[nodiscard]] std::string new_deposit_id(const office& o);

// The nine digits for this deposit: the latest issue that is still good is shown again; another only when there is
// none, when `another` is asked for, and never beyond the cabinet's window of five or one that another live deposit of
// that cabinet would accept. The deposit is saved. Errors: wrong_state (nothing is stored).
[[nodiscard]] result<std::string> show_code(office& o, deposit_record& d, bool another = false);

// Every code that was shown so far is worth nothing any more: here at once, at the cabinet as soon as it hears of it.
// False: none was ever shown. The deposit is saved.
bool end_codes(office& o, deposit_record& d);
// The cabinet has heard: no issue below `issue_min` is good there.
void codes_ended(office& o, deposit_record& d, std::int64_t issue_min);

// How long a grant over MQTT is good, and one as a QR code for the cabinet's scanner.
inline constexpr std::int64_t grant_life_s = 60;
inline constexpr std::int64_t slip_life_s = 10 * 60;

// Signs a grant. Without an epoch it is for the cabinet's front, else for MQTT, 60 s.
struct grant_claims {
    std::string cabinet;
    std::string act;
    std::string epoch;
    std::int64_t life_s = grant_life_s;
    boost::json::object more;  // dep, kind, case, size, cmp, sub, reason …
};
[[nodiscard]] std::string sign(const office& o, const grant_claims& what);

}  // namespace locker::portal
