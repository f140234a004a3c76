// Walks a cabinet that is in service: by staff's authority, through lockerd, each opening in the ledger.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <iostream>
#include <map>

#include "daemon/ctl/client.hpp"
#include "daemon/ctl/commission/commission.hpp"
#include "daemon/ctl/commission/lines.hpp"
#include "daemon/ctl/commission/screen.hpp"

namespace locker {
namespace {

constexpr std::int64_t shut_within_ms = 120'000;

// What the doors say of themselves, by number.
struct door_now {
    std::string use;
    std::string door;
    bool forced = false;
    bool contact = true;
};

std::map<int, door_now> doors_now(const std::string& socket) {
    const auto answer = ask(socket, {{"do", "status"}});
    std::map<int, door_now> out;
    const auto& result = answer.at("result").as_object();
    for (const auto& c : result.at("compartments").as_array()) {
        out[c.at("number").to_number<int>()] = {std::string(c.at("use").as_string()),
                                                std::string(c.at("door").as_string()), false,
                                                c.as_object().if_contains("contact") == nullptr};
    }
    for (const auto& alarm : result.at("alarms").as_array()) {
        const std::string name(alarm.as_string());
        constexpr std::string_view forced = "forced/";
        if (name.starts_with(forced)) {
            out[static_cast<int>(std::strtol(name.c_str() + forced.size(), nullptr, 10))].forced = true;
        }
    }
    return out;
}

// All doors that were shut before and are open now, but for this one.
std::vector<int> others_open(const std::map<int, door_now>& before, const std::map<int, door_now>& now, int but) {
    std::vector<int> out;
    for (const auto& [n, d] : now) {
        const auto at = before.find(n);
        const bool was = at != before.end() && (at->second.door == "open" || at->second.forced);
        if (n != but && !was && (d.door == "open" || d.forced)) {
            out.push_back(n);
        }
    }
    return out;
}

}  // namespace

int verify_wiring(const commission_options& o) {
    screen shown(o.json, true);
    conversation staff(o.socket);
    std::string credential = o.staff;
    if (credential.empty()) {
        credential = shown.ask("Staff number # code, with the permit maintain: ");
    }
    const auto in = staff.ask({{"do", "enter"},
                               {"text", credential},
                               {"via", credential.find('.') == std::string::npos ? "socket" : "scanner"}});
    if (!in.at("ok").as_bool()) {
        shown.say("refused", std::string(in.at("error").at("message").as_string()));
        return 1;
    }
    bool may = false;
    if (const auto* permits = in.at("result").as_object().if_contains("permits"); permits != nullptr) {
        for (const auto& p : permits->as_array()) {
            may = may || p == "maintain" || p == "open_any";
        }
    }
    if (!may) {
        shown.say("refused", "The role lacks maintain: who walks a cabinet may open vacant doors.");
        return 1;
    }
    int differences = 0;
    int tried = 0;
    int refusals = 0;             // -1: all that would follow, too
    std::map<int, int> moved_by;  // doors that another's relay opened
    for (const auto& [n, at_first] : doors_now(o.socket)) {
        if (const auto by = moved_by.find(n); by != moved_by.end()) {
            ++differences;
            shown.say("difference", fmt::format("Door {}: it opened when door {} should have", n, by->second),
                      {{"compartment", n}, {"opened_with", by->second}});
            continue;
        }
        const auto door = doors_now(o.socket).at(n);
        if (!door.contact || door.use != "vacant") {
            shown.say("left",
                      fmt::format("Door {}: {}: not opened", n, door.contact ? door.use : "no contact tells of it"),
                      {{"compartment", n}, {"use", door.use}});
            continue;
        }
        if (door.door != "closed") {
            ++differences;
            shown.say("difference",
                      fmt::format(
                          "Door {}: its contact reads {} before anything was opened: is it shut, and the contact wired "
                          "as the configuration says?",
                          n, door.door),
                      {{"compartment", n}, {"door", door.door}});
            continue;
        }
        shown.progress(fmt::format("Door {}", n));
        const auto before = doors_now(o.socket);
        const auto answer =
            staff.ask({{"do", "enter"}, {"text", fmt::format("open {} wiring verified", n)}, {"via", "socket"}});
        const bool opened = answer.at("ok").as_bool();
        const std::string code = opened ? "" : std::string(answer.at("error").at("code").as_string());
        if (!opened && code != "jammed" && code != "unknown_outcome") {
            // Not a word about its wires. What is so for this door is so for all, or a moment later no more.
            shown.say("refused",
                      fmt::format("Door {}: {}", n, std::string(answer.at("error").at("message").as_string())),
                      {{"compartment", n}, {"code", code}});
            if (code == "not_permitted" || code == "suspended" || code == "storage_failed") {
                refusals = -1;
                break;
            }
            ++refusals;
            continue;
        }
        ++tried;
        sleep_ms(700);  // another door that moved counts as forced after half a second
        const auto others = others_open(before, doors_now(o.socket), n);
        if (opened && others.empty()) {
            shown.say("door", fmt::format("Door {}: as configured", n), {{"compartment", n}});
        } else {
            ++differences;
            for (const int other : others) {
                moved_by.emplace(other, n);
            }
            const std::string text =
                !others.empty() ? fmt::format(
                                      "Door {}: {} opened{}: relays or contacts are wired to other doors than the "
                                      "configuration says",
                                      n, fmt::join(others, ", "), opened ? " too" : " instead")
                : code == "unknown_outcome" ? fmt::format("Door {}: no contact tells whether it opened", n)
                                            : fmt::format("Door {}: {}: it was not seen to open", n, code);
            shown.say("difference", text, {{"compartment", n}, {"code", code}});
        }
        const std::int64_t end = monotonic_ms() + shut_within_ms;
        for (bool asked = false; monotonic_ms() < end; sleep_ms(200)) {
            const auto now = doors_now(o.socket);
            if (now.at(n).door != "open" && others_open(before, now, n).empty()) {
                break;
            }
            if (!asked) {
                shown.progress(fmt::format("Door {}: shut it, please.", n));
                asked = true;
            }
            if (!others.empty() && now.at(n).door != "open") {
                break;  // a door that counts as forced stays so until staff were there
            }
        }
    }
    (void)staff.ask({{"do", "enter"}, {"text", "out"}, {"via", "socket"}});
    shown.say("done",
              fmt::format("{} doors tried, {} differences{}.", tried, differences,
                          refusals < 0   ? "; the others were not tried"
                          : refusals > 0 ? fmt::format("; {} were refused: call again", refusals)
                                         : ""),
              {{"tried", tried}, {"differences", differences}, {"refused", refusals}});
    return differences == 0 && refusals == 0 ? 0 : 1;
}

}  // namespace locker
