#include "daemon/app/front_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "protocol/limits.hpp"
#include "protocol/topic.hpp"

namespace locker {

const bus_board* wired_channels::check(section& s, std::string_view key, const section::channel_of& c,
                                       bool relay) const {
    const auto at = boards.find(c.board);
    if (at == boards.end()) {
        s.wrong(key, fmt::format("there is no [[board]] \"{}\"", c.board));
        return nullptr;
    }
    const auto& p = at->second.first.profile;
    const int have = relay ? p.relays : p.inputs;
    if (c.channel > have && !p.name.empty()) {
        s.wrong(key, fmt::format("channel {} is outside of board \"{}\": {} has {} {}", c.channel, c.board, p.name,
                                 have, relay ? "relays" : "inputs"));
        return nullptr;
    }
    return &at->second.first;
}

void wired_channels::claim_relay(section& s, const section::channel_of& relay, const std::string& whose) {
    const auto [at, fresh] = relays.emplace(std::pair(relay.board, relay.channel), whose);
    if (!fresh) {
        s.wrong("relay", fmt::format("{} is on this channel already", at->second));
    }
}

int read_baud(section& s) {
    const auto baud = s.number("baud", false, 1200, 115200).value_or(9600);
    constexpr std::array<int, 7> rates{1200, 2400, 4800, 9600, 19200, 38400, 115200};
    if (std::find(rates.begin(), rates.end(), baud) == rates.end()) {
        s.wrong("baud", "1200, 2400, 4800, 9600, 19200, 38400 or 115200 is wanted");
    }
    return static_cast<int>(baud);
}

namespace {

void read_inputs(section& root, const path_of& path, settings& out) {
    std::set<std::string> names;
    for (auto& s : root.tables("input")) {
        input_settings in;
        in.name = s.text("name", true).value_or("");
        if (!in.name.empty() && (!is_name(in.name) || !names.insert(in.name).second)) {
            s.wrong("name", is_name(in.name) ? fmt::format("input \"{}\" stands twice", in.name)
                                             : "1 to 64 of A-Z a-z 0-9 _ - are wanted");
        }
        in.kind = static_cast<input_kind>(s.choice("kind", {"keypad", "scanner"}, true).value_or(0));
        const auto device = s.text("device", false, 4096);
        const auto serial = s.text("serial", false, 4096);
        if (device.has_value() == serial.has_value()) {
            s.wrong(device ? "serial" : "device",
                    "either device = \"/dev/input/by-id/…-event-kbd\" or, for a scanner, serial = \"/dev/…\" is "
                    "wanted");
        }
        in.device = device ? path(*device) : "";
        in.serial = serial ? path(*serial) : "";
        if (serial && in.kind == input_kind::keypad) {
            s.wrong("serial", "a keypad is a USB-HID keyboard: device is wanted");
        }
        for (const auto& other : out.front.inputs) {
            if (other.device == in.device && other.serial == in.serial && device.has_value() != serial.has_value()) {
                s.wrong(device ? "device" : "serial", fmt::format("input \"{}\" reads it already", other.name));
            }
        }
        for (const auto& bus : out.buses) {
            if (serial && bus.line.device == in.serial) {
                s.wrong("serial", fmt::format("bus \"{}\" uses this line", bus.line.name));
            }
        }
        for (const auto* key : {"baud", "model", "trigger_ms"}) {
            if (device && s.has(key)) {
                s.wrong(key, fmt::format("{} belongs to a serial scanner", key));
            }
        }
        if (serial && s.has("layout")) {
            s.wrong("layout", "layout belongs to a USB-HID keyboard");
        }
        in.layout = static_cast<key_layout>(s.choice("layout", {"us", "de", "fr"}, false).value_or(0));
        in.baud = read_baud(s);
        in.gm65 = s.choice("model", {"plain", "gm65"}, false).value_or(0) == 1;
        in.trigger_ms = s.number("trigger_ms", false, 500, 60'000).value_or(0);
        if (in.trigger_ms > 0 && !in.gm65) {
            s.wrong("trigger_ms", "only model = \"gm65\" can be told to scan");
        }
        s.no_others();
        out.front.inputs.push_back(std::move(in));
    }
}

// Milliseconds on, off, on …
signal_pattern read_pattern(section& s, std::string_view key, const signal_pattern& otherwise,
                            const board_profile* profile) {
    const auto given = s.numbers(key, 0, 2000, 9);
    signal_pattern p = given.value_or(otherwise);
    if (!p.empty() && p.size() % 2 == 0) {
        p.pop_back();  // a pause at the end
    }
    for (std::size_t i = 0; profile != nullptr && i < p.size(); ++i) {
        const std::int64_t unit = std::max<std::int64_t>(1, profile->pulse_unit_ms);
        const bool lit = i % 2 == 0;
        if (lit && !given) {
            p[i] = (p[i] + unit - 1) / unit * unit;
        } else if (lit && (p[i] < 20 || p[i] % unit != 0)) {
            s.wrong(key, fmt::format("{}: {} switches on for at least 20 ms and in steps of {} ms", p[i], profile->name,
                                     unit));
        }
        if (lit && profile->longest_pulse_ms() > 0 && p[i] > profile->longest_pulse_ms()) {
            s.wrong(key, fmt::format("{}: {} switches on for {} ms at most", p[i], profile->name,
                                     profile->longest_pulse_ms()));
        }
    }
    return p;
}

void read_sensors(section& root, const wired_channels& wired, settings& out) {
    std::map<std::pair<std::string, int>, std::string> taken;
    for (auto& s : root.tables("sensor")) {
        core::sensor_config c;
        const auto kind = s.choice("kind", {"mains", "tamper"}, true);
        c.kind = static_cast<core::sensor_kind>(kind.value_or(0));
        const auto& known = out.cabinet.sensors;
        if (kind && std::any_of(known.begin(), known.end(), [&](const auto& k) { return k.kind == c.kind; })) {
            s.wrong("kind", fmt::format("there is one {} already", core::name(c.kind)));
        }
        c.trouble_level = s.choice("trouble", {"on", "off"}, true).value_or(0) == 0;
        if (const auto input = s.channel("input", true)) {
            if (const auto* board = wired.check(s, "input", *input, false)) {
                c.board = board->index;
                c.channel = input->channel - 1;
                const auto door = wired.contacts.find(std::pair(input->board, input->channel));
                if (door != wired.contacts.end()) {
                    s.wrong("input", fmt::format("door {}'s contact is on this input", door->second.front()));
                }
                if (!taken.emplace(std::pair(input->board, input->channel), core::name(c.kind)).second) {
                    s.wrong("input", "another sensor is on this input");
                }
            }
        }
        s.no_others();
        out.cabinet.sensors.push_back(c);
    }
}

void read_outputs(section& root, wired_channels& wired, settings& out) {
    std::set<std::string> names;
    for (auto& s : root.tables("output")) {
        front_output o;
        o.name = s.text("name", true).value_or("");
        if (!o.name.empty() && !names.insert(o.name).second) {
            s.wrong("name", fmt::format("output \"{}\" stands twice", o.name));
        }
        const board_profile* profile = nullptr;
        if (const auto relay = s.channel("relay", true)) {
            if (const auto* board = wired.check(s, "relay", *relay, true)) {
                wired.claim_relay(s, *relay, fmt::format("output \"{}\"", o.name));
                o.board = board->index;
                o.channel = relay->channel - 1;
                profile = &board->profile;
            }
        }
        o.patterns = {read_pattern(s, "yes", {500}, profile), read_pattern(s, "no", {200, 200, 200, 200, 200}, profile),
                      read_pattern(s, "wait", {100}, profile)};
        s.no_others();
        out.front.outputs.push_back(std::move(o));
    }
}

}  // namespace

void read_front(section& root, wired_channels& wired, const path_of& path, settings& out) {
    read_sensors(root, wired, out);
    read_inputs(root, path, out);
    read_outputs(root, wired, out);
}

}  // namespace locker
