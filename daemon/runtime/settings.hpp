// Everything lockerd is told at its start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/runtime/front.hpp"
#include "daemon/runtime/showing.hpp"
#include "hal/broker/paho_broker.hpp"
#include "hal/line/modbus_bus.hpp"

namespace locker {

struct settings {
    core::cabinet_config cabinet;
    std::vector<bus_settings> buses;
    front_settings front;
    broker_settings broker;
    std::string state_folder;
    bool state_must_exist = false;  // an empty folder is a partition that was not mounted, or lost
    std::string control_socket;
    bool battery_backed_clock = false;
    showing shown;
    std::vector<std::string> warnings;  // what works, and should be known
};

}  // namespace locker
