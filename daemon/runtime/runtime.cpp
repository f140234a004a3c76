#include "daemon/runtime/runtime.hpp"

#include <fmt/format.h>

#include <boost/asio.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "daemon/runtime/log.hpp"
#include "hal/system/medium.hpp"
#include "protocol/crypto.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"

namespace locker {
namespace {

namespace asio = boost::asio;

constexpr std::uint64_t wiring_entry = std::uint64_t{1} << 61U;
constexpr std::int64_t bus_busy_most_ms = 10'000;  // one exchange with its tries takes a second or two
constexpr std::uint64_t low_space_bytes = 16ULL * 1024 * 1024;
constexpr std::uint64_t opening_wants_bytes = 1024ULL * 1024;

core::ops_order::deed deed_of(ops_deed what) {
    using deed = core::ops_order::deed;
    switch (what) {
        case ops_deed::lift:
            return deed::lift_suspension;
        case ops_deed::suspect:
            return deed::suspect_all;
        case ops_deed::renewed:
            return deed::lock_renewed;
        case ops_deed::mechanical:
            return deed::record_mechanical;
        case ops_deed::emptied:
            return deed::record_emptied;
        case ops_deed::examined:
            return deed::ledger_examined;
    }
    return deed::suspect_all;
}

// On a full disk SQLite cannot so much as open a database: the ballast goes first.
std::string with_room_to_open(const std::string& state_folder, ballast& space) {
    if (health_of(state_folder).free_bytes < opening_wants_bytes) {
        space.give_up();
    }
    return state_folder + "/locker.db";
}

broker_settings with_will(broker_settings b) {
    b.will_payload = offline_status;
    return b;
}

}  // namespace

template <typename F>
void runtime::post(F f) {
    asio::post(io_, std::move(f));
}

// Called on Paho's threads.
broker_listener runtime::ears() {
    return {[this] { post([this] { engine_.broker_up(); }); },
            [this](std::string why) { post([this, why = std::move(why)] { engine_.broker_down(why); }); },
            [this](broker_message m) { post([this, m = std::move(m)]() mutable { engine_.arrived(std::move(m)); }); },
            [this](std::uint64_t sequence) { post([this, sequence] { engine_.acknowledged(sequence); }); },
            [this](std::string topic) {
                post([this, topic = std::move(topic)] {
                    log(log_level::warning, fmt::format("event=broker_refused topic={}", topic));
                });
            }};
}

// Called on the event loop's thread, by its own handlers.
input_listener runtime::fingers(std::size_t input) {
    return {[this, input](unsigned code, int value) { engine_.key(input, code, value); },
            [this, input](std::string_view bytes) { engine_.bytes(input, bytes); },
            [this, input] { engine_.keys_missed(input); },
            [this, input](bool present, const std::string& why) { engine_.input_present(input, present, why); }};
}

runtime::runtime(settings given)
    : settings_(std::move(given)),
      clock_(settings_.battery_backed_clock),
      ballast_(settings_.state_folder + "/ballast"),
      store_(with_room_to_open(settings_.state_folder, ballast_)),
      control_(std::make_unique<control_server>(
          io_, settings_.control_socket,
          control_handlers{[this](std::uint64_t id, const std::string& via, std::string text, std::uint64_t terminal) {
                               engine_.enter(id, via, std::move(text), terminal);
                           },
                           [this](std::uint64_t terminal) { engine_.terminal_gone(terminal); },
                           [this](std::uint64_t id, ops_deed what, std::string text, int number) {
                               engine_.order({id, deed_of(what), std::move(text), number});
                           },
                           [this] { return engine_.status(); }, [this] { return engine_.health(); },
                           [this](std::uint64_t from, std::uint64_t limit) { return engine_.rows(from, limit); }})),
      broker_(std::make_unique<paho_broker>(with_will(settings_.broker), ears())),
      engine_(settings_.cabinet, settings_.front, settings_.shown, clock_, store_, *broker_, *this) {
    for (auto& t : timers_) {
        t = std::make_unique<asio::steady_timer>(io_);
    }
}

runtime::~runtime() = default;

int runtime::run() {
    asio::signal_set signals(io_, SIGTERM, SIGINT);
    signals.async_wait([this](boost::system::error_code error, int) {
        if (!error) {
            supervisor_.stopping();
            watchdog_.cancel();
            inputs_.clear();
            buses_.clear();  // drops their relays; no report comes after this
            engine_.stop();
        }
    });
    engine_.start(to_hex(random_bytes(8)));
    hand_in_wiring();
    for (const auto& bus : settings_.buses) {
        buses_.push_back(std::make_unique<modbus_bus>(bus, guard_, [this](bus_report r) { told(std::move(r)); }));
        engine_.attach(*buses_.back());
    }
    for (std::size_t i = 0; i < settings_.front.inputs.size(); ++i) {
        inputs_.push_back(open_input(io_, settings_.front.inputs[i], fingers(i)));
    }
    engine_.connect();
    supervisor_.ready();
    watch();
    io_.run();
    return 0;
}

void runtime::wake(timer which, std::int64_t mono_ms) {
    auto& t = *timers_.at(static_cast<std::size_t>(which));
    if (mono_ms == INT64_MAX) {
        t.cancel();
        return;
    }
    t.expires_after(std::chrono::milliseconds(std::max<std::int64_t>(0, mono_ms - clock_.now().mono_ms)));
    t.async_wait([this, which](boost::system::error_code error) {
        if (!error) {
            engine_.due(which);
        }
    });
}

// Says that all is alive, as often as the supervisor wants to hear it: this loop turns, and with it the store, which it
// waits for; and no bus is held up by its device.
void runtime::watch() {
    if (supervisor_.watchdog_ms() == 0) {
        return;
    }
    bool alive = true;
    for (const auto& bus : buses_) {
        if (bus->busy_for_ms() > bus_busy_most_ms) {
            alive = false;
            locker::log(log_level::error,
                        fmt::format("event=bus_stuck bus={} for_ms={}", bus->name(), bus->busy_for_ms()));
        }
    }
    if (alive) {
        supervisor_.alive();
    }
    watchdog_.expires_after(std::chrono::milliseconds(supervisor_.watchdog_ms() / 2));
    watchdog_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            watch();
        }
    });
}

void runtime::log(log_level level, std::string_view line) {
    locker::log(level, line);
}

// What `lockerctl commission` left for the ledger; gone once it is there.
void runtime::hand_in_wiring() {
    std::ifstream file(wiring_file());
    std::string text(2 * limits::wiring_bytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (!text.empty()) {
        engine_.order({wiring_entry, core::ops_order::deed::record_wiring, std::move(text)});
    }
}

void runtime::answered(std::uint64_t entry, const std::string& reply) {
    if (entry == wiring_entry) {
        const bool taken = reply.find("\"ok\":true") != std::string::npos;
        locker::log(taken ? log_level::info : log_level::warning,
                    fmt::format("event=wiring_record file={} {}", wiring_file(), taken ? "taken" : "reply=" + reply));
        std::error_code ignored;
        if (taken) {
            std::filesystem::remove(wiring_file(), ignored);
        } else if (reply.find("storage_failed") == std::string::npos) {  // it will not be better at the next start
            std::filesystem::rename(wiring_file(), wiring_file() + ".refused", ignored);
        }
        return;
    }
    control_->answered(entry, reply);
}

void runtime::recorded(const std::string& cloud_event) {
    control_->tell(cloud_event);
}

void runtime::report_later(const pulse_report& report) {
    told(report);
}

// Called on the buses' threads, too.
void runtime::told(bus_report report) {
    {
        const std::lock_guard lock(reports_lock_);
        reports_.push_back(std::move(report));
    }
    post([this] { engine_.hear(); });
}

std::vector<bus_report> runtime::reports() {
    const std::lock_guard lock(reports_lock_);
    return std::exchange(reports_, {});
}

runtime::storage_view runtime::storage() {
    const auto medium = health_of(settings_.state_folder);
    if (medium.free_bytes >= low_space_bytes + ballast::bytes) {
        ballast_.hold();
    }
    return {!ballast_.held() || medium.free_bytes < low_space_bytes, medium};
}

bool runtime::make_room() {
    return ballast_.give_up();
}

void runtime::finished() {
    broker_.reset();
    control_.reset();
    io_.stop();
    locker::log(log_level::info, "event=stopped");
}

}  // namespace locker
