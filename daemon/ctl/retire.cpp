#include "daemon/ctl/retire.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <set>
#include <vector>

#include "daemon/ctl/care.hpp"
#include "hal/store/sqlite_store.hpp"
#include "hal/system/exclusive.hpp"
#include "protocol/ledger.hpp"
#include "protocol/topic.hpp"

namespace locker {
namespace {

constexpr auto answer_within = std::chrono::seconds(15);

// Why the cabinet should not be forgotten yet, as a sentence; empty: nothing speaks against it.
std::string still_needed(const settings& s) {
    if (!std::filesystem::exists(database_of(s))) {
        return "";
    }
    const sqlite_store store(database_of(s), sqlite_store::mode::read_only);
    std::set<std::int64_t> doors;
    std::set<std::int64_t> under_way;
    for (const auto& [id, row] : store.all("deposit")) {
        const auto d = boost::json::parse(row).as_object();
        const auto& state = d.at("state").as_string();
        if (state == "deposited" || state == "confirmed") {
            doors.insert(d.at("compartment").as_int64());
        } else if (state == "reserved") {
            under_way.insert(d.at("compartment").as_int64());
        }
    }
    if (!doors.empty()) {
        return fmt::format("papers lie behind door {}: have them taken out first", fmt::join(doors, ", "));
    }
    if (!under_way.empty()) {
        return fmt::format("a deposit has begun at door {}: look behind it, start lockerd again and let it end",
                           fmt::join(under_way, ", "));
    }
    for (const auto& [number, row] : store.all("compartment")) {
        const auto c = boost::json::parse(row).as_object();
        if (const auto* why = c.if_contains("suspicion");
            why != nullptr && why->is_string() && !why->as_string().empty()) {
            doors.insert(std::stoll(number));
        }
    }
    if (!doors.empty()) {
        return fmt::format("something may lie behind door {}: look, and settle it, first", fmt::join(doors, ", "));
    }
    return "";
}

// Events that the broker has not acknowledged, as far as the database knows: what left in lockerd's last moment is
// among them, since the mark rides on the commit after it. They leave once more; consumers drop duplicates.
std::vector<ledger_row> not_acknowledged(const settings& s) {
    if (!std::filesystem::exists(database_of(s))) {
        return {};
    }
    const sqlite_store store(database_of(s), sqlite_store::mode::read_only);
    const auto meta = boost::json::parse(store.find("meta", "cabinet").value_or("{}")).as_object();
    const auto* published = meta.if_contains("published");
    return published == nullptr ? std::vector<ledger_row>()
                                : store.rows(published->to_number<std::uint64_t>() + 1, UINT64_MAX, UINT64_MAX);
}

// Empties every topic that keeps something of this cabinet: those it must have, and each alarm that the broker shows.
class forgetting {
public:
    explicit forgetting(const settings& s) : topics_(s.cabinet.id), events_(not_acknowledged(s)) {
        for (const auto& topic : {topics_.status(), topics_.cabinet(), topics_.metrics()}) {
            wanted_.insert(topic);
        }
        for (const auto& c : s.cabinet.compartments) {
            wanted_.insert(topics_.compartment(c.number));
        }
        if (std::filesystem::exists(database_of(s))) {  // doors that were there once, too
            for (const auto& [number, row] :
                 sqlite_store(database_of(s), sqlite_store::mode::read_only).all("compartment")) {
                wanted_.insert(topics_.root() + "/compartment/" + number);
            }
        }
        device_ = s.shown.home_assistant.config_topic(s.cabinet.id);
        auto b = s.broker;
        b.will_topic.clear();
        b.wishes.clear();
        b.subscriptions = {topics_.cabinet(), topics_.alarm("+"), topics_.alarm("+", "+")};
        broker_ = std::make_unique<paho_broker>(
            b, broker_listener{[this] { connected(); }, [this](const std::string& why) { ended(why); },
                               [this](const broker_message& m) { heard(m); },
                               [this](std::uint64_t token) { settled(token); }});
    }

    // How many topics; throws a sentence.
    std::size_t run() {
        broker_->connect();
        std::unique_lock lock(mutex_);
        std::size_t before = 0;
        bool told = false;
        do {  // for as long as it gets on: an outage may have left many events
            before = settled_;
            told = done_.wait_for(lock, answer_within, [this] { return !why_.empty() || all_settled(); });
        } while (!told && settled_ != before);
        if (!told || !why_.empty()) {
            throw std::runtime_error("the broker: " + (why_.empty() ? "no answer" : why_) +
                                     "; what was not emptied stays: run this again");
        }
        return sent_ - events_.size();
    }

private:
    [[nodiscard]] bool all_settled() const { return up_ && settled_ == sent_; }

    // What is to be emptied, to be published without the lock: a client that takes no message says so at once, to
    // ended().
    outgoing_message empty(const std::string& topic) { return {topic, "", 1, true, "", ++sent_}; }
    // Of alarms a broker sends some at once and the others as they are acknowledged: the cabinet's list has all of
    // them, and its topic goes after theirs.
    void connected() {
        std::vector<outgoing_message> out;
        {
            const std::lock_guard lock(mutex_);
            up_ = true;
            for (const auto& row : events_) {
                out.push_back({topics_.event(row.type), cloud_event(row, topics_.root()), 1, false, "", ++sent_});
            }
            // It may have been published by an earlier configuration; an account that may not write there need not.
            out.push_back({device_, "", 1, true, "", 0});
            for (const auto& topic : wanted_) {
                out.push_back(empty(topic));
            }
        }
        publish(std::move(out));
    }
    void publish(std::vector<outgoing_message> all) {
        for (auto& m : all) {
            if (!broker_->publish(std::move(m))) {
                return;  // it is down, and that was told
            }
        }
    }
    void heard(const broker_message& m) {
        if (m.payload.empty()) {
            return;
        }
        if (topics_.is_alarm(m.topic)) {
            want({m.topic});
            return;
        }
        boost::system::error_code error;
        const auto cabinet = boost::json::parse(m.payload, error);
        const auto* alarms = cabinet.is_object() ? cabinet.get_object().if_contains("alarms") : nullptr;
        std::vector<std::string> found;
        if (alarms != nullptr && alarms->is_array()) {
            for (const auto& one : alarms->get_array()) {
                if (one.is_string()) {
                    found.push_back(topics_.alarm(one.get_string()));
                }
            }
        }
        want(found);
    }
    void want(const std::vector<std::string>& found) {
        std::vector<outgoing_message> out;
        {
            const std::lock_guard lock(mutex_);
            for (const auto& topic : found) {
                if (wanted_.insert(topic).second && up_) {
                    out.push_back(empty(topic));
                }
            }
        }
        publish(std::move(out));
    }
    void settled(std::uint64_t) {
        const std::lock_guard lock(mutex_);
        ++settled_;
        done_.notify_all();
    }
    void ended(const std::string& why) {
        const std::lock_guard lock(mutex_);
        why_ = why;
        done_.notify_all();
    }

    topics topics_;
    std::vector<ledger_row> events_;
    std::string device_;  // Home Assistant's document
    std::set<std::string> wanted_;
    std::mutex mutex_;
    std::condition_variable done_;
    std::string why_;
    bool up_ = false;
    std::size_t sent_ = 0;
    std::size_t settled_ = 0;
    std::unique_ptr<paho_broker> broker_;
};

int retire(const options& o, const std::string& config, bool anyway) {
    const auto s = settings_of(config);
    if (!s) {
        return exit_config;
    }
    std::optional<exclusive> held;
    if (std::filesystem::is_directory(s->state_folder)) {  // else the board is gone, and this is another machine
        held.emplace(s->state_folder + "/lock", "state folder " + s->state_folder);
        give_to_owner_of(s->state_folder, s->state_folder + "/lock");
    }
    if (const auto why = still_needed(*s); !why.empty() && !anyway) {
        std::cerr << fmt::format("lockerctl: {}; or --anyway\n", why);
        return exit_refused;
    }
    const auto emptied = forgetting(*s).run();
    if (o.json) {
        std::cout << serialize(boost::json::object{{"ok", true}, {"topics", emptied}}) << "\n";
    } else {
        std::cout << fmt::format(
            "{} topics of {} are empty: no dashboard and no Home Assistant hears of it any more. systemctl disable "
            "lockerd, or its next start says all of it again. Remove it in the portal, too, or it counts as one that "
            "was never switched on. Keep {}: it is the ledger.\n",
            emptied, s->cabinet.id, database_of(*s));
    }
    return 0;
}

}  // namespace

void add_retire(CLI::App& app, const options& o, int& code) {
    static std::string config{default_config};
    static bool anyway = false;
    auto* sub = app.add_subcommand("retire",
                                   "Take this cabinet off the broker for good, with lockerd stopped: no dashboard and "
                                   "no Home Assistant shows it any more. The ledger stays");
    sub->add_flag("--anyway", anyway, "Even while papers lie there, a deposit has begun or a door is suspected");
    sub->add_option("--config", config, "lockerd's configuration")->capture_default_str();
    sub->callback([&] { code = retire(o, config, anyway); });
}

}  // namespace locker
