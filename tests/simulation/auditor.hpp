// Predicts on its own what may and must be, from what it sees at the ports, and throws a violation that names the
// invariant. It shares no code with the core: its own ledger hash, its own buckets, its own book of who may open what.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hal/ports/store.hpp"
#include "tests/simulation/world.hpp"

namespace sim {

class auditor {
public:
    explicit auditor(world& w) : world_(w) {}

    // ---- what the portal gave out: the only authorities there are
    struct authority {
        std::string act;  // "deposit", "collect", "settle", "open", or "code"
        std::string dep;
        int compartment = 0;
        std::string jti;
        std::int64_t expires = INT64_MAX;  // true wall time
        std::uint64_t issue = 0;           // of a code
        std::string epoch;                 // of a grant for MQTT; empty: for the cabinet's front
        std::string kid;                   // who signed it …
        std::int64_t iat = 0;              // … and when, in seconds
    };
    void no_contact(int compartment) { unwired_.insert(compartment); }
    void issued_grant(const authority& a) { grants_[a.jti] = a; }
    void issued_code(const std::string& text, const std::string& dep, std::uint64_t issue) {
        codes_[text].insert({dep, issue});
    }

    struct person {
        std::set<std::string> permits;
        bool suspended = false;
    };
    using roster = std::map<std::string, person>;  // by number
    void ring(std::set<std::string> kids) { kids_ = std::move(kids); }
    void issued_ring(const std::string& jti, std::set<std::string> kids) { rings_[jti] = std::move(kids); }
    void issued_roster(const std::string& jti, roster people) { rosters_[jti] = std::move(people); }
    void issued_staff_code(int number, const std::string& totp, std::int64_t step) {
        staff_codes_[{number, totp}].insert(step);
    }

    std::int64_t ledger_keep = INT64_MAX;  // no younger row leaves

    // ---- the process
    void process_started(const std::string& epoch);
    void ledger_found(const std::vector<locker::ledger_row>& all);  // right after a start: what the disk really holds
    void process_ended();
    // `door`: as typed before the code; 0: none.
    void entering(const std::string& text, bool front, int door, bool deed) {
        deed_ = deed;
        entered_ = text;
        front_ = front;
        door_ = door;
    }
    void entered() {
        entered_.clear();
        if (deed_ && !session_.empty()) {
            session_at_ = world_.now;
        }
        deed_ = false;
    }

    // ---- ports
    void committed(const locker::transaction& tx);
    void pulse_left(int compartment, std::int64_t length_ms, std::int64_t longest_ms, int supply);
    void door_opened(int compartment);                                                            // in truth
    void published(const std::string& type, std::uint64_t sequence, const std::string& payload);  // the broker has it
    void replayed(std::uint64_t sequence, const std::string& payload);  // … or answered when asked again
    void answered(const std::string& code, bool front, int door);

    // ---- what people find
    void somebody_found(int compartment, const std::string& wanted, const std::string& found);

    // ---- the end
    [[nodiscard]] bool behind() const { return next_published_ <= rows_.size(); }
    void drained(std::uint64_t head);
    bool contacts_faulty = false;  // a contact lied: what was told of doors proves nothing
    bool clock_faulty = false;     // the cabinet's clock has been wrong: expiry by true time proves nothing
    [[nodiscard]] const std::map<std::string, std::string>& deposits() const { return states_; }
    // The door that a staff number opened last, as far as the ledger says; 0: none.
    [[nodiscard]] int door_of(const std::string& number) const {
        int door = 0;
        for (const auto& [id, o] : openings_) {
            door = o.by == "staff:" + number ? o.compartment : door;
        }
        return door;
    }
    [[nodiscard]] std::uint64_t head() const { return rows_.size(); }
    [[nodiscard]] std::uint64_t openings() const { return openings_.size(); }

private:
    struct opening {
        int compartment = 0;
        std::string dep;
        std::string by;
        std::int64_t authorised_at = 0;
        std::int64_t first_pulse_at = -1;
        int pulses = 0;
        std::string outcome;
        authority why;
        bool known_authority = false;
        int run = 0;
        bool grace = false;
        std::string purpose;
        bool shut_since = false;  // the door's closing was told
    };
    struct spent {
        std::uint64_t next = 0;         // issues below it may not open again …
        std::uint64_t next_before = 0;  // … which a bounce takes back
        std::int64_t closed_at = 0;     // … but for the grace after this closing
        std::optional<std::uint64_t> last;
        struct doubtful {
            std::int64_t since = 0;
            int openings = 0;  // since then
        };
        std::map<std::uint64_t, doubtful> unknown;  // issues whose opening ended unknown
    };
    void take(const locker::ledger_row& row, bool live);
    [[nodiscard]] const locker::ledger_row& row_at(std::uint64_t sequence) const {
        return rows_.at(static_cast<std::size_t>(sequence - 1));
    }
    void take_pruned(const locker::ledger_row& row, const boost::json::object& data);
    void told_outcome(opening& o, const boost::json::object& data);
    const authority& take_grant(const std::string& by, bool live, bool goes_on);
    void take_staff_opening(opening& o);
    void take_signed_in(const boost::json::object& data, bool live);
    void take_revoked(const boost::json::object& data, bool live);
    void take_moved(const std::string& dep, int to, const boost::json::object& data, bool live);
    void take_authorised(opening& o, const boost::json::object& data, bool live);
    [[noreturn]] void fail(const std::string& what) const;

    world& world_;
    std::map<std::string, authority> grants_;
    std::map<std::string, std::set<std::pair<std::string, std::uint64_t>>> codes_;
    std::set<std::string> used_grants_;
    std::vector<locker::ledger_row> rows_;  // acknowledged by the store: they may never go …
    std::uint64_t pruned_ = 0;              // … but for these, that left by age
    std::map<std::int64_t, opening> openings_;
    std::map<int, std::int64_t> truly_opened_;  // compartment → when its door last opened
    std::set<int> unwired_;                     // doors that nobody can see
    std::set<std::string> pulsed_;              // deposits whose door was pulsed
    std::string epoch_;
    std::map<int, std::int64_t> latest_;  // compartment → opening pulsed last
    std::map<std::string, spent> spent_;
    std::map<std::string, std::string> states_;  // deposit → state, as the ledger says
    std::map<std::string, int> places_;
    std::map<int, std::string> tenants_;  // compartment → live deposit
    std::set<int> forced_;                // their doors, without an opening, and nobody was sent there since
    std::set<int> suspected_;             // something may lie in it
    std::map<int, std::int64_t> coil_free_;
    std::uint64_t next_published_ = 1;
    std::set<std::uint64_t> seen_;
    int run_ = 0;
    bool running_ = false;
    std::string entered_;
    bool front_ = false;
    int door_ = 0;
    bool deed_ = false;
    // ---- staff
    std::set<std::string> kids_;  // that may sign
    std::map<std::string, std::set<std::string>> rings_;
    std::map<std::string, roster> rosters_;
    roster people_;
    std::int64_t grants_before_ = 0;
    std::map<std::pair<int, std::string>, std::set<std::int64_t>> staff_codes_;
    std::set<std::pair<int, std::int64_t>> used_steps_;
    std::map<std::string, int> failures_;  // wrong codes in a row
    struct suspension {
        int in_a_row = 0;
        std::int64_t until = 0;
    };
    std::map<std::string, suspension> suspended_staff_;
    std::string session_;  // the number that is signed in; empty: nobody
    std::int64_t session_at_ = 0;
    std::int64_t session_began_ = 0;
    std::map<std::string, std::string> kinds_;  // of deposits
    // A leaky bucket in true time: the cabinet's own never drains faster, so it may never be kinder.
    class bucket {
    public:
        bucket(int capacity, std::int64_t interval) : full_(capacity * interval), interval_(interval) {}
        [[nodiscard]] bool surely_empty(std::int64_t now) const {
            return debt_ - (now - at_) > full_ - interval_ + minute;
        }
        void charge(std::int64_t now) {
            debt_ = std::max<std::int64_t>(0, debt_ - (now - at_)) + interval_;
            at_ = now;
        }

    private:
        std::int64_t full_;
        std::int64_t interval_;
        std::int64_t debt_ = 0;
        std::int64_t at_ = 0;
    };
    bucket fast_{10, 30 * minute};
    bucket slow_{60, 12 * hour};
    std::map<std::string, bucket> own_;  // of deposits, for door # code
    [[nodiscard]] bool locked_out() const { return fast_.surely_empty(world_.now) || slow_.surely_empty(world_.now); }
};

}  // namespace sim
