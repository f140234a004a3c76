// Residents and staff at the doors.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "tests/simulation/town.hpp"

namespace sim {

// What a keypad or scanner reads; gives the answer's error code, or "ok".
answer town::type(const std::string& via, const std::string& text) {
    answer a(world_);
    process_->enter(via, text,
                    [a](const std::string& reply) mutable { a.give(reply.empty() ? "gone" : error_of(reply)); });
    return a;
}

answer town::enter(const std::string& via, const std::string& text) {
    answer a(world_);
    process_->enter(via, text, [a](std::string reply) mutable { a.give(std::move(reply)); });
    a.at_latest(minute, "");  // a cabinet that died never answers
    return a;
}

// A grant as a QR code at the front. It may be shown once more, or be photographed.
answer town::show_slip(const std::string& act, const std::string& dep) {
    const std::string slip = token(act, dep, 0, true, true, 3600);
    slips_.emplace_back(slip, dep);
    if (swarm_.clumsy && world_.rng.chance(300)) {
        world_.after(world_.rng.between(500, 60'000), [this, slip] { (void)type("scanner", slip); });
    }
    return type("scanner", slip);
}

// Somebody whom the cabinet let in stands at an open door: what lies there is theirs, or nobody's.
void town::look_inside(int number, const std::string& wanted) {
    const auto& d = hardware_.at(number);
    for (const auto& p : d.papers) {
        auditor_.somebody_found(number, wanted, p);
    }
}

bool town::put_in(int number, const std::string& dep) {
    auto& d = hardware_.at(number);
    if (!d.open || held_.count(dep) == 0) {
        return false;
    }
    look_inside(number, dep);
    d.papers.insert(dep);
    held_.erase(dep);
    world_.note("papers.in", dep);
    return true;
}

bool town::take_out(int number, const std::string& dep) {
    auto& d = hardware_.at(number);
    if (!d.open || d.papers.count(dep) == 0) {
        return false;
    }
    d.papers.erase(dep);
    taken_.insert(dep);
    world_.note("papers.out", dep);
    return true;
}

// Papers in, by a grant over MQTT. Gives "ok" when they lie inside.
actor town::deposit(std::string dep, answer done, bool plain) {
    held_.insert(dep);
    for (int tries = 0; tries < 6 && held_.count(dep) != 0; ++tries) {
        const bool local = !plain && world_.rng.chance(200);
        std::string said;
        if (local) {
            answer a = show_slip("deposit", dep);
            said = co_await a;
        } else {
            answer sent = command("open", {}, token("deposit", dep, 0, false));
            const std::string reply = co_await sent;
            said = error_of(reply);
        }
        ++world_.met["deposit." + said];
        if (said == "no_vacancy" || said == "wrong_state") {
            co_await pause{world_, plain ? 5000 : world_.rng.between(1, 60) * minute};
            continue;
        }
        co_await pause{world_, plain ? 3000 : world_.rng.between(500, 9000)};
        const int n = where(dep);
        if (n != 0 && hardware_.at(n).open) {
            const bool springs = swarm_.clumsy && world_.now - hardware_.at(n).opened_at < 1000;
            const bool nothing = swarm_.clumsy && !springs && world_.rng.chance(40);
            if (nothing) {  // puts nothing in, shuts the door and sees it then
                ++world_.met["people.put_nothing_in"];
                co_await pause{world_, world_.rng.between(2500, 9000)};
            }
            if (springs || nothing) {
                hardware_.shut(n);
                co_await pause{world_, 3000};
                continue;
            }
            co_await pause{world_, plain ? 2000 : world_.rng.between(500, 20'000)};
            if (put_in(n, dep)) {
                co_await pause{world_, plain ? 2000 : world_.rng.between(1000, 9000)};
                if (swarm_.clumsy && world_.rng.chance(50)) {
                    co_await pause{world_, world_.rng.between(1, 30) * minute};
                }
                hardware_.shut(n);
                break;
            }
        }
        co_await pause{world_, plain ? 4000 : world_.rng.between(2000, 200'000)};
    }
    if (held_.count(dep) != 0) {
        held_.erase(dep);  // gives up and goes to the counter
        done.give("gave up");
        co_return;
    }
    owners_.insert(dep);
    co_await pause{world_, 3000};
    for (int tries = 0; tries < 5; ++tries) {
        answer sent = confirm(dep);
        const std::string reply = co_await sent;
        if (error_of(reply) == "ok") {
            break;
        }
        co_await pause{world_, plain ? 5000 : world_.rng.between(5000, 600'000)};
    }
    done.give("ok");
}

// Papers out, by a code at the keypad, or by a grant.
actor town::collect(std::string dep, bool by_code, answer done, bool plain) {
    const auto& issue = issues_[dep];
    for (int tries = 0; tries < 12 && taken_.count(dep) == 0; ++tries) {
        std::string said;
        if (by_code) {
            std::string text = code(dep, issue);
            if (swarm_.clumsy && world_.rng.chance(150)) {
                text[static_cast<std::size_t>(world_.rng.below(9))] = static_cast<char>('0' + world_.rng.below(10));
            }
            if (locked_) {
                text = std::to_string(where(dep)) + "#" + text;
            }
            if (swarm_.attacker && world_.rng.chance(400)) {
                photographed(text, dep);
            }
            answer a = type("keypad", text);
            if (swarm_.clumsy && world_.rng.chance(50)) {
                (void)type("keypad", text);  // presses twice
            }
            said = co_await a;
            locked_ = said == "locked_out" || (locked_ && said == "ok");
        } else if (!plain && world_.rng.chance(200)) {
            answer a = show_slip("collect", dep);
            said = co_await a;
        } else {
            answer sent = command("open", {}, token("collect", dep, 0, false));
            const std::string reply = co_await sent;
            said = error_of(reply);
        }
        ++world_.met["collect." + said];
        co_await pause{world_, plain ? 1500 : world_.rng.between(300, 6000)};
        const int n = where(dep);
        if (n != 0 && hardware_.at(n).open) {
            look_inside(n, dep);
            if (swarm_.clumsy && world_.now - hardware_.at(n).opened_at < 1000) {
                hardware_.shut(n);
                co_await pause{world_, 3000};
                continue;
            }
            co_await pause{world_, plain ? 2500 : world_.rng.between(2500, 20'000)};
            take_out(n, dep);
            co_await pause{world_, plain ? 1500 : world_.rng.between(500, 9000)};
            hardware_.shut(n);
            if (swarm_.clumsy && world_.rng.chance(150)) {  // came back for what was forgotten: once more
                co_await pause{world_, world_.rng.between(5000, 50'000)};
                answer again = type("keypad", code(dep, issue));
                const std::string more = co_await again;
                ++world_.met["grace." + more];
                co_await pause{world_, 4000};
                if (more == "ok") {
                    hardware_.shut(n);
                }
            }
            break;
        }
        if (said == "wrong_code" && tries % 2 == 1) {
            another_issue(dep);
        }
        co_await pause{world_, plain ? 5000 : world_.rng.between(5000, 900'000)};
    }
    done.give(taken_.count(dep) != 0 ? "ok" : "not yet");
}

actor town::one_story(std::string name, std::int64_t after, bool plain) {
    co_await pause{world_, after};
    ++stories_;
    const std::string intake = "in-" + name;
    const std::string back = "back-" + name;
    answer put(world_);
    deposit(intake, put, plain);
    if (co_await put != "ok") {
        co_return;
    }
    co_await pause{world_, plain ? 20'000 : world_.rng.between(10, 600) * minute};
    answer fetched(world_);
    collect(intake, false, fetched, plain);
    if (co_await fetched != "ok") {
        co_return;  // it stays for the end
    }
    co_await pause{world_, plain ? 90'000 : world_.rng.between(10, 600) * minute};
    answer returned(world_);
    deposit(back, returned, plain);
    if (co_await returned != "ok") {
        co_return;
    }
    co_await pause{world_, plain ? 20'000 : world_.rng.between(10, 900) * minute};
    answer gone(world_);
    collect(back, true, gone, plain);
    (void)co_await gone;
}

actor town::residents() {
    int n = 0;
    while (world_.now < options_.days * day - 4 * hour) {
        co_await pause{world_, world_.rng.between(1, 280) * minute};
        one_story(std::to_string(++n), 0, false);
    }
}

// Staff on their round: whatever is suspected is opened and settled.
actor town::staff() {
    while (!peaceful_) {
        co_await pause{world_, world_.rng.between(3, 12) * hour};
        answer visit(world_);
        at_the_keypad(visit);
        visit.at_latest(hour, "");
        (void)co_await visit;
        answer round(world_);
        settle_all(round);
        (void)co_await round;
    }
}

actor town::settle_all(answer done) {
    for (const auto& d : hardware_.doors) {
        const int n = d.number;
        const auto at = broker_.retained.find("compartment/" + std::to_string(n));
        if (at == broker_.retained.end() || at->second.find(R"("use":"suspected")") == std::string::npos) {
            continue;
        }
        answer sent = command("open", {}, token("settle", "", n, false));
        const std::string reply = co_await sent;
        ++world_.met["settle." + error_of(reply)];
        co_await pause{world_, 5000};
        if (hardware_.at(n).open) {
            empty(n);
            co_await pause{world_, 3000};
            hardware_.shut(n);
            co_await pause{world_, 3000};
        }
    }
    done.give("done");
}

// Staff take out what lies in a compartment that they were sent to look into: its owner is called.
void town::empty(int n) {
    auto& d = hardware_.at(n);
    for (const auto& p : d.papers) {
        taken_.insert(p);
        world_.note("papers.rescued", p);
    }
    d.papers.clear();
}

// Phone or not: a code at the keypad, with the door's number when it is locked out.
actor town::last_chance(std::string dep, bool& over) {
    answer word = confirm(dep);
    (void)co_await word;
    const auto& issue = issues_[dep];
    for (int tries = 0; tries < 16 && taken_.count(dep) == 0; ++tries) {
        const int n = where(dep);
        const auto state = auditor_.deposits().find(dep);
        // A contact that lied had the opening called jammed: the same grant opens its compartment again.
        const bool reserved = state != auditor_.deposits().end() && state->second == "reserved";
        answer a = reserved ? type("scanner", token("deposit", dep, 0, true, true, 3600))
                            : type("keypad", fmt::format("{}#{}", n, code(dep, issue)));
        last_said_ = co_await a;
        ++world_.met["last." + last_said_];
        co_await pause{world_, 4000};
        if (hardware_.at(n).open) {
            look_inside(n, dep);
            take_out(n, dep);
            hardware_.shut(n);
            co_await pause{world_, 3000};
            break;
        }
        if (last_said_ == "wrong_code") {
            another_issue(dep);
        }
        if (last_said_ == "wrong_code" || last_said_ == "locked_out") {
            co_await pause{world_, 13 * hour};
        }
    }
    over = true;
}

}  // namespace sim
