#include "tests/simulation/broker.hpp"

#include <algorithm>

namespace sim {

void broker::connect() {
    const std::uint64_t attempt = ++attempts_;
    world_.after(delay(), [this, attempt] {
        if (attempt != attempts_) {
            return;
        }
        if (!reachable) {
            world_.note("broker.refused");
            down("unreachable");
            return;
        }
        const std::uint64_t session = ++sessions_;
        session_ = session;
        last_up_ = last_down_ = world_.now;
        world_.note("broker.up");
        for (const auto& [topic, payload] : retained) {
            if (topic == "status" || topic.starts_with("alarm/") || topic.starts_with("command/")) {
                deliver(session, delay(), {root_ + "/" + topic, payload, true, {}, {}});
            }
        }
        up();
    });
}

bool broker::publish(locker::outgoing_message m) {
    if (session_ == 0) {
        return false;
    }
    world_.port_or_die("broker.publish", m.topic + " " + m.payload);
    const std::uint64_t session = session_;
    const bool breaks = world_.rng.chance(drops);
    const bool lost = breaks && world_.rng.chance(500);
    last_up_ = std::max(last_up_, world_.now + world_.held_up_ms + delay());
    world_.at(last_up_, [this, session, m = std::move(m), breaks, lost] {
        if (session != session_ && session != sessions_) {
            return;  // it went down with its connection
        }
        if (session == session_ && breaks && lost) {
            break_connection();
            return;
        }
        if (session != session_) {
            return;
        }
        accept(m);
        if (breaks) {
            break_connection();  // the broker has it, its acknowledgement is lost
        } else if (m.token != 0) {
            last_down_ = std::max(last_down_, world_.now + delay());
            world_.at(last_down_, [this, session, token = m.token] {
                if (session == session_) {
                    acknowledged(token);
                }
            });
        }
    });
    return true;
}

void broker::accept(const locker::outgoing_message& m) {
    const std::string topic = m.topic.substr(root_.size() + 1);
    if (m.retain) {
        if (m.payload.empty()) {
            retained.erase(topic);
        } else {
            retained[topic] = m.payload;
        }
        if (!version_5 && (topic == "status" || topic.starts_with("alarm/"))) {
            deliver(session_, delay(), {m.topic, m.payload, false, {}, {}});  // the cabinet listens to these itself
        }
    }
    if (topic.starts_with("event/")) {
        auditor_.published(topic.substr(6), m.token, m.payload);
    }
    if (listener) {
        listener(topic, m.payload);
    }
}

void broker::deliver(std::uint64_t session, std::int64_t wait, locker::broker_message m) {
    last_down_ = std::max(last_down_, world_.now + wait);
    world_.at(last_down_, [this, session, m = std::move(m)] {
        if (session == session_) {
            arrived(m);
        }
    });
}

void broker::command(const std::string& name, const std::string& payload, bool retain) {
    if (retain) {
        retained["command/" + name] = payload;
    }
    if (session_ == 0) {
        return;  // clean start, clean session: nothing is queued for a cabinet that is away
    }
    if (world_.rng.chance(late)) {
        ++world_.met["broker.late"];
        world_.after(world_.rng.between(1000, 90'000), [this, name, payload] {
            if (session_ != 0) {
                arrived({root_ + "/command/" + name, payload, false, {}, {}});
            }
        });
        return;
    }
    deliver(session_, delay(), {root_ + "/command/" + name, payload, false, {}, {}});
    if (world_.rng.chance(duplicates)) {
        ++world_.met["broker.duplicate"];
        deliver(session_, delay() * 5, {root_ + "/command/" + name, payload, false, {}, {}});
    }
}

void broker::put_retained(const std::string& topic, const std::string& payload) {
    retained[topic] = payload;
    if (session_ != 0 && (topic == "status" || topic.starts_with("alarm/") || topic.starts_with("command/"))) {
        deliver(session_, delay(), {root_ + "/" + topic, payload, version_5, {}, {}});
    }
}

void broker::will() {
    put_retained("status", R"({"online":false})");
}

void broker::break_connection() {
    if (session_ == 0) {
        return;
    }
    world_.note("broker.down");
    session_ = 0;
    ++attempts_;
    if (world_.rng.chance(300)) {
        world_.after(world_.rng.between(1000, 20'000), [this] { will(); });  // it may come after the next connect
    } else {
        will();
    }
    world_.after(1, [this, attempt = attempts_] {
        if (attempt == attempts_) {
            down("connection lost");
        }
    });
}

void broker::process_died() {
    ++attempts_;
    if (session_ != 0) {
        session_ = 0;
        will();
    }
}

}  // namespace sim
