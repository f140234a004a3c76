// The control socket: what stands at the cabinet (keypad, scanner, lockerctl) speaks to lockerd here. A Unix socket
// that only its owner and group may open; one JSON object a line in, one out.
//   {"do":"enter","via":"keypad","text":"123 456 789"} → a reply as over MQTT
//   {"do":"enter","text":"4711#123456"} signs in for as long as the connection lasts; then "list", "next", "5", "out" …
//   {"do":"lift","staff":"4711"} · {"do":"suspect","reason":"board replaced"} · {"do":"renewed","compartment":3}: by
//   ops
//   {"do":"status"} → {"ok":true,"result":{…}}   {"do":"health"} → locks   {"do":"log","from":1,"limit":200} → rows
//   {"do":"watch"} → events, one a line
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace locker {

enum class ops_deed : std::uint8_t { lift, suspect, renewed, mechanical, emptied, examined };

struct control_handlers {
    // Gives the entry to the core; `answered(id, …)` follows. `terminal`: the connection, where staff sign in.
    std::function<void(std::uint64_t id, std::string via, std::string text, std::uint64_t terminal)> enter;
    std::function<void(std::uint64_t terminal)> gone;
    std::function<void(std::uint64_t id, ops_deed what, std::string text, int number)> order;
    std::function<std::string()> status;                                       // JSON
    std::function<std::string()> health;                                       // JSON array
    std::function<std::string(std::uint64_t from, std::uint64_t limit)> rows;  // JSON array
};

class control_server {
public:
    // Throws boost::system::system_error when the socket cannot be made.
    control_server(boost::asio::io_context& io, const std::string& path, control_handlers handlers);
    ~control_server();

    void answered(std::uint64_t entry, const std::string& reply);
    // To everyone who watches.
    void tell(const std::string& event);

private:
    struct inner;
    std::shared_ptr<inner> inner_;
};

}  // namespace locker
