// One bus: a thread that owns a modbus_line, takes pulse orders, polls boards in turns and reports. It decides nothing
// about deposits; the governor decides about coils.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hal/line/governor.hpp"
#include "hal/line/modbus_line.hpp"
#include "hal/line/turns.hpp"
#include "hal/ports/lock_bus.hpp"

namespace locker {

struct bus_board {
    int index = 0;  // in the cabinet's configuration: reports carry it
    std::string name;
    int address = 1;
    board_profile profile;
};

struct bus_lock {
    int compartment = 0;
    int relay_board = 0;     // index in the cabinet's configuration
    int relay_channel = 0;   // from 0
    int contact_board = -1;  // to be watched after a pulse; -1: none, or on another bus
    int supply = 0;
    lock_limits limits;
};

struct bus_settings {
    line_settings line;
    std::vector<bus_board> boards;
    std::vector<bus_lock> locks;
};

struct line_report {
    std::string line;
    bool up = false;
    std::string why;
};

// Called on the bus's thread; each does nothing but post.
struct bus_listener {
    std::function<void(pulse_report)> pulsed;
    std::function<void(inputs_report)> inputs;
    std::function<void(board_report)> board;
    std::function<void(line_report)> line;
};

struct bus_counters {
    std::uint64_t requests = 0;
    std::uint64_t failures = 0;
    std::uint64_t pulses = 0;
};

class modbus_bus : public lock_bus {
public:
    // Starts the thread. The first thing each board hears is "all relays off".
    modbus_bus(bus_settings settings, bus_listener listener);
    // Drops every relay it can reach, then ends the thread: within a few timeouts.
    ~modbus_bus() override;
    modbus_bus(const modbus_bus&) = delete;
    modbus_bus& operator=(const modbus_bus&) = delete;

    void pulse(const pulse_order& order) override;
    [[nodiscard]] bool serves(int compartment) const { return locks_.count(compartment) != 0; }
    [[nodiscard]] bus_counters counters() const;

private:
    struct board_state {
        bus_board board;
        modbus_line::peer peer;
        bool present = false;
        bool told = false;     // presence was reported once
        bool dropped = false;  // relays were dropped since it appeared
        bool read = false;
        std::uint32_t bits = 0;
    };
    void loop();
    void reopen();
    void take_orders();
    bool serve_order();
    void send(const pulse_order& order);
    void poll(std::size_t board);
    void heard(std::size_t board, bool answered);
    void wait_until(std::int64_t mono_ms);
    [[nodiscard]] std::size_t local(int cabinet_board) const;

    bus_settings settings_;
    bus_listener listener_;
    modbus_line line_;
    governor governor_;
    turns turns_;
    std::vector<board_state> boards_;
    std::map<int, bus_lock> locks_;
    std::deque<pulse_order> orders_;  // the thread's own
    bool line_up_ = false;
    bool line_told_ = false;
    std::int64_t reopen_pause_ = 0;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    std::deque<pulse_order> posted_;
    bool stop_ = false;
    bus_counters counters_;

    std::thread thread_;  // last: everything it uses is made before it
};

}  // namespace locker
