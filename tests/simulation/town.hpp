// One simulated cabinet and everybody around it: a portal, residents, staff, an attacker, and faults that come and go.
// A seed decides all of it.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "protocol/grant.hpp"
#include "tests/simulation/actor.hpp"
#include "tests/simulation/process.hpp"

namespace sim {

inline constexpr const char* cabinet_id = "sim-1";
inline constexpr const char* portal_acts[] = {"deposit", "collect", "open", "settle", "move", "revoke", "staff"};

struct town_options {
    std::uint64_t seed = 1;
    std::int64_t days = 2;
    bool faults = true;               // off: the plain story alone
    std::vector<std::uint64_t> cuts;  // port calls at which the power goes
    bool tell = false;
    bool only_guesses = false;  // somebody guesses every 10 minutes, and nothing else happens
    bool story_only = false;    // one story with fixed times, for the exhaustive cuts
};

struct town_result {
    std::uint64_t hash = 0;
    std::uint64_t port_calls = 0;
    std::uint64_t openings = 0;
    std::uint64_t stories = 0;
    std::int64_t days = 0;
    std::map<std::string, std::uint64_t> met;
    std::string world;      // the cabinet and the faults that this seed knows, for people
    std::string violation;  // empty: none
    std::deque<std::string> trace;
};

class town {
public:
    explicit town(const town_options& o);
    ~town();
    town(const town&) = delete;
    town& operator=(const town&) = delete;

    town_result run();

private:
    struct swarm {  // which faults this seed knows, decided once
        bool line = false, boards = false, contacts = false, jams = false;
        bool broker = false;
        bool clock = false;
        bool disk = false, full = false, slow = false;
        bool kills = false, powers = false, stops = false;
        bool attacker = false, clumsy = false;
    };
    struct fault;

    // ---- town.cpp: the cabinet as it was built; the end, when faults stop and every owner gets their papers
    void build();
    [[nodiscard]] std::string described() const;
    void wire(int number, std::size_t board, int channel, locker::core::cabinet_config& config,
              locker::bus_settings& bus);
    void peace();
    [[nodiscard]] int true_place(const std::string& dep) const;
    void check_retained();
    void check_replay(std::uint64_t next, std::uint64_t head);

    // ---- portal.cpp: what the scanning flow sends and hears
    void heard(const std::string& topic, const std::string& payload);
    std::string token(const std::string& act, const std::string& dep, int compartment, bool local, bool genuine = true,
                      std::int64_t life_s = 60);
    std::string code(const std::string& dep, std::uint64_t issue);
    void another_issue(const std::string& dep);
    answer command(const std::string& name, boost::json::object args, const std::string& grant = {});
    answer confirm(const std::string& dep);
    static std::string error_of(const std::string& reply);
    int where(const std::string& dep);

    // ---- people.cpp: residents and staff
    answer type(const std::string& via, const std::string& text);
    answer enter(const std::string& via, const std::string& text);  // the whole reply
    answer show_slip(const std::string& act, const std::string& dep);
    void look_inside(int number, const std::string& wanted);
    bool put_in(int number, const std::string& dep);
    bool take_out(int number, const std::string& dep);
    void empty(int number);
    actor deposit(std::string dep, answer done, bool plain);
    actor collect(std::string dep, bool by_code, answer done, bool plain);
    actor last_chance(std::string dep, bool& over);
    actor one_story(std::string name, std::int64_t after, bool plain);
    actor residents();
    actor staff();
    actor settle_all(answer done);

    // ---- staff.cpp: grid workers with staff codes, and the office that says who they are
    struct worker {
        std::string number;
        std::vector<std::string> permits;
        bool suspended = false;
    };
    actor office();
    void send_roster();
    void send_ring();
    std::string staff_code(const worker& who, std::int64_t steps = 0);
    actor at_the_keypad(answer done);
    actor leave_with(int number);
    actor rebind(std::string dep);
    [[nodiscard]] std::vector<int> free_doors() const;

    // ---- attacker.cpp: those who mean ill
    actor attacker();
    actor guess();
    actor held_back();
    actor guess_all_day();
    actor guess_staff();
    void staff_code_again();
    actor touch_session();
    void revoked_key();
    void foreign_code();
    actor out_of_the_drawer();
    actor take_with(std::string via, std::string text, std::string dep);
    void stolen_code();
    void slip_again();
    actor photographed(std::string text, std::string dep);
    actor over_a_restart();
    void replay();
    void forge(int times);
    void smuggle();
    void litter();

    // ---- trouble.cpp: faults that come and go
    actor trouble();
    void worst_moment(std::size_t board);
    void board_silent_for(std::size_t board, std::int64_t ms);
    door& any_door();
    std::size_t any_board();
    void end_trouble();

    town_options options_;
    world world_;
    swarm swarm_;
    auditor auditor_;
    hardware hardware_;
    broker broker_;
    disk disk_;
    locker::key256 seed_{};
    locker::key256 forged_{};
    locker::key256 key_{};
    locker::key256 old_key_{};
    bool two_generations_ = false;
    locker::key256 root_{};
    std::string kid_ = "portal";
    std::int64_t rings_ = 0;       // versions sent …
    std::int64_t ring_heard_ = 0;  // … and the one in force
    int rosters_ = 0;
    std::vector<worker> workers_;
    std::vector<std::string> staff_codes_;                          // typed ones
    std::vector<std::pair<std::string, locker::key256>> old_keys_;  // whose ring has ended
    std::string epoch_;
    std::map<std::string, answer> replies_;
    std::map<std::string, int> places_;
    std::map<std::string, std::uint64_t> issues_;       // of each deposit's code: the one its owner's phone shows
    std::map<std::string, std::uint64_t> first_issue_;  // … and the first that may still be good
    std::set<std::string> spent_;                       // events of openings by code, by their sequence
    std::set<std::string> held_;                        // in somebody's hands, on the way in
    std::set<std::string> taken_;                       // back in the right hands
    std::set<std::string> owners_;                      // put in, and owed
    std::vector<std::pair<std::string, std::string>> captured_;
    std::vector<std::pair<std::string, std::string>> slips_;  // grants as QR codes that somebody photographed, whose
    std::string last_said_;
    bool locked_ = false;
    bool peaceful_ = false;
    int ids_ = 0;
    int stories_ = 0;
    std::unique_ptr<process> process_;
};

[[nodiscard]] town_result run_town(const town_options& options);

}  // namespace sim
