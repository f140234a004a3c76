// A lock's life as its detector may see it, for measuring that detector: it shares nothing with it. One seed, one life.
//
// A latch lets go once its coil has been on for its pull time; the door then swings, and a poll sees it. Seasons and
// nights change grease and springs; people lean on doors; papers stick in the gap; frames are lost. A lock that wears
// wants the coil ever longer, until three pulses are not enough.
#pragma once

#include <cmath>
#include <cstdint>

#include "daemon/core/locks.hpp"

namespace lock_model {

class chance {
public:
    explicit chance(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 0x632BE59BD9B4E019U) {}
    double uniform() {  // splitmix64, 0 … 1
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        return static_cast<double>((z ^ (z >> 31U)) >> 11U) / 9007199254740992.0;
    }
    double between(double low, double high) { return low + (high - low) * uniform(); }
    double bell() { return uniform() + uniform() + uniform() + uniform() - 2; }  // mean 0, σ 0.58

private:
    std::uint64_t state_;
};

struct life {
    double cycles_a_day = 5;
    double pulse_ms = 500;
    double pull_ms = 60;
    double swing_ms = 80;
    double poll_ms = 25;  // the contact's board is read so often while its door is watched
    double season = 0.2;  // of the pull time, either way
    double night = 0.07;
    double worn_cycles = 0;  // 0: healthy; else by then the pull time is that of the pulse …
    double shape = 1;        // … and it grows with this power of the age
};

inline life drawn(chance& c, bool wears) {
    life l;
    l.cycles_a_day = c.between(1, 10);
    l.pulse_ms = c.uniform() < 0.5 ? 500 : 300;
    l.pull_ms = c.between(30, 100);
    l.swing_ms = c.between(40, 200);
    l.poll_ms = c.between(8, 45);
    l.season = c.between(0, 0.25);
    l.worn_cycles = wears ? 3000 : 0;
    l.shape = c.between(1, 4);
    return l;
}

struct outcome {
    std::int64_t cycles = 0;
    std::int64_t told_at = -1;   // the cycle after which it was called worn first; -1: never
    std::int64_t retry_at = -1;  // its first second pulse
    std::int64_t jam_at = -1;
    int alarms = 0;  // how often it became worn
};

// Until its first jam, or for so many days.
inline outcome live(const life& l, chance& c, double days) {
    outcome out;
    locker::core::lock_health lock;
    const double begun = c.between(0, 365);
    for (double day = 0; day < days; day += 1 / l.cycles_a_day) {
        ++out.cycles;
        constexpr double turn = 2 * 3.14159265358979;
        const double weather = 1 + l.season * std::sin((begun + day) / 365 * turn) + l.night * std::sin(day * turn);
        const double age = l.worn_cycles > 0 ? static_cast<double>(out.cycles) / l.worn_cycles : 0;
        const double wear = std::pow(age, l.shape) * (l.pulse_ms - l.pull_ms);
        const bool leans = c.uniform() < 0.01;    // somebody leans on the door, or pulls
        const bool stuck = c.uniform() < 0.0005;  // paper in the gap: the first pulse does nothing
        int pulses = 1;
        double latency = 0;
        for (;; ++pulses) {
            const double pull = (l.pull_ms * weather + wear) * (1 + 0.06 * c.bell());
            const bool opens = pull < l.pulse_ms && !(stuck && pulses == 1);
            latency =
                pull + l.swing_ms * (1 + 0.08 * c.bell()) + c.between(0, l.poll_ms) + (leans ? c.between(50, 900) : 0);
            if (opens) {
                break;
            }
            if (out.retry_at < 0 && !stuck) {
                out.retry_at = out.cycles;
            }
            if (pulses == 3) {
                out.jam_at = out.cycles;
                break;
            }
        }
        const bool before = is_worn(lock);
        if (out.jam_at >= 0) {
            return out;
        }
        learn_opening(lock, static_cast<std::int64_t>(latency), pulses);
        if (is_worn(lock) && !before) {
            ++out.alarms;
            out.told_at = out.told_at < 0 ? out.cycles : out.told_at;
        }
    }
    return out;
}

}  // namespace lock_model
