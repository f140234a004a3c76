// The simulation's program: seeds, one seed, exhaustive cuts of the main story, pairs of cuts.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>

#include "hal/ports/canary.hpp"
#include "tests/simulation/town.hpp"

namespace {

std::size_t lines = 60;  // of the trace of a failure

struct totals {
    std::uint64_t runs = 0;
    std::uint64_t stories = 0;
    std::uint64_t openings = 0;
    std::int64_t days = 0;
    std::map<std::string, std::uint64_t> met;
    void add(const sim::town_result& r) {
        ++runs;
        stories += r.stories;
        openings += r.openings;
        days += r.days;
        for (const auto& [what, n] : r.met) {
            met[what] += n;
        }
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

int failed(sim::town_options o, const sim::town_result& r, const std::string& replay) {
    o.tell = true;
    const auto again = sim::run_town(o);
    std::cout << "\nVIOLATION " << r.violation << "\n";
    std::size_t skip = again.trace.size() > lines ? again.trace.size() - lines : 0;
    for (const auto& line : again.trace) {
        if (skip > 0) {
            --skip;
            continue;
        }
        std::cout << "  " << line << "\n";
    }
    std::cout << "replay: " << replay << (again.violation == r.violation ? "" : "\nNOT REPRODUCED: " + again.violation)
              << "\n";
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Simulated cabinets in a faulty world: the production core, engine, bus master and store, audited."};
    std::uint64_t first = 1;
    std::uint64_t seeds = 300;
    std::int64_t days = 2;
    bool one = false;
    bool tell = false;
    bool coverage = false;
    bool cuts = false;
    bool calm = false;
    std::uint64_t pairs = 0;
    std::vector<std::uint64_t> cut_at;
    app.add_option("--lines", lines, "How much of a failure's trace is printed")->capture_default_str();
#ifdef LOCKER_CANARIES
    std::uint64_t within = 0;
    app.add_option("--canaries", within, "Every deliberate defect must be found within so many seeds");
#endif
    std::string regressions;
    app.add_option("--regressions", regressions, "Run the seeds that this file lists: those that once found something")
        ->check(CLI::ExistingFile);
    auto* seed = app.add_option("--seed", first, "Run this seed alone, or the first of --seeds");
    auto* count = app.add_option("--seeds", seeds, "How many seeds")->capture_default_str();
    app.add_option("--days", days, "Days of trouble in each world")->capture_default_str()->check(CLI::Range(1, 3650));
    app.add_flag("--tell", tell, "Print the last things that happened, and the run's hash");
    app.add_flag("--coverage", coverage, "Print which faults and states were met, and how often");
    app.add_flag("--calm", calm, "No faults and nobody who means ill: the same town on good days");
    app.add_flag("--cuts", cuts, "The main story with the power cut at every call of a port, one run each");
    app.add_option("--pairs", pairs, "As many runs of the main story with two cuts, the second in recovery");
    app.add_option("--cut", cut_at, "With --cuts: only at these calls");
    CLI11_PARSE(app, argc, argv);
    one = seed->count() > 0 && count->count() == 0;

#ifdef LOCKER_CANARIES
    if (within > 0) {
        return canaries(within, days);
    }
#endif
    totals all;
    const auto began = std::chrono::steady_clock::now();
    if (cuts || pairs > 0 || !cut_at.empty()) {
        sim::town_options plain;
        plain.seed = first;
        plain.faults = false;
        plain.story_only = true;
        const auto whole = sim::run_town(plain);
        if (!whole.violation.empty()) {
            return failed(plain, whole, "--cuts");
        }
        const auto run = [&](const std::vector<std::uint64_t>& at) {
            auto o = plain;
            o.cuts = at;
            const auto r = sim::run_town(o);
            all.add(r);
            return r.violation.empty() ? 0 : failed(o, r, fmt::format("--cut {} --seed {}", fmt::join(at, " "), first));
        };
        if (!cut_at.empty()) {
            return run(cut_at);
        }
        for (std::uint64_t at = 1; cuts && at <= whole.port_calls; ++at) {
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
        std::cout << fmt::format("{} runs of the main story, {} calls of ports each, none wrong\n", all.runs,
                                 whole.port_calls);
    } else if (!regressions.empty()) {
        std::ifstream file(regressions);
        for (std::string line; std::getline(file, line);) {
            if (line.empty() || line.front() == '#') {
                continue;
            }
            sim::town_options o;
            o.seed = std::stoull(line);  // a line is a seed, and what it once found
            o.days = days;
            const auto r = sim::run_town(o);
            all.add(r);
            if (!r.violation.empty()) {
                return failed(o, r, fmt::format("--seed {} --days {}", o.seed, days));
            }
        }
        std::cout << fmt::format("{} seeds that once found something: none does\n", all.runs);
    } else {
        const std::uint64_t last = one ? first : first + seeds - 1;
        for (std::uint64_t s = first; s <= last; ++s) {
            sim::town_options o;
            o.seed = s;
            o.days = days;
            o.tell = tell;
            o.faults = !calm;
            const auto r = sim::run_town(o);
            all.add(r);
            if (!r.violation.empty()) {
                return failed(o, r, fmt::format("--seed {} --days {}", s, days));
            }
            if (tell) {
                for (const auto& line : r.trace) {
                    std::cout << line << "\n";
                }
            }
            if (one || tell) {
                std::cout << fmt::format("seed {} hash {:016x}\n", s, r.hash);
            } else if (s % 100 == 0) {
                std::cerr << fmt::format("\r{} seeds, {} cabinet-days ", s - first + 1, all.days) << std::flush;
            }
        }
        const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        std::cout << fmt::format(
            "\n{} seeds, {} cabinet-days, {} stories, {} openings in {:.1f} s: {:.0f} cabinet-days a second and core\n",
            all.runs, all.days, all.stories, all.openings, took, static_cast<double>(all.days) / took);
    }
    if (coverage) {
        for (const auto& [what, n] : all.met) {
            std::cout << fmt::format("{:12}  {}\n", n, what);
        }
    }
    return 0;
}
