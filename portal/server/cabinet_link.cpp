#include "portal/server/cabinet_link.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "portal/server/domain/cases.hpp"
#include "portal/server/domain/members.hpp"
#include "portal/server/domain/staff.hpp"
#include "protocol/limits.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

namespace asio = boost::asio;
using boost::json::object;
using boost::json::value;
using namespace std::chrono_literals;

constexpr auto answer_within = 12s;  // the cabinet answers an opening within 10
constexpr std::int64_t command_lives = 8 * second;
constexpr auto retry_pause = 3s;
constexpr auto look_every = 5s;
constexpr int looks_of_sweep = 12;
constexpr std::size_t cabinets_heard = 10'000;
constexpr std::size_t message_bytes = 256 * 1024;
constexpr std::string_view root = "locker/v1/";

std::int64_t number(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    if (v == nullptr) {
        return -1;
    }
    if (v->is_string()) {
        std::int64_t out = -1;
        const auto& s = v->get_string();
        std::from_chars(s.data(), s.data() + s.size(), out);
        return out;
    }
    return v->is_int64() ? v->get_int64() : -1;
}

int status_of(std::string_view code) {
    return code == "busy" || code == "storage_failed" || code == "board_lost" ? 503 : 409;
}

}  // namespace

cabinet_link::cabinet_link(asio::io_context& io, office& desk, const link_settings& settings)
    : io_(io), desk_(desk), name_(settings.name), retry_(io), sweep_(io) {
    broker_settings s;
    s.uri = settings.uri;
    s.client_id = "locker-portal-" + settings.name;
    s.version = settings.version;
    s.username = settings.username;
    s.password = settings.password;
    s.ca_file = settings.ca_file;
    s.payload_max = message_bytes;
    s.retain_as_published = false;  // what was kept is as old as it says; what comes now is new
    for (const auto* below : {"status", "cabinet", "compartment/+", "alarm/+", "alarm/+/+", "event/+", "metrics"}) {
        s.subscriptions.push_back(fmt::format("{}+/{}", root, below));
    }
    s.subscriptions.push_back(fmt::format("{}+/reply/{}", root, name_));
    broker_listener l;
    l.up = [this] {
        asio::post(io_, [this] {
            up_ = true;
            spdlog::info("event=broker_up");
            fleet_told_.clear();
            look(true);  // what is retained may have come before we knew
            desk_.changed("link");
        });
    };
    l.down = [this](const std::string& why) {
        asio::post(io_, [this, why] {
            spdlog::warn("event=broker_down why={}", why);
            up_ = false;
            for (auto& [cabinet, now] : now_) {
                now = {};  // nobody knows; the broker says all of it again, and not what ended meanwhile
                desk_.changed("cabinet/" + cabinet);
            }
            for (auto& [id, w] : waiting_) {
                w->timer.cancel();
            }
            desk_.changed("link");
            connect_later(retry_pause);
        });
    };
    l.message = [this](broker_message m) {
        asio::post(io_, [this, m = std::move(m)] {
            try {
                arrived(m);
            } catch (const std::exception& e) {
                spdlog::error("event=message_not_taken topic={} why={}", m.topic, why(e));
            }
        });
    };
    l.acknowledged = [](std::uint64_t) {};
    l.refused = [](const std::string& topic) {
        spdlog::warn("event=broker_refused topic={} why=\"the portal's account may not write it\"", topic);
    };
    broker_ = std::make_unique<paho_broker>(std::move(s), std::move(l));
}

void cabinet_link::start() {
    connect_later(1ms);
    sweep();
}

// What was asked and not answered, or failed here, is asked again.
void cabinet_link::sweep() {
    sweep_.expires_after(look_every);
    sweep_.async_wait([this](boost::system::error_code error) {
        if (error || stopped_) {
            return;
        }
        look(++looks_ % looks_of_sweep == 0);
        sweep();
    });
}

// Another program, the command line, may have enrolled a cabinet.
void cabinet_link::look(bool catching_up_too) {
    try {
        tell_fleet();
        for (const auto& [cabinet, now] : now_) {
            if (catching_up_too && up_ && now.online) {
                catch_up(cabinet);
            }
        }
    } catch (const std::exception& e) {  // the next look tries again
        spdlog::error("event=look_failed why={}", why(e));
    }
}

void cabinet_link::stop() {
    stopped_ = true;
    retry_.cancel();
    sweep_.cancel();
    broker_.reset();
}

void cabinet_link::connect_later(std::chrono::milliseconds pause) {
    retry_.expires_after(pause);
    retry_.async_wait([this](boost::system::error_code error) {
        if (!error && !stopped_) {
            broker_->connect();
        }
    });
}

const cabinet_now& cabinet_link::now_of(const std::string& cabinet) const {
    static const cabinet_now nothing;
    const auto at = now_.find(cabinet);
    // What is retained may come before the connection is said to be up: until then no command is answered.
    return !up_ || at == now_.end() ? nothing : at->second;
}

void cabinet_link::arrived(const broker_message& m) {
    if (!m.topic.starts_with(root)) {
        return;
    }
    const std::string_view rest = std::string_view(m.topic).substr(root.size());
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) {
        return;
    }
    const std::string cabinet(rest.substr(0, slash));
    const std::string_view below = rest.substr(slash + 1);
    boost::system::error_code error;
    const value message = m.payload.empty() ? value() : boost::json::parse(m.payload, error);
    const auto* o = message.if_object();
    if (now_.size() >= cabinets_heard && now_.count(cabinet) == 0) {
        return;
    }
    auto& now = now_[cabinet];  // also of one that is not enrolled yet: what is retained is said once
    if (below.starts_with("event/")) {
        take_event(cabinet, message);
        return;
    }
    if (below.starts_with("reply/")) {
        take_reply(cabinet, message);
        return;
    }
    if (below == "status") {
        const auto* online = o == nullptr ? nullptr : o->if_contains("online");
        now.online = online != nullptr && online->is_bool() && online->get_bool();
        now.epoch = now.online ? text_in(*o, "epoch") : "";
        now.version = now.online ? text_in(*o, "version") : now.version;
        if (now.online) {
            catch_up(cabinet);
        }
    } else if (below == "cabinet") {
        now.facts = o == nullptr ? object() : *o;  // emptied: it was retired
    } else if (below == "metrics") {
        now.metrics = o == nullptr ? object() : *o;
        // By the clock here: a cabinet's may be wrong. What was kept by the broker is as old as it says.
        const auto said = m.retained ? parse_time(text_in(now.metrics, "at")) : std::nullopt;
        now.heard_ms = std::min(said.value_or(desk_.now()), desk_.now());
        return;  // figures for who asks: nothing that a page shows has changed
    } else if (below.starts_with("compartment/")) {
        const auto n = static_cast<int>(std::strtol(std::string(below.substr(12)).c_str(), nullptr, 10));
        if (o == nullptr) {
            now.compartments.erase(n);
        } else if (n >= 1 && n <= limits::compartment_max) {
            now.compartments[n] = *o;
        }
    } else if (below.starts_with("alarm/")) {
        const std::string kind(below.substr(6));
        if (o == nullptr) {
            now.alarms.erase(kind);
        } else if (now.alarms.size() < 4096) {
            now.alarms[kind] = *o;
        }
    }
    desk_.changed("cabinet/" + cabinet);
}

void cabinet_link::take_event(const std::string& cabinet, const value& message) {
    boost::json::array one;
    one.push_back(message);
    take_page(cabinet, one);
}

// Some events in their order, in one transaction: a page of two hundred is one sync of the disk.
void cabinet_link::take_page(const std::string& cabinet, const boost::json::array& messages) {
    std::vector<cabinet_event> events;
    for (const auto& message : messages) {
        if (auto e = parse_event(cabinet, message)) {
            events.push_back(std::move(*e));
        } else {
            spdlog::warn("event=strange_event cabinet={}", cabinet);
        }
    }
    switch (take_in(desk_, events)) {
        case taken_in::now:
            for (const auto& e : events) {
                if (e.type == "deposit.deposited") {
                    confirm_when_possible(text_in(e.data, "deposit"));
                }
            }
            break;
        case taken_in::before:
        case taken_in::unknown:
            break;
        case taken_in::other:
            spdlog::warn("event=ledger_differs cabinet={}", cabinet);
            restart_at(desk_, cabinet, 0);
            catch_up(cabinet);
            break;
        case taken_in::gap:
            catch_up(cabinet);
            break;
    }
}

void cabinet_link::take_reply(const std::string& cabinet, const value& message) {
    const auto* o = message.if_object();
    const auto at = o == nullptr ? waiting_.end() : waiting_.find(text_in(*o, "id"));
    if (at == waiting_.end() || at->second->cabinet != cabinet) {
        return;  // whoever asked has gone
    }
    at->second->answered = true;
    at->second->reply = *o;
    at->second->timer.cancel();
}

asio::awaitable<result<object>> cabinet_link::command(std::string cabinet, std::string name, object args,
                                                      std::string grant) {
    if (!up_ || !now_of(cabinet).online) {
        co_return problem{503, "cabinet_offline",
                          "柜子暂时连不上网。 The cabinet cannot be reached over the network just now."};
    }
    const std::string id = "p-" + desk_.safe.token(12);
    object body{{"id", id},
                {"expires_at", format_time(desk_.now() + command_lives)},
                {"reply_to", fmt::format("{}{}/reply/{}", root, cabinet, name_)},
                {"args", std::move(args)}};
    if (!grant.empty()) {
        body["grant"] = grant;
    }
    const auto w = std::make_shared<waiting>(waiting{asio::steady_timer(io_), cabinet, false, {}});
    waiting_[id] = w;
    w->timer.expires_after(answer_within);
    outgoing_message m;
    m.topic = fmt::format("{}{}/command/{}", root, cabinet, name);
    m.payload = serialize(body);
    if (broker_->publish(std::move(m))) {
        co_await w->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    waiting_.erase(id);
    if (!w->answered) {
        co_return problem{
            504, "no_answer",
            "柜子没有回应，请看柜门是否已打开。 The cabinet did not answer. Look whether the door is open."};
    }
    const auto* ok = w->reply.if_contains("ok");
    if (ok != nullptr && ok->is_bool() && ok->get_bool()) {
        const auto* out = w->reply.if_contains("result");
        co_return out != nullptr && out->is_object() ? out->get_object() : object{};
    }
    const auto* error = w->reply.if_contains("error");
    const object none;
    const object& e = error != nullptr && error->is_object() ? error->get_object() : none;
    const auto code = text_in(e, "code");
    co_return problem{status_of(code), code.empty() ? "unknown_outcome" : code, text_in(e, "message")};
}

asio::awaitable<result<object>> cabinet_link::open(std::string cabinet, std::string act, object claims) {
    const auto epoch = now_of(cabinet).epoch;
    const auto token =
        sign(desk_, {cabinet, std::move(act), epoch.empty() ? "none" : epoch, grant_life_s, std::move(claims)});
    co_return co_await command(std::move(cabinet), "open", object(), token);
}

asio::awaitable<result<object>> cabinet_link::open(std::string cabinet, std::string act, object claims, object others) {
    const auto epoch = now_of(cabinet).epoch;
    const auto token_of = [&](object& more) {
        return sign(desk_, {cabinet, act, epoch.empty() ? "none" : epoch, grant_life_s, std::move(more)});
    };
    const auto token = token_of(claims);
    object args{{"second_grant", token_of(others)}};
    co_return co_await command(cabinet, "open", std::move(args), token);
}

void cabinet_link::tell_fleet() {
    if (!up_) {
        return;  // it is told once the broker is there
    }
    boost::json::array cabinets;
    for (const auto& one : all_cabinets(desk_)) {
        cabinets.push_back(object{{"id", one.id}, {"name", one.name}, {"place", one.place}});
    }
    outgoing_message m;
    m.topic = "locker/fleet";
    m.qos = 1;
    m.payload = serialize(object{{"cabinets", std::move(cabinets)}});
    if (m.payload == fleet_told_) {
        return;
    }
    fleet_told_ = m.payload;
    m.retain = true;
    broker_->publish(std::move(m));
}

// ---- catching up

void cabinet_link::catch_up(const std::string& cabinet) {
    if (!find_cabinet(desk_, cabinet)) {
        return;  // of another portal, or not enrolled yet
    }
    const auto [at, fresh] = catching_.try_emplace(cabinet, false);
    if (!fresh) {
        at->second = true;
        return;
    }
    asio::co_spawn(io_, catching_up(cabinet), asio::detached);
}

asio::awaitable<void> cabinet_link::catching_up(std::string cabinet) {
    try {
        bool again = true;
        while (again && !stopped_) {
            catching_[cabinet] = false;
            co_await replay(cabinet);
            again = catching_[cabinet] && now_of(cabinet).online;
        }
        for (const auto& d : live_deposits(desk_, cabinet)) {
            confirm_when_possible(d.id);
            co_await revoke(d.id);
        }
        co_await send_roster(cabinet);
    } catch (const std::exception& e) {
        spdlog::error("event=catching_up_failed cabinet={} why={}", cabinet, why(e));
    }
    catching_.erase(cabinet);
}

// All events from the last that was taken in. It ends early when the cabinet goes away, whose next status begins it
// again, or when its ledger proves to be another one.
asio::awaitable<void> cabinet_link::replay(const std::string& cabinet) {
    auto known = find_cabinet(desk_, cabinet);
    const auto snapshot = co_await command(cabinet, "snapshot", object());
    if (!known || !snapshot) {
        co_return;
    }
    // Events may have come since the cabinet answered: it is judged by what was known when it was asked.
    const std::int64_t head = number(*snapshot, "sequence");
    const std::int64_t earliest = std::max<std::int64_t>(1, number(*snapshot, "earliest"));
    const auto have = static_cast<std::int64_t>(known->sequence);
    const bool differs = head == have && !known->head.empty() && known->head != text_in(*snapshot, "head");
    if (head >= 0 && (head < have || earliest > have + 1 || differs)) {  // another ledger, or one that was pruned
        spdlog::warn("event=ledger_differs cabinet={} had={} head={} earliest={}", cabinet, have, head, earliest);
        restart_at(desk_, cabinet, static_cast<std::uint64_t>(earliest - 1));
    }
    known = find_cabinet(desk_, cabinet);
    if (!known) {
        co_return;  // removed meanwhile
    }
    const auto ledger = known->ledger;
    for (;;) {
        known = find_cabinet(desk_, cabinet);
        if (!known || known->ledger != ledger || static_cast<std::int64_t>(known->sequence) >= head) {
            co_return;
        }
        // From the last that is known: whether it is the same there tells whether the ledger is.
        const auto before = known->sequence;
        const std::uint64_t from = std::max({before, static_cast<std::uint64_t>(earliest), std::uint64_t{1}});
        const auto to = std::min<std::uint64_t>(from + limits::replay_events - 1, static_cast<std::uint64_t>(head));
        object args{{"from", from}, {"to", to}};
        const auto page = co_await command(cabinet, "replay", std::move(args));
        const auto* events = page ? page->if_contains("events") : nullptr;
        if (events == nullptr || !events->is_array() || events->get_array().empty()) {
            co_return;
        }
        take_page(cabinet, events->get_array());
        known = find_cabinet(desk_, cabinet);
        if (known && known->ledger == ledger && known->sequence <= before) {
            spdlog::error("event=replay_stands_still cabinet={} from={}", cabinet, from);
            co_return;
        }
    }
}

void cabinet_link::confirm_when_possible(const std::string& deposit) {
    const auto d = find_deposit(desk_, deposit);
    if (d && d->confirm_wanted && d->state == "deposited") {
        asio::co_spawn(io_, confirm(deposit), asio::detached);
    }
}

asio::awaitable<void> cabinet_link::confirm(std::string deposit) {
    const auto d = find_deposit(desk_, deposit);
    if (!d) {
        co_return;
    }
    object args{{"deposit", deposit}};
    const auto said = co_await command(d->cabinet, "confirm", std::move(args));
    if (!said && said.error().code != "cabinet_offline") {
        spdlog::warn("event=confirm_refused cabinet={} deposit={} code={}", d->cabinet, deposit, said.error().code);
    }
}

asio::awaitable<void> cabinet_link::revoke(std::string deposit) {
    auto d = find_deposit(desk_, deposit);
    if (!d || d->revoke_to == 0) {
        co_return;
    }
    const auto least = d->revoke_to;
    object claims{{"dep", deposit}, {"issue_min", least}};
    const auto said = co_await open(d->cabinet, "revoke", std::move(claims));
    d = find_deposit(desk_, deposit);  // events may have come meanwhile
    if (said && d) {
        codes_ended(desk_, *d, least);
    } else if (d && said.error().code != "cabinet_offline") {
        spdlog::warn("event=revoke_refused cabinet={} deposit={} code={}", d->cabinet, deposit, said.error().code);
    }
}

// ---- rosters

void cabinet_link::renew_rosters() {
    for (const auto& [cabinet, now] : now_) {
        if (now.online) {
            asio::co_spawn(io_, send_roster(cabinet), asio::detached);
        }
    }
}

asio::awaitable<void> cabinet_link::send_roster(std::string cabinet) {
    const auto version = roster_to_send(desk_, cabinet);
    if (!version) {
        co_return;
    }
    object claims{{"version", version->version}, {"staff", version->staff}};
    const auto token = sign(desk_, {cabinet, "roster", now_of(cabinet).epoch, grant_life_s, std::move(claims)});
    const auto said = co_await command(cabinet, "roster", object(), token);
    if (said) {
        roster_taken(desk_, cabinet, *version);
    } else {
        spdlog::warn("event=roster_refused cabinet={} code={}", cabinet, said.error().code);
    }
}

}  // namespace locker::portal
