// A case: one piece of business of one resident, from the papers that it needs to the papers back in hand. The cabinet
// knows only its deposits; here they get their meaning.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "portal/server/domain/catalogue.hpp"
#include "portal/server/domain/deposits.hpp"
#include "portal/server/domain/office.hpp"
#include "portal/server/domain/staff.hpp"

namespace locker::portal {

enum class case_state : std::uint8_t {
    awaiting_papers,  // of the resident
    papers_in,        // they lie there; "documents deposited" was not tapped
    submitted,        // it was
    with_staff,       // taken out, under review
    asked,            // more papers are wanted of the resident; the earlier ones are with staff
    returning,        // staff have put them in; not confirmed yet
    ready,            // the resident may collect
    at_counter,       // handed over the counter instead
    done,
    cancelled,
};
[[nodiscard]] std::string_view name(case_state state);
[[nodiscard]] std::optional<case_state> case_state_from(std::string_view text);

// What moves a case. The first nine are what a cabinet's events say of the case's own deposit.
enum class case_step : std::uint8_t {
    papers_lie,
    confirmed,
    taken,  // an intake's papers, by staff
    return_lies,
    return_confirmed,
    collected,   // a return's papers, by whom they belong to
    withdrawn,   // an intake's papers, by whoever had put them in
    taken_back,  // a return's papers, by staff who had put them in
    reclaimed,   // overdue papers went back into the office's custody
    ask,         // staff want more papers
    to_counter,
    hand_over,  // over the counter: done
    cancel,
};
// Nothing: the step has no meaning there, and the case stays as it is.
[[nodiscard]] std::optional<case_state> next(case_state state, case_step step);

struct case_record {
    std::string id;
    std::string cabinet;
    std::string person;    // empty: it was forgotten
    std::string delegate;  // a person who may collect, too
    std::string service;
    std::int64_t catalogue = 0;  // the version in force when it began
    std::string title;           // {"zh","en"}
    std::string papers;          // [{"zh","en","original"}]: what is wanted now
    case_state state = case_state::awaiting_papers;
    std::string deposit;  // the one that counts now
    std::string note;     // staff's last word to the resident
    bool overdue = false;
    std::int64_t created_ms = 0;
    std::int64_t changed_ms = 0;
};

[[nodiscard]] std::optional<case_record> find_case(office& o, const std::string& id);
// Those of a resident, as owner or delegate, newest first.
[[nodiscard]] std::vector<case_record> cases_of(office& o, const std::string& person);
// Those that staff have something to do with, oldest first, at most so many; empty cabinet: of all that are theirs.
struct work_item {
    case_record record;
    std::optional<deposit_record> deposit;
    std::string phone;  // empty: it was forgotten
};
struct work_list {
    std::vector<work_item> items;
    bool more = false;
};
[[nodiscard]] work_list worklist(office& o, const staff_account& who, const std::string& cabinet, std::size_t most);
void save(office& o, case_record& c);

// Applies a step: state, log, change. False: it has no meaning there.
bool advance(office& o, case_record& c, case_step step, const std::string& who, const std::string& note = "");

// ---- what residents do

[[nodiscard]] result<case_record> begin_case(office& o, const std::string& person, const std::string& cabinet,
                                             const service& what, std::int64_t catalogue);

// May this person do something here? Owner for all, the delegate for collecting.
[[nodiscard]] bool is_owner(const case_record& c, const std::string& person);
[[nodiscard]] bool may_collect(const case_record& c, const std::string& person);

// A grant that opens the right door for this case now: the papers go in, or again ("I forgot something"), or out. A new
// deposit is made where one is wanted. Errors: wrong_state, busy (another case of this person holds a door).
struct door_wish {
    std::string size;  // empty: as the service says
    bool accessible = false;
    bool staff = false;
    std::string who;    // a person or "g-4711"
    bool back = false;  // what one has put in oneself is to come out again
    std::int64_t life_s = grant_life_s;
};
struct door_plan {
    std::string act;  // deposit | collect
    deposit_record deposit;
    boost::json::object claims;
    std::int64_t grant_until_before_ms = 0;
};
[[nodiscard]] result<door_plan> plan_door(office& o, case_record& c, const door_wish& wish);
// The cabinet said no, or never heard: what was signed holds no compartment.
void grant_refused(office& o, const door_plan& plan);

[[nodiscard]] result<void> want_confirmed(office& o, case_record& c, const std::string& who);
[[nodiscard]] result<void> cancel_case(office& o, case_record& c, const std::string& who);
[[nodiscard]] result<void> set_delegate(office& o, case_record& c, const std::string& phone);

// ---- what staff do

[[nodiscard]] result<void> review(office& o, case_record& c, const std::string& who, const std::string& note);
[[nodiscard]] result<void> ask_for_papers(office& o, case_record& c, const std::string& who,
                                          const std::vector<std::string>& papers, const std::string& note);
[[nodiscard]] result<void> to_the_counter(office& o, case_record& c, const std::string& who, const std::string& note);
[[nodiscard]] result<void> handed_over(office& o, case_record& c, const std::string& who);

// Parameters that notices about this case may use.
[[nodiscard]] boost::json::object words_for(office& o, const case_record& c);

// As pages show it, with the deposit that counts now; and what has happened so far.
[[nodiscard]] boost::json::object shown(const case_record& c, const std::optional<deposit_record>& d);
[[nodiscard]] boost::json::array history_of(office& o, const case_record& c);

}  // namespace locker::portal
