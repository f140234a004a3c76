#include "daemon/core/timekeeping.hpp"

#include "protocol/code.hpp"

namespace locker::core {
namespace {

// No cabinet of this software lived before: the lowest time ever judged.
constexpr std::int64_t first_day_ms = 1767225600000;  // 2026-01-01

// Time as a signature told it last, running on; 0: none did.
std::int64_t told_now(const meta& m, std::int64_t age) {
    return m.told_ms == 0 ? 0 : m.told_ms + (age - m.told_age);
}

}  // namespace

std::int64_t floor_now(const meta& m, std::int64_t age) {
    const std::int64_t on = age - m.floor_age;
    return std::max(m.floor_ms, first_day_ms) + (m.slow ? on / 2 : on);
}

bool lies_behind(const state& s, moment now, std::int64_t age) {
    return s.l.clock_trusted && s.d.m.floor_ms != 0 && now.wall_ms + minute < floor_now(s.d.m, age);
}

bool steps_ahead(const state& s, moment now, std::int64_t age) {
    const auto& m = s.d.m;
    return s.l.clock_trusted && m.told_ms != 0 && now.wall_ms > told_now(m, age) + day;
}

bool clock_tells(const state& s, moment now, std::int64_t age) {
    return s.l.clock_trusted && !lies_behind(s, now, age);
}

std::int64_t judged_time(const state& s, moment now, std::int64_t age) {
    const std::int64_t floor = floor_now(s.d.m, age);
    return clock_tells(s, now, age) ? std::max(now.wall_ms, floor) : std::max(floor, told_now(s.d.m, age));
}

void keep_time(state& s, moment now, std::int64_t age) {
    auto& m = s.d.m;
    const std::int64_t floor = floor_now(m, age);
    const bool raises = s.l.clock_trusted && !steps_ahead(s, now, age);
    if (raises && (now.wall_ms >= floor || m.floor_ms == 0)) {
        m.floor_ms = std::max(now.wall_ms, first_day_ms);
        m.floor_age = age;
        m.slow = false;
        if (m.told_ms == 0) {  // the first time that this cabinet ever knew
            m.told_ms = m.floor_ms;
            m.told_age = age;
        }
    } else if (m.floor_ms != 0 && m.slow != raises) {
        m.floor_ms = floor;
        m.floor_age = age;
        m.slow = raises;
    }
}

void signed_time(work& w, std::int64_t iat_s) {
    auto& m = w.s.d.m;
    const std::int64_t iat_ms = iat_s * 1000;
    constexpr std::int64_t confirms = 5 * minute;
    if (w.s.l.clock_trusted && iat_ms + confirms >= w.now.wall_ms) {
        m.away_ms = 0;
    }
    if (iat_ms > told_now(m, w.age)) {
        m.told_ms = iat_ms;
        m.told_age = w.age;
        keep_time(w.s, w.now, w.age);  // a clock that had run ahead may be believed now
        w.wall = judged_time(w.s, w.now, w.age);
    }
}

void lower_floor(work& w) {
    auto& m = w.s.d.m;
    const std::int64_t before = w.wall;
    m.floor_ms = w.now.wall_ms;
    m.floor_age = w.age;
    m.slow = false;
    m.told_ms = w.now.wall_ms;
    m.told_age = w.age;
    w.wall = judged_time(w.s, w.now, w.age);
    // What was used in the time that never was stays known until that time has really come, and is over.
    m.grants_kept_until = std::max(m.grants_kept_until, w.age + (before - w.wall) + 31 * day);
    for (auto& [number, record] : w.s.d.staff) {
        record.forgotten = std::min(record.forgotten, w.wall / 1000 / totp_period_s);
    }
    event_data data;
    data.step_ms = w.wall - before;
    w.say(event_type::clock_stepped, "", data);
}

}  // namespace locker::core
