#include "daemon/ctl/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>

namespace locker {
namespace {

using boost::json::array;
using boost::json::object;

std::string text(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : "";
}

std::int64_t number(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_int64() ? v->get_int64() : 0;
}

bool flag(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_bool() && v->get_bool();
}

// What of a door matters most to who looks: two letters, and how loud.
struct look {
    std::string_view sign;
    std::string_view colour;  // ECMA-48 SGR
};

look look_of(const object& c) {
    const auto use = text(c, "use");
    const auto lock = text(c, "lock");
    if (text(c, "door") == "open") {
        return use == "suspected" ? look{"open!", "1;31"} : look{"open", "1;33"};
    }
    if (lock == "jammed" || lock == "quarantined") {
        return {lock == "jammed" ? "JAM" : "QUAR", "1;31"};
    }
    if (use == "suspected") {
        return {"SUSP", "1;31"};
    }
    if (text(c, "door") == "unknown") {
        return {"?", "33"};
    }
    if (use == "occupied") {
        return {"full", "1"};
    }
    return use == "reserved" ? look{"resv", "1"} : use == "disabled" ? look{"off", "2"} : look{"·", "32"};
}

// As wide as people see it: the middle dot is two bytes and one column.
std::string padded_to(std::string_view s, std::size_t width) {
    const auto seen = static_cast<std::size_t>(
        std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    return std::string(s) + std::string(width > seen ? width - seen : 0, ' ');
}

}  // namespace

std::string picture(const object& snapshot, int columns, bool colours) {
    constexpr int cell = 9;
    const int row = std::clamp((columns - 1) / cell, 1, 12);
    std::string out;
    std::map<std::string, int> counts;
    std::set<std::string_view> seen;
    int at = 0;
    std::string top;
    std::string middle;
    const auto flush = [&](int cells) {
        if (cells == 0) {
            return;
        }
        std::string line = "+";
        for (int i = 0; i < cells; ++i) {
            line += "--------+";
        }
        out += (at <= cells ? line + "\n" : "") + "|" + top + "\n|" + middle + "\n" + line + "\n";
        top.clear();
        middle.clear();
    };
    int cells = 0;
    for (const auto& item : snapshot.at("compartments").as_array()) {
        const auto& c = item.as_object();
        ++counts[text(c, "use")];
        const auto look = look_of(c);
        top += fmt::format(" {:<3} {}{} |", number(c, "number"), padded_to(text(c, "size"), 1),
                           flag(c, "worn") ? "~" : " ");
        seen.insert(look.sign);
        if (flag(c, "worn")) {
            seen.insert("~");
        }
        const auto sign = padded_to(look.sign, 6);
        middle += colours ? fmt::format(" \033[{}m{}\033[0m |", look.colour, sign) : " " + sign + " |";
        ++at;
        if (++cells == row) {
            flush(cells);
            cells = 0;
        }
    }
    flush(cells);
    constexpr std::pair<std::string_view, std::string_view> signs[] = {
        {"·", "vacant"},      {"full", "occupied"},       {"resv", "reserved"},  {"off", "disabled"},
        {"?", "not seen"},    {"open", "stands open"},    {"SUSP", "suspected"}, {"open!", "open and suspected"},
        {"JAM", "lock jams"}, {"QUAR", "lock set aside"}, {"~", "worn lock"}};
    std::string legend;
    for (const auto& [sign, meaning] : signs) {
        if (seen.count(sign) != 0) {
            const auto one = fmt::format("{} {}", sign, meaning);
            const auto line = legend.substr(legend.rfind('\n') + 1);
            const bool fits = line.size() + one.size() + 3 <= static_cast<std::size_t>(std::max(columns, 20));
            legend += legend.empty() ? one : (fits ? "   " : "\n") + one;
        }
    }
    out += legend + "\n\n";
    std::string summary;
    for (const auto& [use, count] : counts) {
        summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, use);
    }
    out += "doors:  " + summary + "\n";
    out += fmt::format("broker: {}\n", flag(snapshot, "broker") ? "connected" : "not connected; events wait");
    out += fmt::format("ledger: sequence {}, head {}…\n", std::stoull(text(snapshot, "sequence")),
                       text(snapshot, "head").substr(0, 16));
    const auto& alarms = snapshot.at("alarms").as_array();
    for (const auto& a : alarms) {
        out += fmt::format("alarm:  {}\n", std::string(a.as_string()));
    }
    if (alarms.empty()) {
        out += "alarms: none\n";
    }
    return out;
}

std::string doors_table(const array& compartments) {
    std::string out = fmt::format("{:>5}  {:<4} {:<10} {:<8} {:<12} {:<20} {}\n", "door", "size", "use", "door is",
                                  "lock", "deposit", "since");
    for (const auto& item : compartments) {
        const auto& c = item.as_object();
        const auto suspicion = text(c, "suspicion");
        out += fmt::format("{:>5}  {:<4} {:<10} {:<8} {:<12} {:<20} {}\n", number(c, "number"), text(c, "size"),
                           text(c, "use"), text(c, "door"), text(c, "lock"), text(c, "deposit"), text(c, "since"));
        if (!suspicion.empty()) {
            out += fmt::format("{:>5}  suspected: {}\n", "", suspicion);
        }
    }
    return out;
}

std::string deposits_table(const object& snapshot) {
    std::string out =
        fmt::format("{:<24} {:>5}  {:<7} {:<10} {:<24} {}\n", "deposit", "door", "kind", "state", "since", "");
    for (const auto& item : snapshot.at("deposits").as_array()) {
        const auto& d = item.as_object();
        out += fmt::format("{:<24} {:>5}  {:<7} {:<10} {:<24} {}{}\n", text(d, "deposit"), number(d, "compartment"),
                           text(d, "kind"), text(d, "state"), text(d, "since"), flag(d, "overdue") ? "overdue " : "",
                           flag(d, "unconfirmed") ? "unconfirmed" : "");
    }
    return out;
}

std::string health_table(const array& locks) {
    std::string out = fmt::format("{:>5}  {:<11} {:>7} {:>9} {:>10} {:>8} {:>5} {:>8}  {}\n", "door", "lock", "cycles",
                                  "usual ms", "recent ms", "retries", "jams", "bounces", "wear");
    for (const auto& item : locks) {
        const auto& l = item.as_object();
        const bool learning = flag(l, "learning");
        out += fmt::format("{:>5}  {:<11} {:>7} {:>9} {:>10} {:>8} {:>5} {:>8}  {}\n", number(l, "compartment"),
                           text(l, "lock"), number(l, "cycles"), number(l, "usual_ms"), number(l, "recent_ms"),
                           number(l, "retries"), number(l, "jams"), number(l, "bounces"),
                           flag(l, "worn") ? fmt::format("{} %, worn since {}", number(l, "wear"), text(l, "since"))
                           : learning      ? "learning"
                                           : fmt::format("{} %", number(l, "wear")));
    }
    return out;
}

}  // namespace locker
