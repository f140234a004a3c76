// The portal: grants and codes as the scanning flow issues them, commands over the broker, and what it hears.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "protocol/code.hpp"
#include "protocol/timestamp.hpp"
#include "tests/simulation/town.hpp"

namespace sim {

using boost::json::object;

void town::heard(const std::string& topic, const std::string& payload) {
    if (topic == "status") {
        const auto o = boost::json::parse(payload).as_object();
        if (const auto* e = o.if_contains("epoch")) {
            epoch_ = e->as_string().c_str();
        }
    } else if (topic.starts_with("reply/")) {
        const auto o = boost::json::parse(payload).as_object();
        const auto at = replies_.find(o.at("id").as_string().c_str());
        if (at != replies_.end()) {
            at->second.give(payload);
            replies_.erase(at);
        }
    } else if (topic == "event/opening.opened") {
        const auto event = boost::json::parse(payload).as_object();
        const auto& data = event.at("data").as_object();
        if (data.at("by").as_string() == "code" && spent_.insert(event.at("sequence").as_string().c_str()).second) {
            const std::string dep = data.at("deposit").as_string().c_str();
            issues_[dep] = std::max(issues_[dep], ++first_issue_[dep]);
        }
    } else if (topic == "event/credential.revoked") {
        const auto data = boost::json::parse(payload).as_object().at("data").as_object();
        if (const auto* min = data.if_contains("issue_min")) {
            const std::string dep = data.at("deposit").as_string().c_str();
            first_issue_[dep] = std::max(first_issue_[dep], min->to_number<std::uint64_t>());
            issues_[dep] = std::max(issues_[dep], first_issue_[dep]);
        } else if (data.contains("reason") && data.at("reason").as_string() == "keys" &&
                   data.at("document").as_int64() > ring_heard_) {
            ring_heard_ = data.at("document").as_int64();
            old_keys_.emplace_back(kid_, seed_);
            kid_ = fmt::format("portal-{}", ring_heard_);
            seed_.fill(static_cast<std::uint8_t>(100 + ring_heard_));
        }
    } else if (topic.starts_with("event/deposit.reserved") || topic.starts_with("event/deposit.moved")) {
        const auto data = boost::json::parse(payload).as_object().at("data").as_object();
        places_[data.at("deposit").as_string().c_str()] = static_cast<int>(data.at("compartment").as_int64());
    }
}

std::string town::token(const std::string& act, const std::string& dep, int compartment, bool local, bool genuine,
                        std::int64_t life_s) {
    const std::int64_t now_s = world_.true_wall() / 1000;
    const std::string jti = "jti-" + std::to_string(++ids_);
    const std::string kid = kid_;
    object claims{{"aud", cabinet_id}, {"jti", jti}, {"iat", now_s}, {"exp", now_s + life_s}, {"act", act}};
    if (act == "staff") {
        claims["sub"] = dep;
    } else if (!dep.empty()) {
        claims["dep"] = dep;
    }
    if (act == "revoke" && !dep.empty()) {
        claims["issue_min"] = issues_[dep] + 1;
    }
    if (act == "deposit") {
        claims["kind"] = dep.starts_with("back") ? "return" : "intake";
    }
    if (compartment != 0) {
        claims["cmp"] = compartment;
    }
    if (!local) {
        claims["epoch"] = epoch_.empty() ? "none" : epoch_;
    }
    if (genuine) {
        auditor_.issued_grant({act, dep, compartment, jti, (now_s + life_s) * 1000, 0,
                               local            ? ""
                               : epoch_.empty() ? "none"
                                                : epoch_,
                               kid, now_s});
    }
    return locker::mint_grant(claims, {kid, genuine ? seed_ : forged_});
}

std::string town::code(const std::string& dep, std::uint64_t issue) {
    const auto& key = two_generations_ && dep.size() % 2 == 0 ? old_key_ : key_;
    const std::string text = locker::pickup_code(locker::deposit_key(key, dep), issue);
    auditor_.issued_code(text, dep, issue);
    return text;
}

// The phone shows another one. A cabinet tries five issues from the last that it accepted: what was never seen to open
// a door is not left further behind than that.
void town::another_issue(const std::string& dep) {
    auto& issue = issues_[dep];
    issue = issue < first_issue_[dep] + 4 ? issue + 1 : first_issue_[dep];
}

// Sends a command, again with the same id while nothing comes back, and gives the reply, or "".
answer town::command(const std::string& name, object args, const std::string& grant) {
    const std::string id = "id-" + std::to_string(++ids_);
    answer a(world_);
    replies_.emplace(id, a);
    // A trusted clock that lied has lifted the cabinet's floor: who reads events afterwards gives it time.
    const std::int64_t lives = peaceful_ ? 30 * day : minute;
    object m{{"id", id},
             {"expires_at", locker::format_time(world_.true_wall() + lives)},
             {"reply_to", std::string("locker/v1/") + cabinet_id + "/reply/portal"},
             {"args", std::move(args)}};
    if (!grant.empty()) {
        m["grant"] = grant;
    }
    const std::string payload = boost::json::serialize(m);
    captured_.emplace_back(name, payload);
    if (captured_.size() > 50) {
        captured_.erase(captured_.begin());
    }
    if (swarm_.attacker && !grant.empty() && world_.rng.chance(60)) {
        world_.after(world_.rng.between(500, 50'000), [this] { replay(); });
    }
    for (const std::int64_t again : {0, 12'000, 24'000}) {
        world_.after(again, [this, name, payload, id] {
            if (replies_.count(id) != 0) {
                broker_.command(name, payload);
            }
        });
    }
    world_.after(36'000, [this, id, a]() mutable {
        a.give("");
        replies_.erase(id);
    });
    return a;
}

answer town::confirm(const std::string& dep) {
    return command("confirm", {{"deposit", dep}});
}

std::string town::error_of(const std::string& reply) {
    if (reply.empty()) {
        return "nothing";
    }
    const auto o = boost::json::parse(reply).as_object();
    return o.at("ok").as_bool() ? "ok" : std::string(o.at("error").as_object().at("code").as_string().c_str());
}

int town::where(const std::string& dep) {
    const auto at = places_.find(dep);
    return at == places_.end() ? 0 : at->second;
}
}  // namespace sim
