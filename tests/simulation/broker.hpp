// The broker, and the network between it and the cabinet: retained messages, wills, duplicates, delays, connections
// that break with messages on their way. What a portal, a dashboard or a broker gone bad may do stands here too.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "hal/ports/broker.hpp"
#include "tests/simulation/auditor.hpp"
#include "tests/simulation/world.hpp"

namespace sim {

class broker : public locker::broker_port {
public:
    broker(world& w, auditor& a, std::string root) : world_(w), auditor_(a), root_(std::move(root)) {}

    // ---- faults
    bool reachable = true;
    int duplicates = 0;     // per mille of commands that arrive twice
    bool version_5 = true;  // no echo of one's own, retained messages marked as such; 3.1.1 has neither
    int drops = 0;          // per mille of publishes after which the connection breaks
    int late = 0;           // per mille of commands that the network holds back, so that later ones overtake them
    std::int64_t slowest_ms = 80;
    int usual_duplicates = 0;
    int usual_late = 0;
    void calm() {
        drops = 0;
        duplicates = usual_duplicates;
        late = usual_late;
        slowest_ms = 80;
    }

    // ---- the cabinet's side. Called only while its process lives; what comes to it goes through these.
    std::function<void()> up;
    std::function<void(std::string)> down;
    std::function<void(locker::broker_message)> arrived;
    std::function<void(std::uint64_t)> acknowledged;
    void connect() override;
    bool publish(locker::outgoing_message m) override;
    void break_connection();  // the network's doing
    void process_died();      // the will follows
    [[nodiscard]] bool connected() const { return session_ != 0; }

    // ---- the others' side
    std::map<std::string, std::string> retained;                                         // by topic below the root
    std::function<void(const std::string& topic, const std::string& payload)> listener;  // whatever the cabinet says
    void command(const std::string& name, const std::string& payload, bool retain = false);
    void put_retained(const std::string& topic, const std::string& payload);  // a broker gone bad

private:
    void accept(const locker::outgoing_message& m);
    void deliver(std::uint64_t session, std::int64_t delay, locker::broker_message m);
    void will();
    std::int64_t delay() { return world_.rng.between(1, slowest_ms); }

    world& world_;
    auditor& auditor_;
    std::string root_;
    std::uint64_t sessions_ = 0;
    std::uint64_t session_ = 0;   // 0: not connected
    std::uint64_t attempts_ = 0;  // a newer attempt, or the process's death, ends an older one
    std::int64_t last_up_ = 0;    // arrival of the newest message either way: order is kept
    std::int64_t last_down_ = 0;
};

}  // namespace sim
