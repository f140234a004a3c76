#include "daemon/core/view.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "daemon/core/deposits.hpp"
#include "daemon/core/timekeeping.hpp"
#include "protocol/timestamp.hpp"

namespace locker::core {
namespace {

bool away(const state& s, const compartment_config& wired) {
    return wired.contact == contact_kind::none || !s.l.boards.at(static_cast<std::size_t>(wired.contact_board)).present;
}

const compartment_config& wiring_of(const cabinet_config& config, int number) {
    return *std::find_if(config.compartments.begin(), config.compartments.end(),
                         [&](const auto& c) { return c.number == number; });
}

template <typename Message>
const std::string& encoded(encodings::kept<Message>& known, const std::string& topic, Message m) {
    auto& [message, payload] = known[topic];
    if (payload.empty() || message != m) {
        payload = encode(m);
        message = std::move(m);
    }
    return payload;
}

class alarm_list {
public:
    alarm_list(const work& w, std::map<std::string, std::string>& out) : t_(w.config.id), out_(out) {}
    void raise(const std::string& topic, std::int64_t since, std::string meaning, std::string action) {
        out_[topic] = encode(alarm_message{since, std::move(meaning), std::move(action)});
    }
    void raise(std::string_view kind, int door, std::int64_t since, std::string meaning, std::string action) {
        raise(t_.alarm(kind, std::to_string(door)), since, std::move(meaning), std::move(action));
    }
    [[nodiscard]] const topics& topic() const { return t_; }
    // As their topics end: "jammed/3".
    [[nodiscard]] std::vector<std::string> names() const {
        const std::string prefix = t_.alarm("");
        std::vector<std::string> found;
        for (auto at = out_.lower_bound(prefix); at != out_.end() && at->first.starts_with(prefix); ++at) {
            found.push_back(at->first.substr(prefix.size()));
        }
        return found;
    }

private:
    topics t_;
    std::map<std::string, std::string>& out_;
};

void compartment_alarms(const work& w, alarm_list& alarms) {
    for (const auto& [n, c] : w.s.d.compartments) {
        if (c.forced_ms != 0) {
            alarms.raise("forced", n, c.forced_ms, fmt::format("Door {} was opened without an opening.", n),
                         "Go there. Look at the door, its lock and its contact cable; see what is missing.");
        }
        if (c.lock != lock_state::ok) {
            alarms.raise("jammed", n, c.since_ms,
                         fmt::format("Door {} did not open when its lock was pulsed ({}).", n, locker::name(c.lock)),
                         "Push the door, look for paper in the gap, then open it by a settle or open grant.");
        }
        if (!c.suspicion.empty()) {
            alarms.raise(
                "suspected", n, c.since_ms,
                c.deposit.empty()
                    ? fmt::format("Something may lie behind door {}: {}.", n, c.suspicion)
                    : fmt::format("What lies behind door {} may not be what the ledger says: {}.", n, c.suspicion),
                c.deposit.empty() ? "Open it with a settle grant and look."
                                  : "Have staff look: `settle` leaves the papers there, `reclaim` ends the deposit.");
        }
    }
    for (const auto& [n, lock] : w.s.d.locks) {
        if (lock.said) {
            alarms.raise("worn", n, lock.said_ms,
                         fmt::format("The lock of door {}{}, with {} retries and {} jams so far: it may jam soon.", n,
                                     lock.recent_us > 0 ? fmt::format(" opens in {} ms, usually in {} ms",
                                                                      lock.recent_us / 1000, lock.usual_us / 1000)
                                                        : " does not open at the first pulse",
                                     lock.retries, lock.jams),
                         "Clean, grease or change it before it jams; then `lockerctl health --renewed DOOR`.");
        }
    }
    for (const auto& [id, o] : w.s.d.openings) {
        if (o.held) {
            alarms.raise("held_open", o.compartment, o.opened_ms,
                         fmt::format("Door {} has stood open for long.", o.compartment), "Have it shut.");
        }
    }
    for (const auto& [id, d] : w.s.d.deposits) {
        if (d.overdue && d.live()) {
            alarms.raise("overdue", d.compartment, d.since_ms,
                         fmt::format("A deposit behind door {} was not fetched in time.", d.compartment),
                         "Remind its owner, or take it into custody.");
        }
    }
}

void cabinet_alarms(const work& w, alarm_list& alarms) {
    const auto& l = w.s.l;
    for (std::size_t i = 0; i < w.config.boards.size(); ++i) {
        if (!l.boards[i].said || !l.boards[i].present) {
            alarms.raise(
                alarms.topic().alarm("board_lost", w.config.boards[i]), l.boards[i].lost_ms,
                fmt::format("Board {} does not answer, or only now and then: its doors can neither be opened nor seen.",
                            w.config.boards[i]),
                "Check its supply and the RS-485 line.");
        }
    }
    for (const auto& [name, t] : w.s.d.throttles) {
        const bool front = name == "front";
        const auto topic = [&, &bucket = name](std::string_view kind) {
            return front ? alarms.topic().alarm(kind) : alarms.topic().alarm(kind, bucket);
        };
        if (t.locked_out(w.age)) {
            alarms.raise(topic("lockout"), t.charged_ms,
                         front ? "Too many wrong codes: typed codes are refused for a while."
                               : "Too many wrong codes over MQTT: `verify` is refused for a while.",
                         front ? "See who stands there. Phones, QR grants and door # code go on working."
                               : "Look at who may publish commands to this cabinet.");
        }
        if (t.guessing_alarm(w.age)) {
            alarms.raise(topic("guessing"), t.charged_ms, "30 wrong codes within 24 hours: somebody may be guessing.",
                         "See who stands there.");
        }
    }
    if (l.clock_known && !clock_tells(w)) {
        alarms.raise(alarms.topic().alarm("clock_untrusted"), l.started_ms,
                     l.clock_trusted ? "The clock lies behind the time that this cabinet knew already."
                                     : "The clock is not synchronised.",
                     "Check the network's time service and the clock's battery.");
    }
    for (const auto& [kind, sensor] : w.s.d.sensors) {
        if (sensor.trouble && kind == sensor_kind::mains) {
            alarms.raise(alarms.topic().alarm("mains"), sensor.since_ms,
                         "The mains are gone: the cabinet runs on its battery.",
                         "Check the fuse and the supply; how long the battery lasts stands on it.");
        } else if (sensor.trouble) {
            alarms.raise(alarms.topic().alarm("tamper"), sensor.since_ms, "The inside of the cabinet stands open.",
                         "Go there: see who works at it, and shut it.");
        }
    }
    if (const auto& kept = w.s.d.kept; kept.prune_at != 0) {
        alarms.raise(
            alarms.topic().alarm("ledger", "retention"), kept.said_ms,
            fmt::format("The ledger has more rows than it should keep: those older than {} days leave it from {} on.",
                        w.config.rules.ledger_keep / day,
                        format_time(kept.said_ms + w.config.rules.ledger_notice).substr(0, 10)),
            "Run `lockerctl log export` and keep the file. What the broker does not have yet stays.");
    }
    if (w.s.d.m.ledger_broken_ms != 0) {
        alarms.raise(
            alarms.topic().alarm("ledger"), w.s.d.m.ledger_broken_ms,
            "The ledger's end was cut off or altered while lockerd did not run.",
            "Run `lockerctl log verify`, compare with the events that others hold, and find out who was here; then "
            "`lockerctl log examined`.");
    }
    if (l.storage_failed || l.space_low || l.medium_worn) {
        alarms.raise(alarms.topic().alarm("storage"), l.storage_since_ms,
                     l.storage_failed ? "Nothing can be recorded: doors stay shut."
                     : l.space_low    ? "Storage is nearly full: no new deposits are taken."
                                      : "The storage medium is worn out, or its file system met errors.",
                     l.storage_failed || l.space_low ? "Check the card and its free space."
                                                     : "Run `lockerctl backup`, and change the medium soon.");
    }
}

}  // namespace

compartment_message compartment_view(const state& s, const compartment& c, const cabinet_config& config) {
    compartment_message m;
    m.use = use_of(s.d, c);
    const auto reads = s.l.contacts.find(c.number);
    const bool known = reads != s.l.contacts.end() && reads->second.known && !away(s, wiring_of(config, c.number));
    m.door = known ? c.door : door_state::unknown;
    m.lock = c.lock;
    m.deposit = c.deposit;
    m.since_ms = c.since_ms;
    return m;
}

std::map<std::string, std::string> retained_view(const work& w, encodings& known) {
    std::map<std::string, std::string> out;
    const topics t(w.config.id);
    const auto& l = w.s.l;
    out[t.status()] =
        l.stopping ? std::string(offline_status)
                   : encoded(known.status, t.status(), {l.epoch, w.config.version, clock_tells(w), l.started_ms});
    alarm_list alarms(w, out);
    compartment_alarms(w, alarms);
    cabinet_alarms(w, alarms);
    cabinet_message cabinet{w.config.name, w.config.place, w.config.help, {}, {}, alarms.names()};
    for (const auto size : {box_size::small, box_size::medium, box_size::large}) {
        cabinet.vacancies[size] = 0;
    }
    for (const auto& wired : w.config.compartments) {
        const auto& c = w.s.d.compartments.at(wired.number);
        cabinet.compartments.push_back({wired.number, wired.size, wired.accessible});
        if (use_of(w.s.d, c) == use_state::vacant && c.lock == lock_state::ok && c.forced_ms == 0) {
            ++cabinet.vacancies[wired.size];
        }
        const auto topic = t.compartment(wired.number);
        out[topic] = encoded(known.compartments, topic, compartment_view(w.s, c, w.config));
    }
    out[t.cabinet()] = encoded(known.cabinet, t.cabinet(), std::move(cabinet));
    return out;
}

std::string snapshot(const work& w) {
    using boost::json::array;
    using boost::json::object;
    array compartments;
    for (const auto& [n, c] : w.s.d.compartments) {
        auto o = boost::json::parse(encode(compartment_view(w.s, c, w.config))).as_object();
        o["number"] = n;
        o["disabled"] = c.disabled;
        if (wiring_of(w.config, n).contact == contact_kind::none) {
            o["contact"] = "none";
        }
        o["size"] = locker::name(wiring_of(w.config, n).size);
        if (const auto why = doubt_about(c); !why.empty()) {
            o["suspicion"] = why;
        }
        if (const auto lock = w.s.d.locks.find(n); lock != w.s.d.locks.end() && lock->second.worn) {
            o["worn"] = true;
        }
        compartments.push_back(std::move(o));
    }
    array deposits;
    for (const auto& [id, d] : w.s.d.deposits) {
        if (!d.live()) {
            continue;
        }
        deposits.push_back(
            object{{"deposit", d.id},
                   {"case", d.case_id.empty() ? boost::json::value(nullptr) : boost::json::value(d.case_id)},
                   {"kind", locker::name(d.kind)},
                   {"state", locker::name(d.state)},
                   {"compartment", d.compartment},
                   {"size", locker::name(d.size)},
                   {"overdue", d.overdue},
                   {"unconfirmed", is_unconfirmed(w, d)},
                   {"since", format_time(d.since_ms)}});
    }
    std::map<std::string, std::string> unused;
    alarm_list alarms(w, unused);
    compartment_alarms(w, alarms);
    cabinet_alarms(w, alarms);
    return serialize(object{{"sequence", padded(w.s.d.m.sequence)},
                            {"head", to_hex(w.s.d.m.head)},
                            {"earliest", padded(w.past.earliest())},
                            {"acknowledged", padded(w.s.d.m.acknowledged)},
                            {"epoch", w.s.l.epoch},
                            {"version", w.config.version},
                            {"broker", w.s.l.broker_up},
                            {"ring", w.s.d.ring->version},
                            {"roster", w.s.d.people->version},
                            {"cabinet_keys", boost::json::value_from(w.s.d.m.key_ids)},
                            {"compartments", std::move(compartments)},
                            {"deposits", std::move(deposits)},
                            {"alarms", boost::json::value_from(alarms.names())}});
}

}  // namespace locker::core
