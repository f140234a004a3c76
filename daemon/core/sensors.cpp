#include "daemon/core/sensors.hpp"

namespace locker::core {
namespace {

// A lamp that flickers is no failure; whoever opens the cabinet's inside may shut it at once.
constexpr std::int64_t mains_rest = second;
constexpr std::int64_t tamper_rest = 100;

std::string_view word_of(sensor_kind kind, bool trouble) {
    return kind == sensor_kind::mains ? (trouble ? "lost" : "present") : (trouble ? "open" : "closed");
}

}  // namespace

std::string_view name(sensor_kind kind) {
    return kind == sensor_kind::mains ? "mains" : "tamper";
}

void advance_sensors(work& w) {
    for (const auto& wired : w.config.sensors) {
        const auto reads = w.s.l.sensors.find(wired.kind);
        if (reads == w.s.l.sensors.end() || !reads->second.known) {
            continue;
        }
        const bool trouble = reads->second.open;
        auto& told = w.s.d.sensors[wired.kind];
        const std::int64_t rest = trouble && wired.kind == sensor_kind::tamper ? tamper_rest : mains_rest;
        if (trouble == told.trouble || (!reads->second.first && !w.due(reads->second.since + rest))) {
            continue;
        }
        told = {trouble, w.wall};
        event_data data;
        data.input = std::string(name(wired.kind));
        data.state = std::string(word_of(wired.kind, trouble));
        w.say(event_type::input_changed, "input/" + *data.input, data);
    }
}

}  // namespace locker::core
