// What commissioning stands on: the configuration as it is, the profiles, and whether the cabinet is empty.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ctl/commission/commission.hpp"
#include "daemon/ctl/commission/wiring.hpp"
#include "hal/line/governor.hpp"
#include "hal/line/line.hpp"

namespace locker {

// A sentence for the installer: nothing was done.
struct refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What of the configuration does not depend on the wiring.
struct base {
    std::string text;
    std::string cabinet;
    std::filesystem::path state_folder;
    std::filesystem::path cabinet_key;
    std::vector<line_settings> lines;
    std::string bus_tables;                                    // to be added: it had none
    std::map<int, door_kept> kept;                             // by the number on the door
    std::map<std::pair<std::string, int>, int> numbers;        // on doors, by relay: board and channel from 1
    std::map<std::pair<std::string, int>, std::string> names;  // of boards, by bus and address
    std::set<std::pair<std::string, int>> spoken_for;  // relays of lamps and buzzers: by board and channel, from 1
    std::set<std::pair<std::string, int>> sensors;     // inputs of mains and tamper switch, likewise
    lock_limits limits;                                // of every lock, until more is known of it
    std::string profiles;                              // the folder that it names
};

// Throws refused.
[[nodiscard]] base read_base(const commission_options& o);
[[nodiscard]] std::vector<board_profile> read_profiles(const commission_options& o, const base& b);
// Pulses without an authority are for a cabinet in which nothing lies. Throws refused.
void refuse_in_service(const base& b);

// Installers work as root, lockerd does not: what both use is made the daemon's.
void give_to_daemon(const std::filesystem::path& file, const std::filesystem::path& state_folder);
// The file is whole or as it was.
void write_whole(const std::filesystem::path& file, const std::string& text);

}  // namespace locker
