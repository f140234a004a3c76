// Devices of the cabinet's front: keyboards and serial scanners. Each is opened, and opened again for ever when it is
// gone; what it says is handed on at once. All of it runs on the io_context's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "hal/input/input.hpp"

namespace locker {

struct input_listener {
    std::function<void(unsigned code, int value)> key;  // of a keyboard
    std::function<void(std::string_view bytes)> bytes;  // of a serial device
    std::function<void()> missed;                       // the kernel's queue was full: keys are missing
    std::function<void(bool present, const std::string& why)> presence;  // at changes; the first time in any case
};

class input_device {
public:
    virtual ~input_device() = default;
};

[[nodiscard]] std::unique_ptr<input_device> open_input(boost::asio::io_context& io, const input_settings& what,
                                                       input_listener listener);

}  // namespace locker
