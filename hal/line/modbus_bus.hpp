// One bus: a thread that owns a modbus_line and does what its bus_master says.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "hal/line/bus_master.hpp"
#include "hal/line/modbus_line.hpp"

namespace locker {

class modbus_bus : public lock_bus {
public:
    // Starts the thread. The first thing each board hears is "all relays off". `tell` is called on the bus's thread and
    // does nothing but post. `guard` outlives the bus.
    modbus_bus(bus_settings settings, governor& guard, std::function<void(bus_report)> tell);
    // Drops every relay it can reach, then ends the thread: within a few timeouts.
    ~modbus_bus() override;
    modbus_bus(const modbus_bus&) = delete;
    modbus_bus& operator=(const modbus_bus&) = delete;

    void pulse(const pulse_order& order) override;
    [[nodiscard]] bool serves(int compartment) const override { return master_.serves(compartment); }
    void output(const output_order& order) override;
    [[nodiscard]] bool has_board(int board) const override { return master_.has_board(board); }
    [[nodiscard]] const std::string& name() const override { return settings_.line.name; }
    [[nodiscard]] bus_counters counters() const override;
    // For how long the thread has been at what it does now, ms: a device that never answers its driver holds it up for
    // ever. 0: it waits for its next turn.
    [[nodiscard]] std::int64_t busy_for_ms() const;

private:
    void loop();
    [[nodiscard]] line_answer execute(const line_action& action);
    void wait_until(std::int64_t mono_ms);

    const bus_settings settings_;
    std::function<void(bus_report)> tell_;
    modbus_line line_;
    bus_master master_;
    std::vector<modbus_line::peer> peers_;
    int gap_characters_ = 0;  // the longest silence that a board of this line wants

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    std::deque<pulse_order> posted_;
    std::deque<output_order> outputs_;
    bool stop_ = false;
    bus_counters counters_;

    std::atomic<std::int64_t> busy_since_ms_{0};  // monotonic; 0: it waits

    std::thread thread_;  // last: everything it uses is made before it
};

}  // namespace locker
