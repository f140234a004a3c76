// lockerd's process in a simulated world: the production engine, core, bus master and SQLite store over simulated
// ports. It is started, killed, stopped, and loses its power.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "daemon/runtime/engine.hpp"
#include "hal/store/sqlite_store.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/broker.hpp"
#include "tests/simulation/desk.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/hardware.hpp"
#include "tests/simulation/world.hpp"

namespace sim {

class sim_clock : public locker::clock_port {
public:
    explicit sim_clock(world& w) : world_(w) {}
    std::int64_t offset_ms = 0;  // the wall clock's error
    void drift(std::int64_t ppm) {
        drift_ppm_ = ppm;
        drifts_since_ = world_.now;
    }
    void right() {
        offset_ms = 0;
        drift_ppm_ = 0;
        synchronised = true;
    }
    bool synchronised = true;
    std::int64_t booted_at = 0;
    int boot = 1;
    [[nodiscard]] locker::moment now() const override { return at(world_.now + world_.held_up_ms); }
    [[nodiscard]] locker::moment at(std::int64_t when) const {
        const std::int64_t drifted = (when - drifts_since_) * drift_ppm_ / 1'000'000;
        return {world::birth + when + offset_ms + drifted, when - booted_at + 5000};
    }
    [[nodiscard]] std::int64_t now_us() const override { return (world_.now + world_.held_up_ms) * 1000; }
    [[nodiscard]] bool trusted() const override { return synchronised; }
    [[nodiscard]] std::string boot_id() const override { return "boot-" + std::to_string(boot); }

private:
    world& world_;
    std::int64_t drift_ppm_ = 0;
    std::int64_t drifts_since_ = 0;
};

class process : private locker::engine_host {
public:
    process(world& w, auditor& a, hardware& h, broker& b, disk& d, locker::core::cabinet_config config,
            locker::bus_settings bus, locker::front_settings front);
    ~process() override;

    sim_clock clock;
    bool space_is_low = false;
    bool restarts = true;  // systemd's doing
    desk front;

    void start();
    void kill();   // SIGKILL
    void power();  // the cabinet's power goes, and comes back after a while
    void stop();   // SIGTERM, and a start after it
    [[nodiscard]] bool running() const { return alive_ != nullptr; }
    // Somebody types at the keypad or shows a code to a scanner, when it is their turn; the reply comes when it comes,
    // "" from a cabinet that is dead, "busy" where only a buzzer said to wait.
    void enter(const std::string& via, const std::string& text, std::function<void(std::string)> answer);
    [[nodiscard]] std::string status() const;
    [[nodiscard]] std::vector<locker::ledger_row> ledger() const;

private:
    class watched_store;
    class polled_line;
    struct one_life;
    void run(std::function<void()> what);
    void stroke(const desk::stroke& s, const std::shared_ptr<visit>& who);
    void perform(const std::function<void()>& what);
    [[nodiscard]] bool busy() const { return world_.now < busy_until_ || !inbox_.empty() || world_.held_up_ms > 0; }
    void end(bool power, bool clean = false);

    void wake(timer which, std::int64_t mono_ms) override;
    void log(locker::log_level, std::string_view line) override { world_.say(std::string(line)); }
    void answered(std::uint64_t entry, const std::string& reply) override;
    void recorded(const std::string&) override {}
    std::vector<locker::bus_report> reports() override { return std::exchange(reports_, {}); }
    void report_later(const locker::pulse_report& report) override;
    storage_view storage() override { return {space_is_low, {}}; }
    bool make_room() override { return false; }
    void finished() override;

    world& world_;
    auditor& auditor_;
    hardware& hardware_;
    broker& broker_;
    disk& disk_;
    locker::core::cabinet_config config_;
    locker::bus_settings bus_settings_;
    locker::front_settings front_settings_;
    std::unique_ptr<one_life> alive_;
    std::deque<std::function<void()>> inbox_;  // what comes to the engine while a slow call holds it up
    std::vector<locker::bus_report> reports_;  // what the line has told and the engine not yet heard
    std::int64_t busy_until_ = 0;
    std::uint64_t lives_ = 0;
    struct visitor {
        bool front = false;
        int door = 0;  // as typed before a code; 0: none
        std::function<void(std::string)> answer;
    };
    std::map<std::uint64_t, visitor> waiting_;
    std::vector<std::shared_ptr<visit>> visits_;  // whose last key the engine has not heard yet
    bool farewell_ = false;
};

}  // namespace sim
