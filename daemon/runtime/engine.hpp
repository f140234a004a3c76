// Runs the core against the ports: one input, its effects; a commit at once, its result the next input. It knows when
// to reconnect, to look at clock and space, to publish metrics, to say farewell; it knows no event loop, thread or
// library, so the simulation runs it as it is.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/cabinet.hpp"
#include "daemon/runtime/front.hpp"
#include "daemon/runtime/showing.hpp"
#include "hal/line/bus_master.hpp"
#include "hal/ports/broker.hpp"
#include "hal/ports/clock.hpp"
#include "hal/ports/lock_bus.hpp"
#include "hal/ports/medium.hpp"
#include "hal/ports/store.hpp"

namespace locker {

enum class log_level : unsigned char { info, warning, error };

// What the engine's house does for it.
class engine_host {
public:
    enum class timer : unsigned char { core, look_around, metrics, reconnect, farewell, commands, front };
    static constexpr std::size_t timers = 7;
    virtual ~engine_host() = default;
    // Calls engine::due(which) at that monotonic millisecond; replaces what was set before. INT64_MAX: never.
    virtual void wake(timer which, std::int64_t mono_ms) = 0;
    virtual void log(log_level level, std::string_view line) = 0;
    // Of the front's own entries, too: a screen there would show it.
    virtual void answered(std::uint64_t entry, const std::string& reply) = 0;
    // An event, committed a moment ago: for whoever watches at the cabinet.
    virtual void recorded(const std::string& cloud_event) = 0;
    // What buses have told since the last call, in order. Asked before anything is decided: facts may have come while a
    // slow commit held everything up, and a deadline is judged by the latest of them.
    [[nodiscard]] virtual std::vector<bus_report> reports() = 0;
    // No bus has this compartment's lock: this report is told as a bus would, once the running call is over.
    virtual void report_later(const pulse_report& report) = 0;
    // Space and health of what the store lies on; takes back what make_room gave up once there is space for it.
    struct storage_view {
        bool low = false;
        medium_health medium;
    };
    [[nodiscard]] virtual storage_view storage() = 0;
    // The disk is full: whether something was given up for what must be recorded.
    [[nodiscard]] virtual bool make_room() = 0;
    // The farewell is over: nothing more is given to the engine.
    virtual void finished() = 0;
};

class engine {
public:
    // All that is handed in outlives the engine. Throws what core::cabinet throws.
    engine(core::cabinet_config config, const front_settings& front, showing shown, const clock_port& clock,
           store& disk, broker_port& broker, engine_host& host);

    // `epoch`: 16 random hex digits, new at each start. Buses are attached after it: what they report has then somebody
    // who listens.
    void start(const std::string& epoch);
    void attach(lock_bus& bus) { buses_.push_back(&bus); }
    void connect();
    // The buses are gone already, their relays dropped. `finished` follows within two seconds.
    void stop();

    void due(engine_host::timer which);
    void hear();  // buses have told something
    void enter(std::uint64_t entry, std::string_view via, std::string text, std::uint64_t terminal);
    void terminal_gone(std::uint64_t terminal);
    // Of the cabinet's front, by the input's index: keys of a keyboard, bytes of a serial scanner.
    void key(std::size_t input, unsigned code, int value);
    void bytes(std::size_t input, std::string_view chunk);
    void keys_missed(std::size_t input);
    void input_present(std::size_t input, bool present, const std::string& why);
    void order(const core::ops_order& what) { give(what); }
    void broker_up();
    void broker_down(const std::string& why);
    void arrived(broker_message m);
    void acknowledged(std::uint64_t sequence);

    [[nodiscard]] std::string status() const { return core_.snapshot(clock_.now()); }
    [[nodiscard]] std::string health() const { return core_.health(clock_.now()); }
    [[nodiscard]] std::string rows(std::uint64_t from, std::uint64_t limit) const;
    [[nodiscard]] const core::cabinet& cabinet() const { return core_; }
    [[nodiscard]] const front& at_front() const { return front_; }

private:
    void give(const core::input& in);
    void take(const bus_report& report);
    void serve_command();
    void commit(core::effects& out);
    void execute(const core::effect& e);
    void publish(outgoing_message m);
    void look_around();
    void look_at_storage();
    void publish_metrics();
    void publish_device();
    void forget_doors();
    void connect_later();
    void finish();
    void ask(const front::line& line);
    void serve_front();

    showing shown_;
    const clock_port& clock_;
    store& store_;
    broker_port& broker_;
    engine_host& host_;
    core::cabinet core_;
    std::vector<lock_bus*> buses_;
    front front_;
    std::deque<core::message> commands_;  // one at a time, so that whoever stands at the cabinet does not wait for all
    std::int64_t reconnect_pause_ms_ = 0;
    std::int64_t broker_up_at_ms_ = 0;
    std::int64_t clock_offset_ms_ = 0;  // wall minus monotonic at the last look: what moves it is a step
    bool broker_up_ = false;
    bool broker_told_ = false;
    bool stopping_ = false;
    bool finished_ = false;
    std::uint64_t farewell_sequence_ = 0;
    std::uint64_t commits_ = 0;
    std::int64_t commits_us_ = 0;
    std::uint64_t published_ = 0;
    std::uint64_t connections_ = 0;
    std::vector<int> doors_gone_;  // that the configuration has no more
    std::string entities_shown_;   // in Home Assistant, ever: as the store has it
    std::int64_t slowest_commit_us_ = 0;
    medium_health medium_;  // at the last look
};

}  // namespace locker
