// Grid workers with staff codes, and the office that says who they are, which keys sign, and what is revoked.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "protocol/code.hpp"
#include "tests/simulation/town.hpp"

namespace sim {

using boost::json::array;
using boost::json::object;

// The office's day: a roster first, then changes as they come.
actor town::office() {
    workers_ = {{"4711", {"collect_intake", "deposit_return", "settle", "move"}, false},
                {"4712", {"collect_intake", "deposit_return", "reclaim_overdue", "maintain"}, false},
                {"4713", {"open_any", "settle"}, false}};
    co_await pause{world_, 30 * second};
    send_roster();
    while (!peaceful_) {
        co_await pause{world_, world_.rng.between(1, 12) * hour};
        switch (world_.rng.below(6)) {
            case 0: {
                auto& colleague =
                    workers_[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(workers_.size())))];
                colleague.suspended = !colleague.suspended;
                send_roster();
                break;
            }
            case 1:
                send_ring();
                break;
            case 2:
                ++world_.met["office.revoke_all"];
                if (swarm_.attacker) {
                    out_of_the_drawer();
                    co_await pause{world_, 2 * second};
                }
                (void)command("open", {}, token("revoke", "", 0, false));
                break;
            case 3: {  // a lost phone
                if (owners_.empty()) {
                    break;
                }
                const std::string dep = *owners_.rbegin();
                ++world_.met["office.revoke_issues"];
                if (swarm_.attacker) {
                    photographed(code(dep, issues_[dep]), dep);
                }
                (void)command("open", {}, token("revoke", dep, 0, false));
                break;
            }
            case 4: {
                const auto& who = workers_.front();
                ++world_.met["office.lift"];
                (void)command("open", {}, token("staff", who.number, 0, false));
                break;
            }
            default: {
                if (owners_.empty()) {
                    break;
                }
                rebind(*owners_.begin());
            }
        }
    }
}

void town::send_roster() {
    const std::string jti = "jti-" + std::to_string(++ids_);
    const std::int64_t now_s = world_.true_wall() / 1000;
    array members;
    auditor::roster people;
    for (const auto& w : workers_) {
        array permits;
        for (const auto& p : w.permits) {
            permits.emplace_back(p);
        }
        members.push_back(object{{"number", w.number}, {"permits", std::move(permits)}, {"suspended", w.suspended}});
        people[w.number] = {{w.permits.begin(), w.permits.end()}, w.suspended};
    }
    auditor_.issued_grant({"roster", "", 0, jti, (now_s + 60) * 1000, 0, epoch_, "root", now_s});
    auditor_.issued_roster(jti, std::move(people));
    const object claims{{"aud", cabinet_id},
                        {"jti", jti},
                        {"iat", now_s},
                        {"exp", now_s + 60},
                        {"epoch", epoch_.empty() ? "none" : epoch_},
                        {"act", "roster"},
                        {"version", ++rosters_},
                        {"staff", std::move(members)}};
    (void)command("roster", {}, locker::mint_grant(claims, {"root", root_}));
}

// A new issuer key, and the end of the old one, in one ring.
void town::send_ring() {
    const std::string jti = "jti-" + std::to_string(++ids_);
    const std::int64_t now_s = world_.true_wall() / 1000;
    const std::string kid = fmt::format("portal-{}", ++rings_);
    locker::key256 seed{};
    seed.fill(static_cast<std::uint8_t>(100 + rings_));
    array acts;
    for (const auto* act : portal_acts) {
        acts.emplace_back(act);
    }
    const object key{{"kty", "OKP"},
                     {"crv", "Ed25519"},
                     {"kid", kid},
                     {"x", locker::to_base64url(locker::ed25519_public(seed))},
                     {"acts", std::move(acts)}};
    auditor_.issued_grant({"keys", "", 0, jti, (now_s + 60) * 1000, 0, epoch_, "root", now_s});
    auditor_.issued_ring(jti, {kid});
    const object claims{{"aud", cabinet_id},
                        {"jti", jti},
                        {"iat", now_s},
                        {"exp", now_s + 60},
                        {"epoch", epoch_.empty() ? "none" : epoch_},
                        {"act", "keys"},
                        {"version", rings_},
                        {"keys", array{key}}};
    (void)command("keys", {}, locker::mint_grant(claims, {"root", root_}));
}

// As the phone of this worker shows it.
std::string town::staff_code(const worker& who, std::int64_t steps) {
    const auto& key = two_generations_ && who.number == "4712" ? old_key_ : key_;
    const std::int64_t step = world_.true_wall() / 1000 / locker::totp_period_s + steps;
    const auto totp = fmt::format("{:06}", locker::totp6(locker::staff_key(key, who.number), step));
    auditor_.issued_staff_code(std::stoi(who.number), totp, step);
    staff_codes_.push_back(who.number + "#" + totp);
    return staff_codes_.back();
}

// Whatever lies behind an opened door goes with staff, who shut it.
actor town::leave_with(int number) {
    co_await pause{world_, world_.rng.between(2000, 6000)};
    if (hardware_.at(number).open) {
        empty(number);
        co_await pause{world_, world_.rng.between(2000, 5000)};
        hardware_.shut(number);
    }
}

// A worker signs in, goes through the worklist, and leaves; now and then without signing out.
actor town::at_the_keypad(answer done) {
    if (workers_.empty()) {
        done.give("nobody");
        co_return;
    }
    const worker who = workers_[static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(workers_.size())))];
    const bool shows_grant = world_.rng.chance(200);
    const std::string credential =
        shows_grant ? token("staff", who.number, 0, true, true, 3600) : staff_code(who, world_.rng.between(-1, 1));
    answer in = type(shows_grant ? "scanner" : "keypad", credential);
    in.at_latest(minute, "gone");
    const std::string said = co_await in;
    ++world_.met["sign_in." + said];
    if (said == "ok" && !shows_grant && swarm_.attacker && world_.rng.chance(400)) {
        world_.after(world_.rng.between(500, 20'000), [this, credential] { (void)type("keypad", credential); });
    }
    for (int i = 0; said == "ok" && i < 6; ++i) {
        const int n = any_door().number;
        const std::string line = world_.rng.chance(600)   ? "0"
                                 : world_.rng.chance(300) ? fmt::format("{}#3", n)
                                 : world_.rng.chance(300) ? fmt::format("{}#2", n)
                                                          : std::to_string(n);
        answer sent = enter("keypad", line);
        const std::string reply = co_await sent;
        ++world_.met["deed." + error_of(reply)];
        if (error_of(reply) == "ok") {
            const auto opened = boost::json::parse(reply).at("result").as_object();
            leave_with(static_cast<int>(opened.at("compartment").as_int64()));
        } else if (reply.empty() || error_of(reply) == "unknown_outcome") {
            // The cabinet died, or could not see: a door that opened all the same is looked into.
            co_await pause{world_, reply.empty() ? 30 * second : 2 * second};
            if (const int door = auditor_.door_of(who.number); door != 0 && hardware_.at(door).open) {
                leave_with(door);
            }
        }
        co_await pause{world_, world_.rng.between(12'000, 60'000)};
    }
    if (world_.rng.chance(600)) {
        (void)type("keypad", "0#0");
    }
    done.give("done");
}

std::vector<int> town::free_doors() const {
    std::vector<int> out;
    for (const auto& d : hardware_.doors) {
        const auto at = broker_.retained.find("compartment/" + std::to_string(d.number));
        if (at != broker_.retained.end() && at->second.find(R"("use":"vacant")") != std::string::npos) {
            out.push_back(d.number);
        }
    }
    return out;
}

// Papers lie behind another door than the cabinet believes: staff say so, and then carry them there.
actor town::rebind(std::string dep) {
    const int from = where(dep);
    const auto free = free_doors();
    if (from == 0 || free.empty()) {
        co_return;
    }
    const int to = free.front();
    answer sent = command("open", {}, token("move", dep, to, false));
    const std::string reply = co_await sent;
    ++world_.met["move." + error_of(reply)];
    if (error_of(reply) != "ok" || hardware_.at(from).papers.count(dep) == 0) {
        co_return;  // what was moved without an answer stays suspected: staff find it there
    }
    co_await pause{world_, 3000};
    answer settled = command("open", {}, token("settle", "", from, false));
    (void)co_await settled;
    co_await pause{world_, 3000};
    if (!hardware_.at(from).open || hardware_.at(from).papers.count(dep) == 0) {
        co_return;
    }
    empty(from);  // in staff's hands
    hardware_.shut(from);
    co_await pause{world_, 3000};
    answer there = command("open", {}, token("open", "", to, false));
    if (error_of(co_await there) != "ok") {
        co_return;
    }
    co_await pause{world_, 2000};
    const auto state = auditor_.deposits().find(dep);
    const bool lives = state != auditor_.deposits().end() &&
                       (state->second == "deposited" || state->second == "confirmed") && where(dep) == to;
    if (hardware_.at(to).open) {
        if (lives) {
            hardware_.at(to).papers.insert(dep);
            taken_.erase(dep);
            world_.note("papers.rebound", dep);
        }
        co_await pause{world_, 3000};
        hardware_.shut(to);
    }
}

}  // namespace sim
