// How early a lock that wears is called worn, and how often a healthy one is: `scripts/bench locks`. JSON.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/bench/lock_model.hpp"

int main(int argc, char** argv) {
    const int seeds = argc > 1 ? std::atoi(argv[1]) : 1000;
    const int years = argc > 2 ? std::atoi(argv[2]) : 10'000;
    int told = 0;
    int before_retry = 0;
    int jammed = 0;
    std::vector<double> lead;
    for (int s = 1; s <= seeds; ++s) {
        lock_model::chance c(static_cast<std::uint64_t>(s));
        const auto l = lock_model::drawn(c, true);
        const auto o = lock_model::live(l, c, 36'500);
        jammed += o.jam_at >= 0 ? 1 : 0;
        const bool early = o.told_at >= 0 && (o.jam_at < 0 || o.told_at < o.jam_at);
        told += early ? 1 : 0;
        before_retry += early && (o.retry_at < 0 || o.told_at < o.retry_at) ? 1 : 0;
        if (early && o.jam_at >= 0) {
            lead.push_back(static_cast<double>(o.jam_at - o.told_at) / static_cast<double>(o.jam_at));
        }
    }
    std::sort(lead.begin(), lead.end());
    long alarms = 0;
    long long cycles = 0;
    for (int s = 1; s <= years; ++s) {
        lock_model::chance c(1'000'000 + static_cast<std::uint64_t>(s));
        const auto l = lock_model::drawn(c, false);
        const auto o = lock_model::live(l, c, 365);
        alarms += o.alarms;
        cycles += o.cycles;
    }
    const double median = lead.empty() ? 0 : lead[lead.size() / 2];
    const double tenth = lead.empty() ? 0 : lead[lead.size() / 10];
    std::printf(
        "{\"worn_locks\":%d,\"jammed\":%d,\"told_before_the_first_jam\":%d,\"told_before_the_first_retry\":%d,"
        "\"lead_median\":%.3f,\"lead_tenth\":%.3f,\"healthy_lock_years\":%d,\"healthy_cycles\":%lld,"
        "\"false_alarms\":%ld}\n",
        seeds, jammed, told, before_retry, median, tenth, years, cycles, alarms);
    return 0;
}
