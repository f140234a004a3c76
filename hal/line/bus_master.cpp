#include "hal/line/bus_master.hpp"

#include <algorithm>
#include <utility>

#include "hal/line/timing.hpp"
#include "hal/ports/canary.hpp"

namespace locker {
namespace {

constexpr std::int64_t reopen_first_ms = 100;
constexpr std::int64_t reopen_longest_ms = 2000;
// A coil whose switching off a lost board did not answer is switched off again so often, and later so often, for ever.
constexpr std::int64_t hold_retry_ms = 150;
constexpr std::int64_t hold_urgent_ms = 60'000;
constexpr std::int64_t hold_patient_ms = 5'000;

constexpr std::size_t outputs_waiting = 8;
constexpr int no_supply = -1;  // of lamps and buzzers

std::vector<bool> with_inputs(const bus_settings& s) {
    std::vector<bool> out;
    for (const auto& b : s.boards) {
        out.push_back(b.profile.inputs > 0);
    }
    return out;
}

// Whatever is learnt, a host may be slow to look: no answer is given up sooner than this after its last bit was due.
constexpr std::int64_t host_margin_us = 20'000;

// Bytes pace a serial line. A gateway that answers at once would be asked a thousand times a second, for nothing.
constexpr std::int64_t tcp_pace_ms = 20;

patience waits_for(const line_settings& line, const board_profile& p) {
    if (line.device.empty()) {
        return {host_margin_us, p.timeout_ms * 1000LL};
    }
    const std::int64_t registers =
        p.pulse == pulse_kind::command_register ? read_question_bytes + register_answer_bytes(p.relays) : 0;
    const std::int64_t bits = read_question_bytes + read_answer_bytes(std::max(p.inputs, p.relays));
    const std::int64_t wire = characters_us(line, std::max({longest_write_bytes, registers, bits}));
    return {wire + host_margin_us, p.timeout_ms * 1000LL};
}

std::int64_t whole_ms(std::int64_t us) {
    return (us + 999) / 1000;
}

pulse_result result_of(line_result r) {
    switch (r) {
        case line_result::ok:
            return pulse_result::done;
        case line_result::silent:
            return pulse_result::unsure;
        case line_result::refused:
        case line_result::not_sent:
            return pulse_result::not_sent;
    }
    return pulse_result::unsure;
}

}  // namespace

bus_master::bus_master(const bus_settings& settings, governor& guard)
    : line_name_(settings.line.name),
      guard_(guard),
      turns_(with_inputs(settings), settings.line.device.empty() ? tcp_pace_ms : 0) {
    for (const auto& b : settings.boards) {
        boards_.push_back({b, waits_for(settings.line, b.profile)});
    }
    for (const auto& lock : settings.locks) {
        locks_[lock.compartment] = lock;
        guard_.add(lock.compartment, lock.supply, lock.limits);
    }
}

std::size_t bus_master::local(int cabinet_board) const {
    const auto at =
        std::find_if(boards_.begin(), boards_.end(), [&](const auto& b) { return b.board.index == cabinet_board; });
    return static_cast<std::size_t>(at - boards_.begin());
}

std::vector<bus_report> bus_master::take_reports() {
    return std::exchange(reports_, {});
}

line_action bus_master::next(std::int64_t now) {
    current_ = {};
    if (!line_open_) {
        return_orders();
        current_.what = now >= reopen_at_ ? line_action::kind::open : line_action::kind::wait;
        current_.until = reopen_at_;
        return current_;
    }
    if (serve_release(now)) {
        return current_;
    }
    std::int64_t wake = next_release();
    if (serve_order(now, wake) || serve_output(now, wake)) {
        return current_;
    }
    const auto turn = turns_.next(now);
    if (turn.board < 0) {
        current_.until = std::min(turn.at, wake);
        return current_;
    }
    const auto board = static_cast<std::size_t>(turn.board);
    const bool dropped = boards_[board].dropped || sick(canary::relays_not_dropped);
    ask(dropped ? line_action::kind::read : line_action::kind::drop, board);
    if (now + longest_ms(current_.what, board) > next_end(now)) {  // it may take so long: no coil waits for it
        current_ = {};
        current_.until = next_release();
        return current_;
    }
    polled_ = true;
    return current_;
}

// How long an action may take at worst.
std::int64_t bus_master::longest_ms(line_action::kind what, std::size_t board) const {
    const auto& p = boards_[board].board.profile;
    const std::int64_t answer = whole_ms(waited_for(board));
    switch (what) {
        case line_action::kind::wait:
        case line_action::kind::open:
        case line_action::kind::release:
            return answer;
        case line_action::kind::drop:
            return answer * p.drop_writes();
        case line_action::kind::read:
            return answer * 2;  // after a fault a question of another function goes before it
        case line_action::kind::pulse:
        case line_action::kind::output:
            return p.pulse == pulse_kind::on_off ? answer : answer + p.timeout_ms;  // the line is read empty
    }
    return answer;
}

// When the next pulse is over that is not over yet.
std::int64_t bus_master::next_end(std::int64_t now) const {
    std::int64_t at = INT64_MAX;
    for (const auto& h : held_) {
        at = h.until > now ? std::min(at, h.until) : at;
    }
    return at;
}

std::int64_t bus_master::next_release() const {
    std::int64_t at = INT64_MAX;
    for (const auto& h : held_) {
        at = std::min(at, h.again);
    }
    return at;
}

// A coil that has been on for its time is switched off before anything else.
bool bus_master::serve_release(std::int64_t now) {
    const auto due =
        std::min_element(held_.begin(), held_.end(), [](const held& a, const held& b) { return a.again < b.again; });
    if (due == held_.end() || due->again > now) {
        return false;
    }
    ask(boards_[due->board].dropped ? line_action::kind::release : line_action::kind::drop, due->board);
    current_.timeout_us = boards_[due->board].waits.short_us();  // off twice does no harm: rather again than late
    current_.channel = due->channel;
    return true;
}

void bus_master::ask(line_action::kind what, std::size_t board) {
    current_.what = what;
    current_.board = board;
    current_.timeout_us = waited_for(board);
}

std::int64_t bus_master::waited_for(std::size_t board) const {
    return boards_[board].waits.timeout_us(turns_.misses(static_cast<int>(board)), turns::misses_to_lose);
}

// Pulses go before polls. True when `current_` is one.
bool bus_master::serve_order(std::int64_t now, std::int64_t& wake) {
    for (auto at = orders_.begin(); at != orders_.end();) {
        const pulse_order order = *at;
        const auto& lock = locks_.at(order.compartment);
        const std::size_t i = local(lock.relay_board);
        const auto& board = boards_[i];
        std::int64_t earliest = guard_.earliest(order.compartment, now);
        if (now + longest_ms(line_action::kind::pulse, i) > next_end(now)) {
            earliest = std::max(earliest, next_end(now));
        }
        for (const auto& h : held_) {  // may still be on: its supply feeds no other
            if (h.until <= now && h.supply == lock.supply) {
                earliest = std::max(earliest, h.again);
            }
        }
        const bool gone = board.told && !board.present;
        if (gone || now > order.not_after_ms || earliest > order.not_after_ms) {
            at = orders_.erase(at);
            const bool limits = !gone && now <= order.not_after_ms;
            reports_.emplace_back(
                pulse_report{order.opening, order.attempt, limits ? pulse_result::held_back : pulse_result::not_sent});
            continue;
        }
        if (earliest <= now && (board.dropped || sick(canary::relays_not_dropped)) &&
            guard_.claim(order.compartment, now)) {
            orders_.erase(at);
            sending_ = order;
            ask(line_action::kind::pulse, i);
            current_.channel = lock.relay_channel;
            current_.length_ms = guard_.length(order.compartment);
            hold(i, lock.relay_channel, lock.supply, now + current_.length_ms);
            return true;
        }
        wake = std::min(wake, std::max(earliest, now + 1));
        ++at;
    }
    return false;
}

// Of a board without a timer: lockerd itself ends what it begins.
void bus_master::hold(std::size_t board, int channel, int supply, std::int64_t until) {
    if (boards_[board].board.profile.pulse == pulse_kind::on_off) {
        current_.timeout_us = std::min(current_.timeout_us, current_.length_ms * 1000);
        if (!sick(canary::release_forgotten)) {
            held_.push_back({board, channel, supply, until, until});
        }
    }
}

void bus_master::order(const output_order& order) {
    std::erase_if(outputs_, [&](const auto& o) { return o.board == order.board && o.channel == order.channel; });
    if (outputs_.size() >= outputs_waiting) {
        outputs_.pop_front();  // the oldest is of the least worth
    }
    outputs_.push_back(order);
}

// After every pulse, and before the polls. True when `current_` is one.
bool bus_master::serve_output(std::int64_t now, std::int64_t& wake) {
    while (!outputs_.empty()) {
        const output_order order = outputs_.front();
        const std::size_t i = local(order.board);
        const auto& board = boards_[i];
        if (board.told && !board.present) {
            outputs_.pop_front();
            continue;
        }
        const bool again = std::any_of(held_.begin(), held_.end(),
                                       [&](const held& h) { return h.board == i && h.channel == order.channel; });
        if (!board.dropped || again || now + longest_ms(line_action::kind::output, i) > next_end(now)) {
            wake = std::min(wake, std::max(now + 1, std::min(next_end(now), next_release())));
            return false;
        }
        if (!polled_) {
            return false;  // somebody may stand at a door: a poll goes between two lamps
        }
        polled_ = false;
        outputs_.pop_front();
        ask(line_action::kind::output, i);
        current_.channel = order.channel;
        current_.length_ms = order.length_ms;
        hold(i, order.channel, no_supply, now + order.length_ms);
        return true;
    }
    return false;
}

void bus_master::return_orders() {
    outputs_.clear();
    for (const auto& order : orders_) {
        reports_.emplace_back(pulse_report{order.opening, order.attempt, pulse_result::not_sent});
    }
    orders_.clear();
}

void bus_master::done(const line_answer& answer, std::int64_t now) {
    line_open_ = answer.line_open;
    switch (current_.what) {
        case line_action::kind::wait:
            break;
        case line_action::kind::open:
            opened(answer, now);
            break;
        case line_action::kind::drop:
        case line_action::kind::read:
            asked(answer, now);
            break;
        case line_action::kind::pulse:
            pulsed(answer, now);
            break;
        case line_action::kind::release:
            released(answer, now);
            break;
        case line_action::kind::output:
            ++counters_.requests;
            let_go_unless_sent(answer);
            break;
    }
}

// What was sent may be on, whatever was answered.
void bus_master::let_go_unless_sent(const line_answer& answer) {
    if (answer.result == line_result::not_sent) {
        std::erase_if(held_, [&](const held& h) { return h.board == current_.board && h.channel == current_.channel; });
    }
}

void bus_master::opened(const line_answer& answer, std::int64_t now) {
    if (line_open_ != line_told_up_ || !line_told_) {
        line_told_up_ = line_open_;
        line_told_ = true;
        reports_.emplace_back(line_report{line_name_, line_open_, answer.why});
    }
    if (line_open_) {
        reopen_pause_ = 0;
        for (auto& b : boards_) {
            b.dropped = false;  // whoever was there may have gone, or have been started again
        }
        return;
    }
    for (std::size_t i = 0; i < boards_.size(); ++i) {
        while (!turns_.lost(static_cast<int>(i))) {
            turns_.silent(static_cast<int>(i), now, 0);
        }
        heard(i, false);
    }
    reopen_pause_ = std::clamp(reopen_pause_ * 2, reopen_first_ms, reopen_longest_ms);
    reopen_at_ = now + reopen_pause_;
}

void bus_master::asked(const line_answer& answer, std::int64_t now) {
    auto& b = boards_[current_.board];
    const auto id = static_cast<int>(current_.board);
    ++counters_.requests;
    if (answer.result != line_result::ok) {
        missed(current_.board, now);
        return;
    }
    b.waits.answered(answer.took_us);
    if (current_.what == line_action::kind::drop) {
        b.dropped = true;  // its first read follows: it is still the one that waited longest
        std::erase_if(held_, [&](const held& h) { return h.board == current_.board; });
        return;
    }
    turns_.answered(id, now);
    heard(current_.board, true);
    if (b.board.profile.inputs > 0 && (!b.read || b.bits != answer.bits)) {
        b.read = true;
        b.bits = answer.bits;
        reports_.emplace_back(inputs_report{b.board.index, b.bits, now});
    }
}

void bus_master::missed(std::size_t board, std::int64_t now) {
    const auto id = static_cast<int>(board);
    ++counters_.failures;
    turns_.silent(id, now, whole_ms(current_.timeout_us));
    heard(board, false);
    if (turns_.lost(id)) {  // the first thing it hears when it is back is that all its relays drop
        boards_[board].dropped = false;
    }
    for (auto& h : held_) {  // it may be on: it is told again and again, whoever waits, lost or not
        if (h.board == board && h.until <= now) {
            const bool urgent = now - h.until < hold_urgent_ms && h.supply != no_supply;  // a lamp burns nothing out
            h.again = now + (!turns_.lost(id) ? 0 : urgent ? hold_retry_ms : hold_patient_ms);
        }
    }
}

void bus_master::released(const line_answer& answer, std::int64_t now) {
    ++counters_.requests;
    if (answer.result != line_result::ok) {
        missed(current_.board, now);  // again at once, or with the drop of all its relays
        return;
    }
    std::erase_if(held_, [&](const held& h) { return h.board == current_.board && h.channel == current_.channel; });
}

void bus_master::pulsed(const line_answer& answer, std::int64_t now) {
    ++counters_.pulses;
    ++counters_.requests;
    let_go_unless_sent(answer);
    const int contact_board = locks_.at(sending_.compartment).contact_board;
    if (contact_board >= 0) {
        turns_.watch(static_cast<int>(local(contact_board)), now + sending_.watch_ms);
    }
    reports_.emplace_back(pulse_report{sending_.opening, sending_.attempt, result_of(answer.result), now});
}

// Presence as the turns see it, told at changes.
void bus_master::heard(std::size_t i, bool answered) {
    auto& b = boards_[i];
    const auto id = static_cast<int>(i);
    const bool present = answered || (b.present && !turns_.lost(id));
    const bool decided = answered || turns_.lost(id);
    if (decided && (present != b.present || !b.told)) {
        b.present = present;
        b.told = true;
        b.read = false;
        b.dropped = b.dropped && present;
        reports_.emplace_back(board_report{b.board.index, present});
    }
}

}  // namespace locker
