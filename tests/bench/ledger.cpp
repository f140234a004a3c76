// Events through the production engine, core and store: committed, published, replayed. The broker is a count of bytes
// that acknowledges at once, so what is measured is ours alone. Prints one "name value" a line for scripts/bench.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <deque>
#include <filesystem>

#include "daemon/runtime/engine.hpp"
#include "hal/store/sqlite_store.hpp"
#include "protocol/limits.hpp"
#include "protocol/timestamp.hpp"

using namespace locker;

namespace {

constexpr int doors = 96;

std::int64_t us() {
    using namespace std::chrono;
    return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

// Virtual: a second passes with each look, so that nothing is paced by real time.
class test_clock : public clock_port {
public:
    std::int64_t ms = 1'000'000;
    bool synchronised = true;
    moment now() const override { return {1'790'000'000'000 + ms, ms}; }
    std::int64_t now_us() const override { return us(); }
    bool trusted() const override { return synchronised; }
    std::string boot_id() const override { return "bench"; }
};

class counting_broker : public broker_port {
public:
    std::uint64_t bytes = 0;
    std::uint64_t events = 0;
    std::uint64_t out_of_order = 0;
    std::deque<std::uint64_t> unacknowledged;
    std::string reply;
    void connect() override {}
    bool publish(outgoing_message m) override {
        bytes += m.topic.size() + m.payload.size();
        if (m.token != 0) {
            ++events;
            out_of_order += m.token != last_ + 1 && last_ != 0 ? 1 : 0;
            last_ = m.token;
            unacknowledged.push_back(m.token);
        } else if (m.topic.find("/reply/") != std::string::npos) {
            reply = std::move(m.payload);
        }
        return true;
    }

private:
    std::uint64_t last_ = 0;
};

class quiet_host : public engine_host {
public:
    void wake(timer, std::int64_t) override {}
    void log(log_level, std::string_view) override {}
    void answered(std::uint64_t, const std::string&) override {}
    void recorded(const std::string&) override {}
    std::vector<bus_report> reports() override { return {}; }
    void report_later(const pulse_report&) override {}
    storage_view storage() override { return {}; }
    bool make_room() override { return false; }
    void finished() override {}
};

core::cabinet_config configured() {
    core::cabinet_config c;
    c.id = "bench";
    c.version = "bench";
    c.boards = {"A", "B", "C", "D", "E", "F"};
    for (int n = 1; n <= doors; ++n) {
        core::compartment_config one;
        one.number = n;
        one.contact = core::contact_kind::door;
        one.contact_board = one.relay_board = (n - 1) / 16;
        one.contact_channel = (n - 1) % 16;
        c.compartments.push_back(one);
    }
    key256 key{};
    key.fill(7);
    c.cabinet_keys = {secret256(key)};
    return c;
}

struct cabinet {
    explicit cabinet(const std::string& folder)
        : disk(folder + "/locker.db"), run(configured(), {}, {60'000, {}}, clock, disk, broker, host) {
        run.start("0123456789abcdef");
    }
    test_clock clock;
    sqlite_store disk;
    counting_broker broker;
    quiet_host host;
    engine run;

    // Each look finds the clock's trust changed: one event and its commit.
    double fill(std::uint64_t events) {
        const std::int64_t begin = us();
        for (std::uint64_t i = 0; i < events; ++i) {
            clock.synchronised = !clock.synchronised;
            clock.ms += 1000;
            run.due(engine_host::timer::look_around);
        }
        return static_cast<double>(us() - begin) / 1e6;
    }
    double drain() {
        broker.events = 0;
        const std::int64_t begin = us();
        run.broker_up();
        while (!broker.unacknowledged.empty()) {
            const auto one = broker.unacknowledged.front();
            broker.unacknowledged.pop_front();
            run.acknowledged(one);
        }
        const double took = static_cast<double>(us() - begin) / 1e6;
        run.broker_down("bench");
        return took;
    }
    // All of the ledger by `replay`, as a consumer that lost everything asks for it.
    double replay(std::uint64_t head, std::uint64_t& got) {
        const topics t("bench");
        run.broker_up();
        broker.unacknowledged.clear();
        const std::int64_t begin = us();
        for (std::uint64_t from = 1; from <= head; from += limits::replay_events) {
            const auto to = std::min(head, from + limits::replay_events - 1);
            const boost::json::object message{{"id", fmt::format("r{}", from)},
                                              {"expires_at", format_time(clock.now().wall_ms + 30'000)},
                                              {"reply_to", t.root() + "/reply/bench"},
                                              {"args", boost::json::object{{"from", from}, {"to", to}}}};
            run.arrived({t.root() + "/command/replay", boost::json::serialize(message), false, "", ""});
            run.due(engine_host::timer::commands);
            const auto reply = boost::json::parse(broker.reply).as_object();
            if (!reply.at("ok").as_bool()) {
                throw std::runtime_error(broker.reply);
            }
            got += reply.at("result").at("events").as_array().size();
        }
        return static_cast<double>(us() - begin) / 1e6;
    }
};

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Events through engine, core and store"};
    std::uint64_t events = 100'000;
    std::string folder;
    app.add_option("--events", events, "how many are stored, published and replayed");
    app.add_option("--folder", folder, "where the store lies: an empty folder")->required();
    CLI11_PARSE(app, argc, argv);
    cabinet c(folder);
    fmt::print("commit_seconds {:.6f}\n", c.fill(events));
    const auto head = c.run.cabinet().view().d.m.sequence;
    fmt::print("stored {}\n", head);
    const double drained = c.drain();
    fmt::print("publish_seconds {:.6f}\npublished {}\nbytes {}\nout_of_order {}\n", drained, c.broker.events,
               c.broker.bytes, c.broker.out_of_order);
    std::uint64_t got = 0;
    fmt::print("replay_seconds {:.6f}\n", c.replay(head, got));
    fmt::print("replayed {}\n", got);
    return 0;
}
