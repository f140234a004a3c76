#include "hal/line/modbus_bus.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace locker {
namespace {

std::int64_t boot_ms() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

std::vector<turns::peer> turn_boards(const bus_settings& s) {
    std::vector<turns::peer> out;
    for (const auto& b : s.boards) {
        out.push_back({b.profile.inputs > 0, b.profile.timeout_ms});
    }
    return out;
}

}  // namespace

modbus_bus::modbus_bus(bus_settings settings, bus_listener listener)
    : settings_(std::move(settings)),
      listener_(std::move(listener)),
      line_(settings_.line),
      turns_(turn_boards(settings_)) {
    boards_.resize(settings_.boards.size());
    for (std::size_t i = 0; i < boards_.size(); ++i) {
        boards_[i].board = settings_.boards[i];
        boards_[i].peer.address = boards_[i].board.address;
        boards_[i].peer.profile = &boards_[i].board.profile;
    }
    for (const auto& lock : settings_.locks) {
        locks_[lock.compartment] = lock;
        governor_.add(lock.compartment, lock.supply, lock.limits);
    }
    thread_ = std::thread([this] { loop(); });
}

modbus_bus::~modbus_bus() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void modbus_bus::pulse(const pulse_order& order) {
    {
        const std::lock_guard lock(mutex_);
        posted_.push_back(order);
    }
    wake_.notify_one();
}

bus_counters modbus_bus::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

std::size_t modbus_bus::local(int cabinet_board) const {
    const auto at =
        std::find_if(boards_.begin(), boards_.end(), [&](const auto& b) { return b.board.index == cabinet_board; });
    return static_cast<std::size_t>(at - boards_.begin());
}

void modbus_bus::wait_until(std::int64_t mono_ms) {
    std::unique_lock lock(mutex_);
    const std::int64_t ms = std::max<std::int64_t>(0, mono_ms - boot_ms());
    wake_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stop_ || !posted_.empty(); });
}

void modbus_bus::take_orders() {
    const std::lock_guard lock(mutex_);
    orders_.insert(orders_.end(), posted_.begin(), posted_.end());
    posted_.clear();
}

void modbus_bus::loop() {
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (stop_) {
                break;
            }
        }
        take_orders();
        if (!line_.is_open()) {
            reopen();
            continue;
        }
        if (serve_order()) {
            continue;
        }
        const auto turn = turns_.next(boot_ms());
        if (turn.board < 0) {
            std::int64_t until = turn.at;
            for (const auto& order : orders_) {
                until = std::min(until, governor_.earliest(order.compartment, boot_ms()));
            }
            wait_until(until);
            continue;
        }
        poll(static_cast<std::size_t>(turn.board));
    }
    for (auto& b : boards_) {
        if (b.present && line_.is_open()) {
            (void)line_.drop_all(b.peer);
        }
    }
}

void modbus_bus::reopen() {
    const bool up = line_.open();
    if (up != line_up_ || !line_told_) {
        line_up_ = up;
        line_told_ = true;
        listener_.line({settings_.line.name, up, up ? "" : line_.last_error()});
    }
    if (up) {
        reopen_pause_ = 0;
        for (auto& b : boards_) {
            b.dropped = false;  // whoever was there may have gone, or have been started again
        }
        return;
    }
    for (std::size_t i = 0; i < boards_.size(); ++i) {
        while (!turns_.lost(static_cast<int>(i))) {
            turns_.silent(static_cast<int>(i), boot_ms());
        }
        heard(i, false);
    }
    for (const auto& order : orders_) {
        listener_.pulsed({order.opening, order.attempt, pulse_result::not_sent});
    }
    orders_.clear();
    reopen_pause_ = std::clamp<std::int64_t>(reopen_pause_ * 2, 100, 2000);
    wait_until(boot_ms() + reopen_pause_);
}

// Presence as the turns see it, told at changes.
void modbus_bus::heard(std::size_t i, bool answered) {
    auto& b = boards_[i];
    const auto id = static_cast<int>(i);
    const bool present = answered || (b.present && !turns_.lost(id));
    const bool decided = answered || turns_.lost(id);
    if (decided && (present != b.present || !b.told)) {
        b.present = present;
        b.told = true;
        b.read = false;
        b.dropped = b.dropped && present;
        listener_.board({b.board.index, present});
    }
}

void modbus_bus::poll(std::size_t i) {
    auto& b = boards_[i];
    const auto id = static_cast<int>(i);
    line_result result = line_result::ok;
    std::uint32_t bits = 0;
    if (!b.dropped) {
        result = line_.drop_all(b.peer);  // before its first poll, at every return
        b.dropped = result == line_result::ok;
    }
    if (result == line_result::ok) {
        result = line_.read(b.peer, bits);
    }
    {
        const std::lock_guard lock(mutex_);
        ++counters_.requests;
        counters_.failures += result == line_result::ok ? 0 : 1;
    }
    const std::int64_t now = boot_ms();
    if (result != line_result::ok) {
        turns_.silent(id, now);
        heard(i, false);
        if (turns_.lost(id)) {
            b.dropped = false;
        }
        return;
    }
    turns_.answered(id, now);
    heard(i, true);
    if (b.board.profile.inputs > 0 && (!b.read || b.bits != bits)) {
        b.read = true;
        b.bits = bits;
        listener_.inputs({b.board.index, bits, now});
    }
}

// Pulses go before polls. True when one was served.
bool modbus_bus::serve_order() {
    const std::int64_t now = boot_ms();
    for (auto at = orders_.begin(); at != orders_.end(); ++at) {
        const pulse_order order = *at;
        const auto& lock = locks_.at(order.compartment);
        const auto& board = boards_[local(lock.relay_board)];
        const std::int64_t earliest = governor_.earliest(order.compartment, now);
        if (earliest > order.not_after_ms || now > order.not_after_ms || (board.told && !board.present)) {
            orders_.erase(at);
            listener_.pulsed({order.opening, order.attempt, pulse_result::not_sent});
            return true;
        }
        if (earliest <= now && board.dropped) {
            orders_.erase(at);
            send(order);
            return true;
        }
    }
    return false;
}

void modbus_bus::send(const pulse_order& order) {
    const auto& lock = locks_.at(order.compartment);
    auto& board = boards_[local(lock.relay_board)];
    governor_.begin(order.compartment, boot_ms());
    const auto result = line_.pulse(board.peer, lock.relay_channel, governor_.length(order.compartment));
    {
        const std::lock_guard guard(mutex_);
        ++counters_.pulses;
        ++counters_.requests;
    }
    if (lock.contact_board >= 0) {
        turns_.watch(static_cast<int>(local(lock.contact_board)), boot_ms() + order.watch_ms);
    }
    pulse_result said = pulse_result::unsure;
    switch (result) {
        case line_result::ok:
            said = pulse_result::done;
            break;
        case line_result::silent:
            said = pulse_result::unsure;
            break;
        case line_result::refused:
        case line_result::not_sent:
            said = pulse_result::not_sent;
            break;
    }
    listener_.pulsed({order.opening, order.attempt, said});
}

}  // namespace locker
