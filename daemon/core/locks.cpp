#include "daemon/core/locks.hpp"

#include <boost/json.hpp>

#include "protocol/timestamp.hpp"

namespace locker::core {
namespace {

constexpr std::int64_t us = 1000;  // in a millisecond

// Openings from which a lock's usual latency is learnt.
constexpr std::int64_t learning = 32;
// The recent latency is that of the last sixteen openings or so.
constexpr std::int64_t recent_of = 16;

// A cumulative sum (Page 1954) of what each opening took beyond 1.4 of the usual, in thousandths of the usual. Below it
// are the seasons (cold grease, cold springs: a quarter either way) and the line's turns; one hand that leans on a door
// counts no more than a whole usual.
constexpr std::int64_t allowance = 400;
constexpr std::int64_t least_allowance_us = 40 * us;  // a quick lock on a slow line: its polls alone differ by so much
constexpr std::int64_t most_at_once = 1000;
constexpr std::int64_t retry_counts = 1500;
constexpr std::int64_t jam_counts = 2500;
constexpr std::int64_t worn_at = 5000;
constexpr std::int64_t sum_at_most = 10'000;  // a lock that was mended is not called worn for ever

void add(lock_health& lock, std::int64_t what) {
    lock.sum = std::clamp<std::int64_t>(lock.sum + what, 0, sum_at_most);
    if (lock.sum >= worn_at) {
        lock.worn = true;
    } else if (lock.sum == 0) {
        lock.worn = false;
    }
}

}  // namespace

void learn_opening(lock_health& lock, std::int64_t latency_ms, int pulses) {
    ++lock.cycles;
    const std::int64_t retries = std::max(0, pulses - 1);
    lock.retries += retries;
    if (retries > 0) {
        add(lock, retries * retry_counts);
        return;  // how long it takes after the last of several pulses says little
    }
    if (latency_ms < 0) {
        return;
    }
    const std::int64_t took = latency_ms * us;
    if (lock.learnt < learning) {
        // One hand on the door while it is learnt must not make every later opening look quick.
        const std::int64_t counts = lock.learnt < 4 ? took : std::min(took, 2 * lock.usual_us);
        lock.usual_us = (lock.usual_us * lock.learnt + counts) / (lock.learnt + 1);
        ++lock.learnt;
        lock.recent_us = lock.usual_us;
        return;
    }
    lock.recent_us += (std::min(took, 3 * lock.usual_us) - lock.recent_us) / recent_of;
    const std::int64_t usual = std::max<std::int64_t>(1, lock.usual_us);
    const std::int64_t over = took - usual - std::max(usual * allowance / 1000, least_allowance_us);
    add(lock, std::clamp(over * 1000 / usual, -most_at_once, most_at_once));
}

void learn_jam(lock_health& lock, int pulses) {
    ++lock.jams;
    lock.retries += std::max(0, pulses - 1);
    add(lock, jam_counts);
}

bool is_worn(const lock_health& lock) {
    return lock.worn;
}

void say_wear(work& w, int compartment) {
    auto& lock = w.s.d.locks[compartment];
    if (lock.worn == lock.said) {
        return;
    }
    lock.said = lock.worn;
    lock.said_ms = w.wall;
    event_data data;
    data.compartment = compartment;
    data.recent_ms = lock.recent_us / us;
    data.usual_ms = lock.usual_us / us;
    data.retries = lock.retries;
    if (!lock.worn) {
        data.recovered = true;
    }
    w.say(event_type::lock_worn, subject_of(compartment), data);
}

std::string health_json(const work& w) {
    boost::json::array out;
    for (const auto& [n, c] : w.s.d.compartments) {
        const auto at = w.s.d.locks.find(n);
        const lock_health lock = at == w.s.d.locks.end() ? lock_health{} : at->second;
        boost::json::object o{{"compartment", n},
                              {"lock", locker::name(c.lock)},
                              {"worn", lock.worn},
                              {"cycles", lock.cycles},
                              {"retries", lock.retries},
                              {"jams", lock.jams},
                              {"bounces", lock.bounces},
                              {"learning", lock.learnt < learning},
                              {"usual_ms", lock.usual_us / us},
                              {"recent_ms", lock.recent_us / us},
                              {"wear", lock.sum * 100 / worn_at}};
        if (lock.said) {
            o["since"] = format_time(lock.said_ms);
        }
        out.push_back(std::move(o));
    }
    return serialize(out);
}

}  // namespace locker::core
