// The simulation's program: seeds, one seed, exhaustive cuts of the main story, pairs of cuts.
#include <fmt/format.h>

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <ctime>
#include <fstream>
#include <iostream>
#include <sstream>

#include "hal/ports/canary.hpp"
#include "tests/simulation/odds.hpp"
#include "tests/simulation/town.hpp"

namespace {

std::size_t lines = 60;  // of the trace of a failure

// Whatever ends the program in the middle of a seed, or does not end: which seed it was is told.
volatile std::sig_atomic_t broke = 0;
std::string going_on;

void told(int) {
    if (broke == 0) {
        broke = 1;
        static constexpr std::string_view what = "VIOLATION the program broke, or did not end in time\nagain: ";
        (void)!write(STDOUT_FILENO, what.data(), what.size());
        (void)!write(STDOUT_FILENO, going_on.data(), going_on.size());
        (void)!write(STDOUT_FILENO, "\n", 1);
    }
    _exit(70);
}

sim::town_result run_town(const sim::town_options& o, const std::string& again) {
    constexpr unsigned longest_s = 600;  // a seed takes a tenth of a second; with sanitizers or ten years some minutes
    going_on = again;
    alarm(longest_s);
    auto out = sim::run_town(o);
    alarm(0);
    return out;
}

struct totals {
    std::uint64_t runs = 0;
    std::uint64_t stories = 0;
    std::uint64_t openings = 0;
    std::int64_t days = 0;
    std::uint64_t hash = 0;  // over all calls of ports of all runs, in order
    std::map<std::string, std::uint64_t> met;
    void add(const sim::town_result& r) {
        ++runs;
        stories += r.stories;
        openings += r.openings;
        days += r.days;
        hash = hash * 0x100000001B3U ^ r.hash;
        for (const auto& [what, n] : r.met) {
            met[what] += n;
        }
    }
    [[nodiscard]] std::string json(double seconds) const {
        boost::json::object seen;
        for (const auto& [what, n] : met) {
            seen[what] = n;
        }
        return boost::json::serialize(boost::json::object{{"seeds", runs},
                                                          {"cabinet_days", days},
                                                          {"stories", stories},
                                                          {"openings", openings},
                                                          {"cpu_seconds", seconds},
                                                          {"hash", fmt::format("{:016x}", hash)},
                                                          {"met", seen}});
    }
};

#ifdef LOCKER_CANARIES
struct sickness {
    locker::canary what;
    const char* name;
    const char* found_as;  // the invariants whose check may find it
};
constexpr sickness sicknesses[] = {
    {locker::canary::pulse_before_commit, "pulse before commit", "I1"},
    {locker::canary::pulse_on_boot, "pulse on boot", "I2"},
    {locker::canary::expired_grants_open, "expired grants open", "I3"},
    {locker::canary::two_outcomes, "two outcomes", "I4"},
    {locker::canary::mark_without_ack, "outbox mark without acknowledgement", "I5"},
    {locker::canary::throttle_in_memory, "throttle kept in memory", "I6"},
    {locker::canary::grants_used_twice, "grants used twice", "I6"},
    {locker::canary::chain_starts_anew, "chain starts anew", "I7"},
    {locker::canary::sync_normal, "WAL with synchronous=NORMAL", "I5"},
    {locker::canary::failed_commit_ignored, "failed commit ignored", "I1 I5 I7 I8"},
    {locker::canary::coil_on_for_a_minute, "coil on for a minute", "I9"},
    {locker::canary::suspected_is_vacant, "suspected is vacant", "I10"},
    {locker::canary::bounce_counts_as_taken, "bounce counts as taken", "I10 I11"},
    {locker::canary::overdue_is_given_up, "overdue deposits are given up", "I10 I11"},
    {locker::canary::any_channel, "grants open over the other channel", "I3"},
    {locker::canary::old_epochs_open, "grants of an earlier start open", "I3"},
    {locker::canary::code_not_spent, "code not spent", "I2"},
    {locker::canary::lock_out_spares_right_codes, "a lock-out spares right codes", "I3"},
    {locker::canary::guesses_at_a_door_are_free, "guesses at a door are free", "I6"},
    {locker::canary::jammed_is_called_opened, "jammed is called opened", "I4"},
    {locker::canary::relays_not_dropped, "relays are not dropped", "I9"},
    {locker::canary::release_forgotten, "the release of a coil is forgotten", "I9"},
    {locker::canary::revoked_issues_open, "revoked issues open", "I2 I3"},
    {locker::canary::revoked_grants_open, "revoked grants open", "I3"},
    {locker::canary::revoked_keys_sign, "revoked keys sign", "I3"},
    {locker::canary::suspended_staff_enter, "suspended staff enter", "I3"},
    {locker::canary::old_staff_codes_enter, "staff codes of another time enter", "I3"},
    {locker::canary::sessions_never_end, "sessions never end", "I3"},
    {locker::canary::spent_codes_forgotten, "spent codes are forgotten at a restart", "I2 I6"},
    {locker::canary::staff_codes_used_twice, "staff codes used twice", "I6"},
    {locker::canary::suspension_in_memory, "suspensions kept in memory", "I3 I6"},
    {locker::canary::unpublished_rows_leave, "rows leave before they are published", "I5"},
};

// Each deliberate defect must be found within so many seeds, by the check of its own invariant.
int canaries(std::uint64_t within, std::int64_t days) {
    int missed = 0;
    for (const auto& s : sicknesses) {
        locker::sick_with = s.what;
        std::string found;
        std::uint64_t seed = 0;
        while (found.empty() && seed < within) {
            sim::town_options o;
            o.seed = ++seed;
            o.days = days;
            const auto r = sim::run_town(o);
            const auto invariant = r.violation.substr(0, r.violation.find(' '));
            if (!invariant.empty() &&
                (" " + std::string(s.found_as) + " ").find(" " + invariant + " ") != std::string::npos) {
                found = r.violation;
            }
        }
        std::cout << fmt::format("{:36} {}\n", s.name,
                                 found.empty() ? fmt::format("NOT FOUND within {} seeds", within)
                                               : fmt::format("seed {:4}: {}", seed, found))
                  << std::flush;
        missed += found.empty() ? 1 : 0;
    }
    std::cout << fmt::format("{} deliberate defects, {} found, each within {} seeds\n", std::size(sicknesses),
                             std::size(sicknesses) - static_cast<std::size_t>(missed), within);
    return missed == 0 ? 0 : 1;
}
#endif

void print_end(const std::deque<std::string>& trace) {
    const std::size_t skip = trace.size() > lines ? trace.size() - lines : 0;
    for (std::size_t i = skip; i < trace.size(); ++i) {
        std::cout << "  " << trace[i] << "\n";
    }
}

int failed(sim::town_options o, const sim::town_result& r, const std::string& replay) {
    o.tell = true;
    const auto again = run_town(o, "scripts/simulate " + replay);
    std::cout << "VIOLATION " << r.violation << "\nworld: " << r.world << "\n";
    print_end(again.trace);
    std::cout << "again: scripts/simulate " << replay
              << (again.violation == r.violation ? "" : "\nNOT REPRODUCED: " + again.violation) << "\n";
    return 1;
}

// The main story with the power cut at every call of a port, and with pairs of cuts.
int cut_story(std::uint64_t first, bool every, std::uint64_t pairs, const std::vector<std::uint64_t>& only) {
    sim::town_options plain;
    plain.seed = first;
    plain.faults = false;
    plain.story_only = true;
    const auto whole = run_town(plain, "scripts/simulate --cuts");
    if (!whole.violation.empty()) {
        return failed(plain, whole, "--cuts");
    }
    std::uint64_t runs = 0;
    const auto run = [&](const std::vector<std::uint64_t>& at) {
        auto o = plain;
        o.cuts = at;
        const auto again = fmt::format("--cut {} --seed {}", fmt::join(at, " "), first);
        const auto r = run_town(o, "scripts/simulate " + again);
        ++runs;
        return r.violation.empty() ? 0 : failed(o, r, again);
    };
    if (!only.empty()) {
        if (only.front() < 1 || only.front() > whole.port_calls) {
            std::cerr << fmt::format("--cut: the story makes calls 1 to {}\n", whole.port_calls);
            return 64;
        }
        const int code = run(only);
        if (code == 0) {
            std::cout << fmt::format("the main story with the power cut at {}: nothing is wrong\n",
                                     fmt::join(only, " and "));
        }
        return code;
    }
    for (std::uint64_t at = 1; every && at <= whole.port_calls; ++at) {
        if (run({at}) != 0) {
            return 1;
        }
    }
    sim::chance_source rng(first);
    for (std::uint64_t i = 0; i < pairs; ++i) {
        const auto at = static_cast<std::uint64_t>(rng.between(1, static_cast<std::int64_t>(whole.port_calls)));
        if (run({at, at + static_cast<std::uint64_t>(rng.between(1, 60))}) != 0) {
            return 1;
        }
    }
    std::cout << fmt::format("{} runs of the main story, {} calls of ports each, none wrong\n", runs, whole.port_calls);
    return 0;
}

std::vector<std::uint64_t> listed(const std::string& file) {
    std::vector<std::uint64_t> out;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        std::uint64_t seed = 0;  // a line is a seed, and what it once found
        if (std::istringstream(line) >> seed) {
            out.push_back(seed);
        }
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Simulated cabinets in a faulty world: the production core, engine, bus master and store, audited."};
    std::uint64_t first = 1;
    std::uint64_t count = 1;
    std::int64_t days = 2;
    bool tell = false;
    bool coverage = false;
    bool json = false;
    bool cuts = false;
    bool calm = false;
    bool twice = false;
    std::uint64_t pairs = 0;
    std::vector<std::uint64_t> cut_at;
    std::string regressions;
    bool odds = false;
    std::vector<std::string> must_meet;
    app.add_option("--seed", first, "The first seed")->capture_default_str();
    app.add_option("--seeds", count, "How many")->capture_default_str();
    app.add_option("--days", days, "Days of trouble in each world")->capture_default_str()->check(CLI::Range(1, 3650));
    app.add_flag("--calm", calm, "No faults and nobody who means ill: the same town on good days");
    app.add_option("--regressions", regressions, "The seeds that this file lists: those that once found something")
        ->check(CLI::ExistingFile);
    app.add_flag("--twice", twice, "Each seed twice: the hash over all calls of ports must be the same");
    app.add_flag("--cuts", cuts, "The main story with the power cut at every call of a port, one run each");
    app.add_option("--pairs", pairs, "As many runs of the main story with two cuts, the second in recovery");
    app.add_option("--cut", cut_at, "The main story with the power cut at these calls");
    app.add_flag("--odds", odds, "How often a guess opens a door: a year of guesses, and codes drawn at random");
    app.add_flag("--tell", tell, "Print the last things that happened in each world");
    app.add_option("--lines", lines, "How many of them")->capture_default_str();
    app.add_flag("--coverage", coverage, "Print which faults and states were met, and how often");
    app.add_option("--must-meet", must_meet, "Each of these of --coverage must have been met, or it is a violation");
    app.add_flag("--json", json, "Print the totals as one JSON object");
#ifdef LOCKER_CANARIES
    std::uint64_t within = 0;
    app.add_option("--canaries", within, "Every deliberate defect must be found within so many seeds");
#endif
    app.footer(
        "Exit code: 0 nothing is wrong, 1 a violation: its seed, the last events and how to replay it are printed.");
    CLI11_PARSE(app, argc, argv);
    for (const int which : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGALRM}) {
        (void)std::signal(which, told);
    }

#ifdef LOCKER_CANARIES
    if (within > 0) {
        return canaries(within, days);
    }
#endif
    if (odds) {
        const auto said = sim::odds(first);
        std::cout << said;
        return said.starts_with("VIOLATION") ? 1 : 0;
    }
    if (cuts || pairs > 0 || !cut_at.empty()) {
        return cut_story(first, cuts, pairs, cut_at);
    }
    std::vector<std::uint64_t> seeds;
    if (!regressions.empty()) {
        seeds = listed(regressions);
    }
    for (std::uint64_t s = first; regressions.empty() && s < first + count; ++s) {
        seeds.push_back(s);
    }
    totals all;
    const std::clock_t began = std::clock();
    for (const auto s : seeds) {
        sim::town_options o;
        o.seed = s;
        o.days = days;
        o.tell = tell;
        o.faults = !calm;
        const auto again = fmt::format("--seed {} --days {}{}", s, days, calm ? " --calm" : "");
        const auto r = run_town(o, "scripts/simulate " + again);
        all.add(r);
        if (!r.violation.empty()) {
            return failed(o, r, again);
        }
        if (twice && run_town(o, "scripts/simulate " + again).hash != r.hash) {
            std::cout << "VIOLATION seed " << s << " gives another hash the second time\n";
            return 1;
        }
        if (tell) {
            std::cout << "world: " << r.world << "\n";
            print_end(r.trace);
        }
    }
    for (const auto& what : must_meet) {
        if (all.met[what] == 0) {
            std::cout << "VIOLATION " << what << " was never met\n";
            return 1;
        }
    }
    const double took = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;  // of one core
    if (json) {
        std::cout << all.json(took) << "\n";
        return 0;
    }
    std::cout << fmt::format(
        "{} seeds, {} cabinet-days, {} stories, {} openings, hash {:016x}\n"
        "{:.1f} s of one core: {:.0f} cabinet-days a second\n",
        all.runs, all.days, all.stories, all.openings, all.hash, took, static_cast<double>(all.days) / took);
    if (coverage) {
        for (const auto& [what, n] : all.met) {
            std::cout << fmt::format("{:12}  {}\n", n, what);
        }
    }
    return 0;
}
