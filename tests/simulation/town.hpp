// One simulated cabinet and everybody around it: a portal, residents, staff, an attacker, and faults that come and go.
// A seed decides all of it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/grant.hpp"
#include "tests/simulation/actor.hpp"
#include "tests/simulation/process.hpp"

namespace sim {

struct town_options {
    std::uint64_t seed = 1;
    std::int64_t days = 2;
    bool faults = true;               // off: the plain story alone
    std::vector<std::uint64_t> cuts;  // port calls at which the power goes
    bool tell = false;
    bool story_only = false;  // one story with fixed times, for the exhaustive cuts
};

struct town_result {
    std::uint64_t hash = 0;
    std::uint64_t port_calls = 0;
    std::uint64_t openings = 0;
    std::uint64_t stories = 0;
    std::int64_t days = 0;
    std::map<std::string, std::uint64_t> met;
    std::string violation;  // empty: none
    std::deque<std::string> trace;
};

[[nodiscard]] town_result run_town(const town_options& options);

}  // namespace sim
