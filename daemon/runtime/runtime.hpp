// lockerd's event loop: one thread that steps the core and executes its effects; adapters post to it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "daemon/core/cabinet.hpp"
#include "daemon/runtime/control_server.hpp"
#include "daemon/runtime/settings.hpp"
#include "hal/store/sqlite_store.hpp"
#include "hal/system/system_clock.hpp"

namespace locker {

class runtime {
public:
    // Throws when store, socket or broker client cannot be made: then nothing was moved.
    explicit runtime(settings given);
    ~runtime();

    // Until SIGTERM or SIGINT. Returns the exit code.
    int run();

private:
    void give(const core::input& in);
    void execute(const core::effect& e);
    void publish(const core::publish& p);
    void arm();
    void look_around();  // clock and free space, now and then
    void publish_metrics();
    void connect_later();
    void stop();
    void finish();
    [[nodiscard]] std::string rows(std::uint64_t from, std::uint64_t limit) const;

    settings settings_;
    boost::asio::io_context io_{1};
    system_clock clock_;
    sqlite_store store_;
    core::cabinet core_;
    boost::asio::steady_timer wake_{io_};
    boost::asio::steady_timer around_{io_};
    boost::asio::steady_timer metrics_{io_};
    boost::asio::steady_timer reconnect_{io_};
    boost::asio::steady_timer farewell_{io_};
    std::int64_t reconnect_pause_ms_ = 0;
    std::int64_t broker_up_at_ms_ = 0;
    bool broker_up_ = false;
    bool broker_told_ = false;
    bool stopping_ = false;
    bool finished_ = false;
    std::uint64_t farewell_sequence_ = 0;
    std::uint64_t commits_ = 0;
    std::uint64_t published_ = 0;
    std::int64_t slowest_commit_us_ = 0;
    std::unique_ptr<control_server> control_;
    std::unique_ptr<paho_broker> broker_;
    std::vector<std::unique_ptr<modbus_bus>> buses_;
};

}  // namespace locker
