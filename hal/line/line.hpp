// What the parts of a Modbus line share: how a line is reached, and what becomes of a request.
#pragma once

#include <cstdint>
#include <string>

namespace locker {

struct line_settings {
    std::string name;
    std::string device;  // serial; empty: TCP
    int baud = 9600;
    char parity = 'N';
    bool rs485 = false;  // the kernel turns the transceiver round (TIOCSRS485): boards without automatic direction
    std::string host;    // TCP
    int port = 502;
};

// Named by what the caller does next.
enum class line_result : std::uint8_t {
    ok,
    silent,    // no answer, or not one to this question: count it, ask again later
    refused,   // the board answered with exception 1, 2 or 3: it is there, and did nothing
    not_sent,  // the line is down: nothing left, reopen
};

}  // namespace locker
