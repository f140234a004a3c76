#include "portal/server/metrics.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

#include "portal/server/app.hpp"
#include "portal/server/domain/members.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

using boost::json::object;

// Labels and what they hold.
using labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// Families in the order they were first named; the samples of one stand together, as the format wants.
class exposition {
public:
    // `kind`: gauge or counter, whose samples then end in _total. `unit`: a suffix of the name, or empty.
    void family(const std::string& name, std::string_view kind, std::string_view unit, std::string_view help) {
        auto& f = families_[name];
        if (f.head.empty()) {
            order_.push_back(name);
            f.suffix = kind == "counter" ? "_total" : kind == "info" ? "_info" : "";
            f.head = fmt::format("# TYPE {} {}\n{}# HELP {} {}\n", name, kind,
                                 unit.empty() ? "" : fmt::format("# UNIT {} {}\n", name, unit), name, help);
        }
    }

    void sample(const std::string& name, labels l, double value) {
        auto& f = families_.at(name);
        f.samples += name + f.suffix;
        std::string inside;
        for (const auto& [label, text] : l) {
            inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", label, escaped(text));
        }
        f.samples += fmt::format("{} {}\n", inside.empty() ? "" : "{" + inside + "}", value);
    }

    [[nodiscard]] std::string text() const {
        std::string out;
        for (const auto& name : order_) {
            const auto& f = families_.at(name);
            out += f.head + f.samples;
        }
        return out + "# EOF\n";
    }

private:
    static std::string escaped(std::string_view text) {
        std::string out;
        for (const char c : text) {
            if (c == '\n') {
                out += "\\n";
                continue;
            }
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
        return out;
    }

    struct one {
        std::string head;
        std::string suffix;
        std::string samples;
    };
    std::map<std::string, one> families_;
    std::vector<std::string> order_;
};

// A number below names that lead to it; nothing: the cabinet does not tell it.
std::optional<double> number(const object& o, const std::vector<std::string_view>& way) {
    const object* at = &o;
    const boost::json::value* found = nullptr;
    for (const auto step : way) {
        found = at == nullptr ? nullptr : at->if_contains(step);
        at = found == nullptr ? nullptr : found->if_object();
    }
    return found != nullptr && found->is_number() ? std::optional(found->to_number<double>()) : std::nullopt;
}

struct figure {
    const char* name;
    const char* kind;
    const char* unit;
    double scale;
    std::vector<std::string_view> way;
    const char* help;
};

// Of a cabinet's topic `metrics`, as they are.
const std::vector<figure>& figures() {
    static const std::vector<figure> all{
        {"locker_uptime_seconds", "gauge", "seconds", 1e-3, {"uptime_ms"}, "Since lockerd was started."},
        {"locker_ledger_sequence", "gauge", "", 1, {"sequence"}, "Rows that the ledger ever had."},
        {"locker_events_unpublished", "gauge", "", 1, {"unpublished"}, "Events that wait for the broker."},
        {"locker_store_commits", "counter", "", 1, {"store", "commits"}, "Transactions since the start."},
        {"locker_store_commit_seconds", "counter", "seconds", 1e-6, {"store", "commits_us"}, "What they took in all."},
        {"locker_store_slowest_commit_seconds",
         "gauge",
         "seconds",
         1e-6,
         {"store", "slowest_commit_us"},
         "The slowest since the start."},
        {"locker_medium_free_bytes", "gauge", "bytes", 1048576, {"store", "medium", "free_mb"}, "Of the state folder."},
        {"locker_medium_life_used_ratio",
         "gauge",
         "ratio",
         1e-2,
         {"store", "medium", "life_used_percent"},
         "Of an eMMC, as it tells itself."},
        {"locker_broker_published", "counter", "", 1, {"broker", "published"}, "Messages since the start."},
        {"locker_broker_connections",
         "counter",
         "",
         1,
         {"broker", "connections"},
         "Times that the broker was reached."},
    };
    return all;
}

void add_families(exposition& out) {
    out.family("locker_cabinet", "info", "", "What a cabinet is called, and what runs on it.");
    out.family("locker_cabinet_online", "gauge", "", "1 while the cabinet is connected to the broker.");
    out.family("locker_cabinet_heard_timestamp_seconds", "gauge", "seconds",
               "When its metrics were heard last, by the portal's clock.");
    out.family("locker_cabinet_metrics_every_seconds", "gauge", "seconds", "How often it says them.");
    out.family("locker_alarms", "gauge", "", "Alarms that are on.");
    out.family("locker_compartments", "gauge", "", "Compartments by use.");
    out.family("locker_doors_open", "gauge", "", "Doors seen open.");
    out.family("locker_vacancies", "gauge", "", "Free compartments by size.");
    for (const auto& f : figures()) {
        out.family(f.name, f.kind, f.unit, f.help);
    }
    out.family("locker_bus_requests", "counter", "", "Modbus requests since the start.");
    out.family("locker_bus_failures", "counter", "", "Of them without a good answer.");
    out.family("locker_bus_pulses", "counter", "", "Lock pulses since the start.");
    out.family("locker_lock_opening_seconds", "gauge", "seconds", "From pulse to open door, lately.");
    out.family("locker_lock_wear_ratio", "gauge", "ratio", "1: the lock is called worn.");
    out.family("locker_counted", "counter", "", "What a cabinet counts by name, since its start.");
    out.family("locker_portal_broker_connected", "gauge", "", "1 while the portal is connected to the broker.");
    out.family("locker_portal_cases", "gauge", "", "Cases by state.");
    out.family("locker_portal_notices", "gauge", "", "Notices by channel and state.");
}

void add_buses(exposition& out, const std::string& cabinet, const object& metrics) {
    const auto* buses = metrics.if_contains("bus");
    if (buses == nullptr || !buses->is_object()) {
        return;
    }
    for (const auto& [name, bus] : buses->get_object()) {
        const std::string called(name);
        for (const auto* what : {"requests", "failures", "pulses"}) {
            if (const auto n = bus.is_object() ? number(bus.get_object(), {what}) : std::nullopt) {
                out.sample(fmt::format("locker_bus_{}", what), {{"cabinet", cabinet}, {"bus", called}}, *n);
            }
        }
    }
}

void add_locks(exposition& out, const std::string& cabinet, const object& metrics) {
    const auto* locks = metrics.if_contains("locks");
    if (locks == nullptr || !locks->is_array()) {
        return;
    }
    for (const auto& entry : locks->get_array()) {
        const auto* lock = entry.if_object();
        const auto door = lock == nullptr ? std::nullopt : number(*lock, {"compartment"});
        if (!door) {
            continue;
        }
        const auto which = fmt::format("{}", *door);
        if (const auto ms = number(*lock, {"recent_ms"}); ms && *ms > 0) {
            out.sample("locker_lock_opening_seconds", {{"cabinet", cabinet}, {"compartment", which}}, *ms / 1000);
        }
        if (const auto wear = number(*lock, {"wear"})) {
            out.sample("locker_lock_wear_ratio", {{"cabinet", cabinet}, {"compartment", which}}, *wear / 100);
        }
    }
}

void add_metrics(exposition& out, const std::string& cabinet, const cabinet_now& now) {
    const auto& metrics = now.metrics;
    if (metrics.empty()) {
        return;
    }
    for (const auto& f : figures()) {
        if (const auto n = number(metrics, f.way)) {
            out.sample(f.name, {{"cabinet", cabinet}}, *n * f.scale);
        }
    }
    add_buses(out, cabinet, metrics);
    add_locks(out, cabinet, metrics);
    if (const auto* counted = metrics.if_contains("counters"); counted != nullptr && counted->is_object()) {
        for (const auto& [name, n] : counted->get_object()) {
            if (n.is_number()) {
                out.sample("locker_counted", {{"cabinet", cabinet}, {"what", name}}, n.to_number<double>());
            }
        }
    }
    out.sample("locker_cabinet_heard_timestamp_seconds", {{"cabinet", cabinet}},
               static_cast<double>(now.heard_ms) / 1000);
    out.sample("locker_cabinet_metrics_every_seconds", {{"cabinet", cabinet}},
               number(metrics, {"every_ms"}).value_or(60'000) / 1000);
}

void add_doors(exposition& out, const std::string& cabinet, const cabinet_now& now) {
    std::map<std::string, int> uses{{"vacant", 0}, {"reserved", 0}, {"occupied", 0}, {"suspected", 0}, {"disabled", 0}};
    int open = 0;
    for (const auto& [door, state] : now.compartments) {
        ++uses[text_in(state, "use")];
        open += text_in(state, "door") == "open" ? 1 : 0;
    }
    for (const auto& [use, n] : uses) {
        out.sample("locker_compartments", {{"cabinet", cabinet}, {"use", use}}, n);
    }
    out.sample("locker_doors_open", {{"cabinet", cabinet}}, open);
    for (const auto* size : {"S", "M", "L"}) {
        if (const auto n = number(now.facts, {"vacancies", size})) {
            out.sample("locker_vacancies", {{"cabinet", cabinet}, {"size", size}}, *n);
        }
    }
}

void add_cabinet(exposition& out, const cabinet_record& c, const cabinet_now& now) {
    out.sample("locker_cabinet", {{"cabinet", c.id}, {"name", c.name}, {"place", c.place}, {"version", now.version}},
               1);
    out.sample("locker_cabinet_online", {{"cabinet", c.id}}, now.online ? 1 : 0);
    std::map<std::string, int> alarms;
    for (const auto& [topic, alarm] : now.alarms) {
        ++alarms[topic.substr(0, topic.find('/'))];
    }
    for (const auto& [kind, n] : alarms) {
        out.sample("locker_alarms", {{"cabinet", c.id}, {"kind", kind}}, n);
    }
    add_doors(out, c.id, now);
    add_metrics(out, c.id, now);
}

void add_portal(exposition& out, app& a) {
    out.sample("locker_portal_broker_connected", {}, a.link.connected() ? 1 : 0);
    std::vector<std::string> states(64);
    std::vector<long long> counts(64);
    a.db.sql() << "SELECT state, COUNT(*) FROM cases GROUP BY state ORDER BY state", soci::into(states),
        soci::into(counts);
    for (std::size_t i = 0; i < states.size(); ++i) {
        out.sample("locker_portal_cases", {{"state", states[i]}}, static_cast<double>(counts[i]));
    }
    std::vector<std::string> channels(256);
    states.resize(256);
    counts.resize(256);
    a.db.sql() << "SELECT channel, state, COUNT(*) FROM notices GROUP BY channel, state ORDER BY channel",
        soci::into(channels), soci::into(states), soci::into(counts);
    for (std::size_t i = 0; i < channels.size(); ++i) {
        out.sample("locker_portal_notices", {{"channel", channels[i]}, {"state", states[i]}},
                   static_cast<double>(counts[i]));
    }
}

}  // namespace

std::string open_metrics(app& a) {
    exposition out;
    add_families(out);
    for (const auto& c : all_cabinets(a.desk)) {
        add_cabinet(out, c, a.link.now_of(c.id));
    }
    add_portal(out, a);
    return out.text();
}

}  // namespace locker::portal
