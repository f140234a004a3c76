// A board that answers as a test tells it to, on a pty or on TCP. Written from the Modbus standard; it shares no code
// with the master or with lockersim.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace peer {

using bytes = std::vector<std::uint8_t>;

[[nodiscard]] std::uint16_t crc(const bytes& body);
// An RTU frame: body and checksum.
[[nodiscard]] bytes rtu(bytes body);

struct question {
    bytes body;                                     // address, function, data; without checksum or MBAP header
    std::uint16_t transaction = 0;                  // TCP
    std::chrono::steady_clock::time_point arrived;  // its last byte
};

// What is written back and when, counted from the question's arrival. Several for one question are possible.
struct answer {
    bytes raw;
    std::chrono::milliseconds after{0};
};

using script = std::function<std::vector<answer>(const question&)>;

class scripted_peer {
public:
    enum class kind : std::uint8_t { pty, tcp };
    scripted_peer(kind how, script answers);
    ~scripted_peer();
    scripted_peer(const scripted_peer&) = delete;
    scripted_peer& operator=(const scripted_peer&) = delete;

    [[nodiscard]] const std::string& device() const { return device_; }
    [[nodiscard]] int port() const { return port_; }
    // Everything heard so far, in order.
    [[nodiscard]] std::vector<question> heard() const;
    // The device goes away, as a pulled adapter does.
    void pull();

private:
    void run();
    void serve(int fd);

    kind how_;
    script answers_;
    std::string device_;
    int port_ = 0;
    int fd_ = -1;     // pty master, or the listening socket
    int slave_ = -1;  // held open, so that the master sees no hang-up between two openings
    std::atomic<bool> stop_{false};
    mutable std::mutex mutex_;
    std::vector<question> heard_;
    std::thread thread_;
};

// A board of eight relays and eight inputs whose inputs are what the test sets.
struct model {
    std::atomic<std::uint8_t> inputs{0};
    std::uint8_t address = 1;
    [[nodiscard]] bytes reply(const question& q) const;  // body
};

}  // namespace peer
