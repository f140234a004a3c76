#include "hal/line/modbus_bus.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace locker {
namespace {

constexpr std::size_t outputs_posted = 8;  // while the line is at something long
constexpr int farewell_tries = 2;          // a lost frame is no reason to leave a coil on

std::int64_t boot_ms() {
    timespec t{};
    clock_gettime(CLOCK_BOOTTIME, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

}  // namespace

modbus_bus::modbus_bus(bus_settings settings, governor& guard, std::function<void(bus_report)> tell)
    : settings_(std::move(settings)), tell_(std::move(tell)), line_(settings_.line), master_(settings_, guard) {
    for (const auto& b : settings_.boards) {
        peers_.push_back({b.address, &b.profile, 0, false});
        gap_characters_ = std::max(gap_characters_, b.profile.gap_characters);
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

void modbus_bus::output(const output_order& order) {
    {
        const std::lock_guard lock(mutex_);
        if (outputs_.size() < outputs_posted) {
            outputs_.push_back(order);
        }
    }
    wake_.notify_one();
}

bus_counters modbus_bus::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

std::int64_t modbus_bus::busy_for_ms() const {
    const std::int64_t since = busy_since_ms_;
    return since == 0 ? 0 : std::max<std::int64_t>(0, boot_ms() - since);
}

void modbus_bus::wait_until(std::int64_t mono_ms) {
    std::unique_lock lock(mutex_);
    busy_since_ms_ = 0;
    const std::int64_t ms = std::max<std::int64_t>(0, mono_ms - boot_ms());
    wake_.wait_for(lock, std::chrono::milliseconds(ms),
                   [this] { return stop_ || !posted_.empty() || !outputs_.empty(); });
}

line_answer modbus_bus::execute(const line_action& action) {
    line_answer answer;
    if (action.what == line_action::kind::open) {
        if (!line_.open()) {
            answer = {line_result::not_sent, 0, 0, false, line_.last_error()};
        }
        return answer;
    }
    auto& peer = peers_[action.board];
    peer.timeout_us = action.timeout_us;
    switch (action.what) {
        case line_action::kind::wait:
        case line_action::kind::open:
            break;
        case line_action::kind::drop:
            answer.result = line_.drop_all(peer);
            break;
        case line_action::kind::read:
            answer.result = line_.read(peer, answer.bits);
            break;
        case line_action::kind::pulse:
        case line_action::kind::output:
            answer.result = line_.pulse(peer, action.channel, action.length_ms);
            break;
        case line_action::kind::release:
            answer.result = line_.release(peer, action.channel);
            break;
    }
    answer.line_open = line_.is_open();
    answer.took_us = line_.took_us();
    return answer;
}

void modbus_bus::loop() {
    for (;;) {
        busy_since_ms_ = boot_ms();
        line_.keep_silence(gap_characters_);  // a pulse that is ordered meanwhile goes before the next poll
        {
            const std::lock_guard lock(mutex_);
            if (stop_) {
                break;
            }
            for (const auto& order : posted_) {
                master_.order(order);
            }
            for (const auto& order : outputs_) {
                master_.order(order);
            }
            posted_.clear();
            outputs_.clear();
            counters_ = master_.counters();
        }
        const auto action = master_.next(boot_ms());
        if (action.what != line_action::kind::wait) {
            const auto answer = execute(action);  // before the clock is read: arguments have no order
            master_.done(answer, boot_ms());
        }
        for (auto& report : master_.take_reports()) {
            tell_(std::move(report));
        }
        if (action.what == line_action::kind::wait) {
            wait_until(action.until);
        }
    }
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        peers_[i].timeout_us = 0;  // the profile's
        for (int tries = 0; tries < farewell_tries && line_.open(); ++tries) {
            if (line_.drop_all(peers_[i]) == line_result::ok) {
                break;
            }
        }
    }
}

}  // namespace locker
