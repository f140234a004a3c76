// What of the configuration is about the cabinet's front and its sensors, and which channels of the boards are taken.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/app/config.hpp"
#include "hal/config/section.hpp"

namespace locker {

struct wired_channels {
    using channel = std::pair<std::string, int>;  // board, channel from 1

    std::map<std::string, std::pair<bus_board, std::string>> boards;  // and its bus
    std::map<channel, std::string> relays;                            // and what each drives
    std::map<channel, std::vector<int>> contacts;                     // and of which doors

    // The board of a channel that exists; nothing: it does not, and that is told.
    const bus_board* check(section& s, std::string_view key, const section::channel_of& c, bool relay) const;
    // A relay drives one thing.
    void claim_relay(section& s, const section::channel_of& relay, const std::string& whose);
};

// Of a serial device: one of the usual rates, 9600 if nothing is said.
[[nodiscard]] int read_baud(section& s);

// A path as it stands in the file, from the file's folder.
using path_of = std::function<std::string(const std::string&)>;

// [[sensor]], [[input]], [[output]]; buses, boards and compartments were read before.
void read_front(section& root, wired_channels& wired, const path_of& path, settings& out);

}  // namespace locker
