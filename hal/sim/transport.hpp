// The line: RTU on a pseudo-terminal with the times bytes take, or Modbus TCP.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "hal/sim/board.hpp"
#include "hal/sim/config.hpp"

namespace sim {

// Gives a request to the board with that address. `late_ms`: how much later than usual the answer comes.
struct served {
    std::optional<bytes> pdu;
    int turnaround_us = 3000;
    int late_ms = 0;
    bool wrong_crc = false;
    int garbage = 0;
    // Two boards answered at once: what is heard is neither's.
    bool collided = false;
};
using serve = std::function<served(int address, const bytes& pdu)>;

class transport {
public:
    virtual ~transport() = default;
    virtual void plug() = 0;    // the adapter is there; the line can be opened
    virtual void unplug() = 0;  // the adapter is pulled: descriptors break, the device is gone
    [[nodiscard]] virtual std::string where() const = 0;
};

[[nodiscard]] std::unique_ptr<transport> make_pty(boost::asio::io_context& io, const config& c, serve s);
[[nodiscard]] std::unique_ptr<transport> make_tcp(boost::asio::io_context& io, const config& c, serve s);

}  // namespace sim
