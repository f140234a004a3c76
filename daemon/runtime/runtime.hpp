// lockerd's event loop: one thread that gives the engine what happens; adapters post to it.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <vector>

#include "daemon/runtime/control_server.hpp"
#include "daemon/runtime/engine.hpp"
#include "daemon/runtime/settings.hpp"
#include "hal/input/device.hpp"
#include "hal/line/modbus_bus.hpp"
#include "hal/store/sqlite_store.hpp"
#include "hal/system/ballast.hpp"
#include "hal/system/supervisor.hpp"
#include "hal/system/system_clock.hpp"

namespace locker {

class runtime : private engine_host {
public:
    // Throws when store, socket or broker client cannot be made: then nothing was moved.
    explicit runtime(settings given);
    ~runtime() override;

    // Until SIGTERM or SIGINT. Returns the exit code.
    int run();

private:
    void wake(timer which, std::int64_t mono_ms) override;
    void log(log_level level, std::string_view line) override;
    void answered(std::uint64_t entry, const std::string& reply) override;
    void recorded(const std::string& cloud_event) override;
    std::vector<bus_report> reports() override;
    void report_later(const pulse_report& report) override;
    void told(bus_report report);
    void hand_in_wiring();
    void watch();
    [[nodiscard]] std::string wiring_file() const { return settings_.state_folder + "/wiring.json"; }
    storage_view storage() override;
    bool make_room() override;
    void finished() override;
    [[nodiscard]] broker_listener ears();
    [[nodiscard]] input_listener fingers(std::size_t input);
    template <typename F>
    void post(F f);

    settings settings_;
    boost::asio::io_context io_{1};
    std::array<std::unique_ptr<boost::asio::steady_timer>, engine_host::timers> timers_;
    system_clock clock_;
    supervisor supervisor_;
    boost::asio::steady_timer watchdog_{io_};
    ballast ballast_;
    sqlite_store store_;
    std::unique_ptr<control_server> control_;
    std::unique_ptr<paho_broker> broker_;
    engine engine_;
    governor guard_;
    std::mutex reports_lock_;
    std::vector<bus_report> reports_;  // what buses have told and the engine not yet heard
    std::vector<std::unique_ptr<modbus_bus>> buses_;
    std::vector<std::unique_ptr<input_device>> inputs_;
};

}  // namespace locker
