// A bench for the core: a store in memory, contacts and clocks moved by hand, every effect recorded. No time passes
// but what a test lets pass.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/cabinet.hpp"

namespace test_bench {

using namespace locker;
using namespace locker::core;

class memory_store : public store {
public:
    commit_error fail = commit_error::none;
    bool unreadable = false;  // find and rows throw
    int commits = 0;
    int hints = 0;
    std::map<std::string, std::map<std::string, std::string>> kinds;
    std::map<std::pair<std::string, std::string>, std::int64_t> until;  // of rows that are pruned
    std::vector<ledger_row> ledger;

    std::optional<std::string> find(std::string_view kind, std::string_view key) const override;
    std::vector<std::pair<std::string, std::string>> all(std::string_view kind) const override;
    std::vector<ledger_row> rows(std::uint64_t from, std::uint64_t to, std::uint64_t limit) const override;
    std::uint64_t earliest() const override { return ledger.empty() ? 0 : ledger.front().sequence; }
    commit_error commit(const transaction& tx) override;
    std::string last_error() const override { return "told to fail"; }
};

// RFC 8032 §7.1 test 1's key pair signs the bench's grants.
inline constexpr std::string_view issuer_seed_hex = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

// RFC 8032 §7.1 test 2's: the root key.
inline constexpr std::string_view fresh_seed_hex = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7";
inline constexpr std::string_view root_seed_hex = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";

struct options {
    int doors = 6;
    contact_kind contact = contact_kind::door;
    bool verify = true;
    bool clock_trusted = true;
};

class bench {
public:
    explicit bench(options o = {});

    // ---- the world
    void start();   // a new cabinet object over the same store: a start of lockerd
    void reboot();  // the same after a boot of the board: another boot id, monotonic time from 0
    void pass(std::int64_t ms);
    void door(int number, bool open);  // the contact's reading, at once
    void board(int index, bool present);
    void feed(const input& in);

    // When set, the line answers each pulse so, and the door does what `reacts` says.
    pulse_result line_says = pulse_result::done;
    bool line_answers = true;
    std::function<void(int)> reacts;  // called after a pulse with the compartment's number; default: the door opens

    // ---- people
    // Sends a command and gives its reply, or an empty object when none came yet.
    boost::json::object command(std::string_view name, boost::json::object args, std::string grant = "",
                                std::string id = "");
    // A grant is shown at the scanner, all else is typed.
    boost::json::object enter(std::string text);
    boost::json::object enter(std::string text, entry_via via, std::uint64_t terminal = 1);
    std::string grant(boost::json::object claims, bool epoch = true);
    boost::json::object open(boost::json::object claims) { return command("open", {}, grant(std::move(claims))); }
    std::string code(std::string_view deposit, std::uint64_t issue) const;
    // "4711#123456", as a staff member's phone shows it now, or `steps` of 30 s from now.
    std::string staff_code(std::string_view number, std::int64_t steps = 0) const;
    // The next version of the roster, signed by the root key.
    boost::json::object staff(boost::json::array members);
    // A grant by another key, as it stands.
    std::string signed_by(std::string_view kid, std::string_view seed_hex, boost::json::object claims,
                          bool epoch = true);
    // A deposit put in, door shut and rested, as far as `deposited`.
    int put_in(const std::string& deposit, std::string_view kind = "return");

    // ---- what was seen
    std::vector<publish> published;
    std::vector<pulse_order> pulses;
    std::vector<std::string> events;  // types, in ledger order
    boost::json::object last_answer;
    boost::json::object last_event(std::string_view type) const;  // its data, or empty
    int count(std::string_view type) const;
    std::map<std::string, std::string> retained;
    boost::json::object compartment(int number) const;

    memory_store disk;
    cabinet_config config;
    std::unique_ptr<cabinet> core;
    moment now{1'800'000'000'000, 1'000'000};
    bool clock_trusted = true;
    std::string boot = "boot-1";
    std::uint32_t inputs = 0;  // bit set: shut
    std::string epoch;

private:
    void run(const input& in);
    void execute(const effect& e);
    std::vector<input> waiting_;
    bool running_ = false;
    int starts_ = 0;
    int boots_ = 1;
    int ids_ = 0;
    int rosters_ = 0;
    std::uint64_t entries_ = 0;
    std::string wanted_id_;
    boost::json::object reply_;
};

inline std::string code_of(const boost::json::object& reply) {
    const auto* e = reply.if_contains("error");
    return e == nullptr ? "" : std::string(e->at("code").as_string());
}
inline bool ok(const boost::json::object& reply) {
    const auto* v = reply.if_contains("ok");
    return v != nullptr && v->as_bool();
}

// The one who took or put something shuts the door after two seconds.
inline void shut(bench& b, int n) {
    b.pass(2000);
    b.door(n, false);
    b.pass(2000);
}

inline boost::json::object member(std::string_view number, boost::json::array permits) {
    return {{"number", number}, {"sub", "g-" + std::string(number)}, {"permits", std::move(permits)}};
}

// A ring's key; and the root's command that replaces the ring.
boost::json::object jwk(std::string_view kid, std::string_view seed_hex, boost::json::array acts);
boost::json::object ring(bench& b, int version, boost::json::array keys, const boost::json::object& more_claims = {});

}  // namespace test_bench
