// How often a guess opens a door: the core attacked for a year without a pause, and codes drawn against those that are
// really good. The formula and the table stand in docs/security.md.
#include "tests/simulation/odds.hpp"

#include <fmt/format.h>

#include <vector>

#include "protocol/code.hpp"
#include "tests/simulation/town.hpp"

namespace sim {
namespace {

constexpr std::uint64_t codes = 100'000'000;

// Of so many random guesses, how many are a code that opens a door of a cabinet with `deposits` waiting.
std::uint64_t hits(int deposits, std::uint64_t guesses, chance_source& random) {
    std::vector<bool> good(codes);
    locker::key256 key{};
    key.fill(0x5A);
    for (int d = 0; d < deposits; ++d) {
        const auto of = locker::deposit_key(key, fmt::format("odds-{}", d));
        for (std::uint64_t issue = 0; issue < 5; ++issue) {
            good[locker::hotp8(of, issue)] = true;
        }
    }
    std::uint64_t found = 0;
    for (std::uint64_t i = 0; i < guesses; ++i) {
        found += good[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(codes)))] ? 1 : 0;
    }
    return found;
}

}  // namespace

std::string odds(std::uint64_t seed) {
    constexpr int deposits = 24;
    constexpr int slow_capacity = 60;
    constexpr int per_year = 2 * 365;
    town_options o;
    o.seed = seed;
    o.days = 365;
    o.faults = false;
    o.only_guesses = true;
    const auto year = run_town(o);
    if (!year.violation.empty()) {
        return "VIOLATION " + year.violation + "\n";
    }
    const auto met = [&](const char* what) {
        const auto at = year.met.find(what);
        return at == year.met.end() ? std::uint64_t{0} : at->second;
    };
    const auto judged = met("guess.wrong_code") + met("guess.ok");
    chance_source random(seed);
    constexpr std::uint64_t draws = 4 * codes;
    const auto found = hits(deposits, draws, random);
    const double p_formula = 5.0 * deposits / static_cast<double>(codes);
    const double p_drawn = static_cast<double>(found) / static_cast<double>(draws);
    const double n = static_cast<double>(judged);
    return fmt::format(
        "guesses that a cabinet judged in 365 days of one every 10 minutes: {} of {} (formula: {}; ratio {:.2f})\n"
        "a guess opens one of {} deposits: {:.3g} drawn, {} of {} ({:.3g} by formula; ratio {:.2f})\n"
        "chance a cabinet-year: {:.3g} % (docs/security.md: {:.3g} %)\n",
        judged, judged + met("guess.locked_out"), slow_capacity + per_year, n / (slow_capacity + per_year), deposits,
        p_drawn, found, draws, p_formula, p_drawn / p_formula, 100 * n * p_drawn,
        100 * p_formula * (slow_capacity + per_year));
}

}  // namespace sim
