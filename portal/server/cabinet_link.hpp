// The portal's side of the contract over MQTT: what cabinets say of themselves, their events taken in without a gap,
// and commands answered. One thread; Paho's callbacks do nothing but post.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <map>
#include <memory>
#include <string>

#include "hal/broker/paho_broker.hpp"
#include "portal/server/domain/cabinets.hpp"
#include "portal/server/domain/deposits.hpp"
#include "portal/server/domain/intake.hpp"
#include "portal/server/domain/office.hpp"

namespace locker::portal {

struct link_settings {
    std::string uri;
    std::string username;
    std::string password;
    std::string ca_file;
    int version = 5;
    std::string name = "portal";  // of this portal: its client id and its reply topics
};

class cabinet_link {
public:
    cabinet_link(boost::asio::io_context& io, office& desk, const link_settings& settings);

    void start();
    void stop();

    [[nodiscard]] bool connected() const { return up_; }
    // Of a cabinet that was heard of since the portal's start; else an empty one.
    [[nodiscard]] const cabinet_now& now_of(const std::string& cabinet) const;

    // One command, one answer. Errors: cabinet_offline (not sent), no_answer (its effect is not known: events will
    // tell), and the cabinet's own.
    [[nodiscard]] boost::asio::awaitable<result<boost::json::object>> command(std::string cabinet, std::string name,
                                                                              boost::json::object args,
                                                                              std::string grant = "");
    // A grant of this start of the cabinet, and its command.
    [[nodiscard]] boost::asio::awaitable<result<boost::json::object>> open(std::string cabinet, std::string act,
                                                                           boost::json::object claims);
    // … with the second person's.
    [[nodiscard]] boost::asio::awaitable<result<boost::json::object>> open(std::string cabinet, std::string act,
                                                                           boost::json::object claims,
                                                                           boost::json::object others);

    // "Documents deposited", as soon as the cabinet hears and the papers lie there.
    void confirm_when_possible(const std::string& deposit);
    // "Earlier codes are worth nothing", now if the cabinet hears, else as soon as it does.
    [[nodiscard]] boost::asio::awaitable<void> revoke(std::string deposit);
    // It was enrolled just now, and may have been online for long.
    void enrolled(const std::string& cabinet) {
        catch_up(cabinet);
        tell_fleet();
    }
    // Which cabinets there should be, retained at locker/fleet: a dashboard misses the one that never said a word.
    void tell_fleet();
    // Staff have changed: each cabinet gets its roster.
    void renew_rosters();

private:
    struct waiting {
        boost::asio::steady_timer timer;
        std::string cabinet;
        bool answered = false;
        boost::json::object reply;
    };
    void sweep();
    void connect_later(std::chrono::milliseconds pause);
    void arrived(const broker_message& m);
    void take_event(const std::string& cabinet, const boost::json::value& message);
    void take_page(const std::string& cabinet, const boost::json::array& messages);
    void take_reply(const std::string& cabinet, const boost::json::value& message);
    void catch_up(const std::string& cabinet);
    void look(bool catching_up_too);
    boost::asio::awaitable<void> catching_up(std::string cabinet);
    boost::asio::awaitable<void> replay(const std::string& cabinet);
    boost::asio::awaitable<void> confirm(std::string deposit);
    boost::asio::awaitable<void> send_roster(std::string cabinet);

    boost::asio::io_context& io_;
    office& desk_;
    std::string name_;
    std::unique_ptr<paho_broker> broker_;
    boost::asio::steady_timer retry_;
    boost::asio::steady_timer sweep_;
    int looks_ = 0;
    bool up_ = false;
    std::string fleet_told_;  // as it is retained
    bool stopped_ = false;
    std::map<std::string, cabinet_now> now_;
    std::map<std::string, bool> catching_;                     // and whether something was missed meanwhile
    std::map<std::string, std::shared_ptr<waiting>> waiting_;  // by command id
};

}  // namespace locker::portal
