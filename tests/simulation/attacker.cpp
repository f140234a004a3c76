// Those who mean ill: who guesses at the keypad, who replays, forges, holds back and floods, who photographs codes, and
// a broker's operator gone bad.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <tuple>

#include "protocol/code.hpp"
#include "protocol/timestamp.hpp"
#include "tests/simulation/town.hpp"

namespace sim {

actor town::attacker() {
    while (!peaceful_) {
        co_await pause{world_, world_.rng.between(1, 240) * minute};
        ++world_.met["attack"];
        switch (world_.rng.below(15)) {
            case 0:
                guess();
                break;
            case 1:
                replay();
                break;
            case 2:
                forge(1);
                break;
            case 3:
                forge(12);
                break;
            case 4:
                smuggle();
                break;
            case 5:
                litter();
                break;
            case 6:
                held_back();
                break;
            case 7:
                stolen_code();
                break;
            case 8:
                over_a_restart();
                break;
            case 9:
                guess_staff();
                break;
            case 10:
                staff_code_again();
                break;
            case 11:
                touch_session();
                break;
            case 12:
                revoked_key();
                break;
            case 13:
                foreign_code();
                break;
            default:
                slip_again();
        }
    }
}

// Guesses with a right check digit, at the keypad, and then at one door. Who can, pulls the plug in between, and sets
// the clock on.
actor town::guess() {
    const bool pulls = swarm_.powers || swarm_.kills;
    const int n = any_door().number;
    for (int i = 0; i < 40; ++i) {
        const auto eight = static_cast<std::uint32_t>(world_.rng.below(100'000'000));
        const auto nine = fmt::format("{:08}{}", eight, locker::luhn_digit(eight));
        (void)type("keypad", i < 30 ? nine : fmt::format("{}#{}", n, nine));
        co_await pause{world_, world_.rng.between(100, 4000)};
        if (i == 15 && pulls) {
            if (swarm_.clock && world_.rng.chance(500)) {
                auditor_.clock_faulty = true;
                process_->clock.synchronised = false;
                process_->clock.offset_ms = world_.rng.between(1, 30) * day;
                world_.after(hour, [this] { process_->clock.right(); });
            }
            process_->power();
            co_await pause{world_, 2 * minute};
        }
    }
}

// A genuine grant, kept back until the cabinet was started anew.
actor town::over_a_restart() {
    const int n = any_door().number;
    const std::string old = token("open", "", n, false);
    if (!swarm_.kills) {
        co_return;
    }
    process_->kill();
    co_await pause{world_, world_.rng.between(5000, 40'000)};
    ++world_.met["attack.over_a_restart"];
    (void)command("open", {}, old);
}

// Whoever is let in takes what lies there, and shuts the door.
actor town::take_with(std::string via, std::string text, std::string dep) {
    answer a = type(via, text);
    const std::string said = co_await a;
    co_await pause{world_, 3000};
    const int n = where(dep);
    if (said == "ok" && n != 0) {
        take_out(n, dep);
        hardware_.shut(n);
    }
}

// A QR code that was used, or not, at the front, by who photographed it. A genuine one gives the papers: it is what it
// is for.
void town::slip_again() {
    if (slips_.empty()) {
        return;
    }
    ++world_.met["attack.slip_again"];
    const auto [slip, dep] =
        slips_[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(slips_.size())))];
    take_with("scanner", slip, dep);
}

// An operator who replays what passed the broker: the same, and under another id.
void town::replay() {
    if (captured_.empty()) {
        return;
    }
    const bool newest = world_.rng.chance(500);
    const auto i = newest ? captured_.size() - 1
                          : static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(captured_.size())));
    const auto& [name, payload] = captured_[i];
    broker_.command(name, payload);
    auto o = boost::json::parse(payload).as_object();
    o["id"] = "evil-" + std::to_string(++ids_);
    o["expires_at"] = locker::format_time(world_.true_wall() + 60'000);
    broker_.command(name, boost::json::serialize(o));
}

// Grants under a key that is not the portal's, and payloads that are no JSON.
void town::forge(int times) {
    for (int i = 0; i < times; ++i) {
        const int n = any_door().number;
        broker_.command("open", "{\"id\":\"x" + std::to_string(i) + "\",\"expires_at\":");
        (void)command("open", {}, token("open", "", n, false, false));
    }
}

// A QR code for the front, sent over MQTT, and the other way round.
void town::smuggle() {
    (void)command("open", {}, token("open", "", 1, true));
    (void)type("scanner", token("open", "", 1, false));
}

// Retained trash: a stale will, alarms that are none, commands that the broker keeps.
void town::litter() {
    broker_.put_retained("status", R"({"online":false})");
    broker_.put_retained("alarm/forced/1", R"({"since":"2026-01-01T00:00:00.000Z"})");
    if (!captured_.empty()) {
        broker_.put_retained("command/" + captured_.back().first, captured_.back().second);
        broker_.retained.erase("command/" + captured_.back().first);
    }
}

// A genuine grant, held back until it has expired.
actor town::held_back() {
    const int n = any_door().number;
    const std::string late = token("open", "", n, false);
    co_await pause{world_, world_.rng.between(1, 30) * minute};
    answer sent = command("open", {}, late);
    const std::string reply = co_await sent;
    co_await pause{world_, 20'000};
    if (error_of(reply) == "ok") {  // the cabinet's clock was wrong
        hardware_.shut(n);
    }
}

actor town::guess_all_day() {
    while (true) {
        co_await pause{world_, 10 * minute};
        const auto eight = static_cast<std::uint32_t>(world_.rng.below(100'000'000));
        answer a = type("keypad", fmt::format("{:08}{}", eight, locker::luhn_digit(eight)));
        const std::string said = co_await a;
        ++world_.met["guess." + said];
    }
}

// Somebody who knows a number guesses at its code, for hours, and pulls the plug.
actor town::guess_staff() {
    if (workers_.empty()) {
        co_return;
    }
    const worker who = workers_[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(workers_.size())))];
    const bool pulls = swarm_.powers || swarm_.kills;
    const bool patient = world_.rng.chance(600);
    ++world_.met["attack.guess_staff"];
    for (int i = 0; i < 25 && !peaceful_; ++i) {
        const auto code = world_.rng.below(1'000'000);
        (void)type("keypad", fmt::format("{}#{:06}", who.number, code));
        co_await pause{world_, patient ? world_.rng.between(31, 40) * minute : world_.rng.between(100, 4000)};
        if (i == 9) {  // the colleague comes
            (void)type("keypad", staff_code(who));
            (void)type("keypad", "0#0");
            co_await pause{world_, minute};
        }
        if (i % 8 == 5 && pulls) {
            process_->power();
            co_await pause{world_, 2 * minute};
        }
    }
}

// A staff code that somebody watched, once more: at once, or when its time is over.
void town::staff_code_again() {
    if (staff_codes_.empty()) {
        return;
    }
    ++world_.met["attack.staff_code_again"];
    const auto& who = workers_[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(workers_.size())))];
    const std::string code = world_.rng.chance(500) ? staff_codes_.back() : staff_code(who);  // … or never typed
    world_.after(world_.rng.between(2, 9) * minute, [this, code] { (void)type("keypad", code); });
}

// A genuine grant for the front, kept until all such were revoked.
actor town::out_of_the_drawer() {
    const int n = any_door().number;
    const std::string kept = token("open", "", n, true, true, 3600);
    ++world_.met["attack.out_of_the_drawer"];
    co_await pause{world_, world_.rng.between(1, 20) * minute};
    answer a = type("scanner", kept);
    a.at_latest(minute, "gone");
    const std::string said = co_await a;
    co_await pause{world_, 4000};
    if (said == "ok" && hardware_.at(n).open) {  // the revocation never came
        hardware_.shut(n);
    }
}

// Whoever passes a keypad that staff have left takes what its session still opens.
actor town::touch_session() {
    ++world_.met["attack.touch_session"];
    const std::string line = world_.rng.chance(500) ? "0" : std::to_string(any_door().number);
    answer sent = enter("keypad", line);
    const std::string reply = co_await sent;
    if (error_of(reply) == "ok") {
        ++world_.met["attack.touched"];
        leave_with(static_cast<int>(boost::json::parse(reply).at("result").at("compartment").as_int64()));
    }
}

// Grants under a key that the ring does not hold any more.
void town::revoked_key() {
    if (old_keys_.empty()) {
        return;
    }
    ++world_.met["attack.revoked_key"];
    const auto now = std::pair(kid_, seed_);
    std::tie(kid_, seed_) = old_keys_.back();
    (void)command("open", {}, token("open", "", any_door().number, false));
    (void)type("scanner", token("open", "", any_door().number, true));
    std::tie(kid_, seed_) = now;
}

// Codes and staff codes of another cabinet, whose whole disk somebody has.
void town::foreign_code() {
    ++world_.met["attack.foreign_code"];
    locker::key256 other{};
    other.fill(0x77);
    if (!owners_.empty()) {
        (void)type("keypad", locker::pickup_code(locker::deposit_key(other, *owners_.begin()), 0));
    }
    if (!workers_.empty()) {
        const auto step = world_.true_wall() / 1000 / 30;
        (void)type("keypad", fmt::format("{}#{:06}", workers_[0].number,
                                         locker::totp6(locker::staff_key(other, workers_[0].number), step)));
    }
}

// A code over somebody's shoulder, typed again when they have gone, and once more later.
actor town::photographed(std::string text, std::string dep) {
    ++world_.met["attack.photographed"];
    for (int i = 0; i < 2; ++i) {
        co_await pause{world_, world_.rng.between(2, 40) * minute};
        take_with("keypad", text, dep);
    }
}

// Somebody else's slip: who holds a genuine code gets the papers, it is what it is for.
void town::stolen_code() {
    if (owners_.empty()) {
        return;
    }
    auto at = owners_.begin();
    std::advance(at, world_.rng.below(static_cast<std::int64_t>(owners_.size())));
    const std::string dep = *at;
    ++world_.met["attack.stolen_code"];
    take_with("keypad", code(dep, world_.rng.chance(700) ? issues_[dep] : 0), dep);
}

}  // namespace sim
