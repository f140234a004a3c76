// What stands at the cabinet's front for people to type at and to show codes to.
#pragma once

#include <cstdint>
#include <string>

#include "hal/input/layout.hpp"

namespace locker {

enum class input_kind : std::uint8_t { keypad, scanner };

struct input_settings {
    std::string name;
    input_kind kind = input_kind::keypad;
    std::string device;  // a USB-HID keyboard: /dev/input/by-id/…-event-kbd …
    std::string serial;  // … or a serial scanner: /dev/serial/by-id/…
    int baud = 9600;     // 8N1
    key_layout layout = key_layout::us;
    bool gm65 = false;            // of that family: told at each opening that printed codes do not set it
    std::int64_t trigger_ms = 0;  // it scans when told to: told so often; 0: by itself
};

}  // namespace locker
