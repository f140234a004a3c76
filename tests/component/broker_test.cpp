// Paho's traps, against a real Mosquitto.
#include "hal/broker/paho_broker.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "tests/component/temporary.hpp"

using namespace locker;
using namespace std::chrono_literals;

namespace {

int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    bind(fd, reinterpret_cast<sockaddr*>(&here), size);
    getsockname(fd, reinterpret_cast<sockaddr*>(&here), &size);
    close(fd);
    return ntohs(here.sin_port);
}

class mosquitto {
public:
    explicit mosquitto(int port, std::string more = "") : port_(port), more_(std::move(more)) { start(); }
    ~mosquitto() { end(); }
    void start() {
        const auto file = folder_.file("mosquitto.conf");
        std::ofstream(file) << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\npersistence false\n"
                            << (geteuid() == 0 ? "user root\n" : "") << "log_dest none\n"
                            << more_;
        pid_ = fork();
        if (pid_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);  // it ends with us, however we end
            (void)!freopen("/dev/null", "w", stderr);
            execlp("mosquitto", "mosquitto", "-c", file.c_str(), nullptr);
            execl("/usr/sbin/mosquitto", "mosquitto", "-c", file.c_str(), nullptr);
            _exit(127);
        }
    }
    void hold() const { kill(pid_, SIGSTOP); }  // it is there, and answers nothing
    void end() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
            pid_ = 0;
        }
    }

private:
    temporary_folder folder_;
    int port_;
    std::string more_;
    pid_t pid_ = 0;
};

// Its plugin that refuses subscriptions: what an acl_file forbids it only leaves unsent.
std::string refusing_all_but(const std::string& pattern, const temporary_folder& folder) {
    const auto rules = folder.file("rules.json");
    std::ofstream(rules) << R"({"defaultACLAccess":{"publishClientSend":true,"publishClientReceive":true,)"
                         << R"("subscribe":false,"unsubscribe":true},"roles":[{"rolename":"r","acls":[{"acltype":)"
                         << R"("subscribePattern","topic":")" << pattern << R"(","priority":0,"allow":true},)"
                         << R"({"acltype":"publishClientSend","topic":"c/forbidden","priority":1,"allow":false}]}],)"
                         << R"("groups":[{"groupname":"all","roles":[{"rolename":"r"}],"clients":[]}],)"
                         << R"("anonymousGroup":"all"})";
    for (const auto& machine : std::filesystem::directory_iterator("/usr/lib")) {
        const auto plugin = machine.path() / "mosquitto_dynamic_security.so";
        if (std::filesystem::exists(plugin)) {
            return "plugin " + plugin.string() + "\nplugin_opt_config_file " + rules + "\n";
        }
    }
    FAIL("mosquitto's dynamic security plugin is not there");
    return "";
}

class ear {
public:
    int ups = 0;
    int downs = 0;
    std::vector<broker_message> messages;
    std::vector<std::uint64_t> acknowledged;
    std::vector<std::string> refused;

    broker_listener listener() {
        return {[this] { tell([this] { ++ups; }); }, [this](const std::string&) { tell([this] { ++downs; }); },
                [this](broker_message m) { tell([&] { messages.push_back(std::move(m)); }); },
                [this](std::uint64_t token) { tell([&] { acknowledged.push_back(token); }); },
                [this](std::string filter) { tell([&] { refused.push_back(std::move(filter)); }); }};
    }
    template <typename Condition>
    bool wait(Condition condition, std::chrono::milliseconds at_most = 20s) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, at_most, condition);
    }

private:
    template <typename F>
    void tell(F f) {
        const std::lock_guard lock(mutex_);
        f();
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
};

broker_settings settings_for(int port, int version, const std::string& id) {
    broker_settings s;
    s.uri = "mqtt://127.0.0.1:" + std::to_string(port);
    s.client_id = id;
    s.version = version;
    s.will_topic = id + "/status";
    s.will_payload = "gone";
    s.subscriptions = {"c/command/+", "c/status", "c/alarm/+"};
    return s;
}

// Tries as the runtime does, until the broker has come up.
bool connect(paho_broker& b, ear& e) {
    for (int i = 0; i < 100; ++i) {
        const int ups = e.ups;
        const int downs = e.downs;
        b.connect();
        e.wait([&] { return e.ups > ups || e.downs > downs; });
        if (e.ups > ups) {
            return true;
        }
        e.wait([] { return false; }, 50ms);
    }
    return false;
}

}  // namespace

TEST_CASE("broker: acknowledged by token; killed: told down; back: connects anew; v5 and 3.1.1") {
    for (const int version : {5, 4}) {
        CAPTURE(version);
        const int port = free_port();
        mosquitto m(port);
        ear e;
        paho_broker b(settings_for(port, version, "c"), e.listener());
        REQUIRE(connect(b, e));
        REQUIRE(b.publish({"c/event/x", "1", 1, false, "", 41}));
        CHECK(e.ups == 1);  // Paho tells a connect's success twice
        REQUIRE(e.wait([&] { return e.acknowledged == std::vector<std::uint64_t>{41}; }));
        const int downs = e.downs;
        m.hold();
        for (int i = 0; i < 20; ++i) {
            REQUIRE(b.publish({"c/state/" + std::to_string(i), "x", 1, true, "", 0}));
        }
        m.end();
        REQUIRE(e.wait([&] { return e.downs > downs; }));
        CHECK(e.refused.empty());                                 // nobody has answered; that is no refusal
        CHECK(!b.publish({"c/event/x", "2", 1, false, "", 42}));  // nothing is queued behind our back
        m.start();
        REQUIRE(connect(b, e));
        REQUIRE(b.publish({"c/event/x", "3", 1, false, "", 43}));
        REQUIRE(e.wait([&] { return e.acknowledged.back() == 43; }));
        CHECK(e.acknowledged.size() == 2);
    }
}

TEST_CASE("broker: response topic and correlation of MQTT v5 arrive; the retained flag is told") {
    const int port = free_port();
    mosquitto m(port);
    ear e;
    ear other;
    paho_broker b(settings_for(port, 5, "c"), e.listener());
    REQUIRE(connect(b, e));
    auto s = settings_for(port, 5, "other");
    s.subscriptions = {"c/reply/+"};
    paho_broker o(s, other.listener());
    REQUIRE(connect(o, other));
    REQUIRE(b.publish({"c/reply/x", "{}", 1, false, "corr", 0}));
    REQUIRE(other.wait([&] { return !other.messages.empty(); }));
    CHECK(other.messages.front().correlation == "corr");
    REQUIRE(o.publish({"c/command/open", "{}", 1, true, "", 0}));
    REQUIRE(e.wait([&] { return !e.messages.empty(); }));
    ear late;
    auto again = settings_for(port, 5, "late");
    paho_broker l(again, late.listener());
    REQUIRE(connect(l, late));
    REQUIRE(late.wait([&] { return !late.messages.empty(); }));
    CHECK(late.messages.front().retained);
    // Asked for otherwise, what is published now is not taken for what was kept.
    ear now;
    auto live = settings_for(port, 5, "live");
    live.subscriptions = {"c/status"};
    live.retain_as_published = false;
    paho_broker n(live, now.listener());
    REQUIRE(connect(n, now));
    REQUIRE(o.publish({"c/status", "{}", 1, true, "", 0}));
    REQUIRE(now.wait([&] { return !now.messages.empty(); }));
    CHECK_FALSE(now.messages.front().retained);
}

TEST_CASE("broker: a subscription that is only wished for may be refused, one that is needed may not; v5 and 3.1.1") {
    for (const int version : {5, 4}) {
        CAPTURE(version);
        temporary_folder folder;
        const int port = free_port();
        mosquitto m(port, refusing_all_but("c/#", folder));
        ear e;
        auto s = settings_for(port, version, "c");
        s.wishes = {"homeassistant/status", "c/wish"};
        paho_broker b(s, e.listener());
        REQUIRE(connect(b, e));
        REQUIRE(e.wait([&] { return !e.refused.empty(); }));
        CHECK(e.refused == std::vector<std::string>{"homeassistant/status"});
        if (version == 5) {  // 3.1.1 does not tell
            REQUIRE(b.publish({"c/forbidden", "x", 1, true, "", 0}));
            REQUIRE(e.wait([&] { return e.refused.size() == 2; }));
            CHECK(e.refused.back() == "c/forbidden");
        }
        REQUIRE(b.publish({"c/event/x", "1", 1, false, "", 41}));
        REQUIRE(e.wait([&] { return !e.acknowledged.empty(); }));
        ear other;
        auto needed = settings_for(port, version, "d");
        needed.subscriptions.emplace_back("homeassistant/status");
        paho_broker d(needed, other.listener());
        d.connect();
        REQUIRE(other.wait([&] { return other.downs > 0; }));
        CHECK(other.ups == 0);
        REQUIRE(b.publish({"c/wish", "on", 1, true, "", 0}));
        ear late;
        auto again = settings_for(port, version, "late");
        again.wishes = {"homeassistant/status", "c/wish"};
        paho_broker l(again, late.listener());
        REQUIRE(connect(l, late));
        REQUIRE(late.wait([&] { return !late.messages.empty(); }));  // a wish after a refused one is asked for, too
    }
}

TEST_CASE("broker: nobody there: told down, and a client that never connected ends at once") {
    ear e;
    paho_broker b(settings_for(free_port(), 5, "c"), e.listener());
    b.connect();
    REQUIRE(e.wait([&] { return e.downs == 1; }));
    CHECK(!b.publish({"c/event/x", "1", 1, false, "", 1}));
    CHECK(!e.wait([&] { return e.downs > 1; }, 200ms));
}

TEST_CASE("broker: a thousand compartments' states at once all get there") {
    const int port = free_port();
    mosquitto m(port);
    ear e;
    paho_broker b(settings_for(port, 5, "c"), e.listener());
    REQUIRE(connect(b, e));
    for (std::uint64_t n = 1; n <= 1500; ++n) {
        REQUIRE(b.publish({"c/compartment/" + std::to_string(n), "{}", 1, true, "", n}));
    }
    CHECK(e.wait([&] { return e.acknowledged.size() == 1500; }));
}
