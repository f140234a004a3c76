#include "protocol/state.hpp"

#include <boost/json.hpp>

#include "protocol/timestamp.hpp"

namespace locker {
namespace {
using boost::json::array;
using boost::json::object;
}  // namespace

std::string encode(const status_message& m) {
    return serialize(object{{"online", true},
                            {"epoch", m.epoch},
                            {"version", m.version},
                            {"clock", object{{"trusted", m.clock_trusted}}},
                            {"since", format_time(m.since_ms)}});
}

std::string encode(const cabinet_message& m) {
    array compartments;
    for (const auto& c : m.compartments) {
        compartments.push_back(object{{"number", c.number}, {"size", name(c.size)}, {"accessible", c.accessible}});
    }
    object vacancies;
    for (const auto& [size, count] : m.vacancies) {
        vacancies[name(size)] = count;
    }
    return serialize(object{{"name", m.name},
                            {"place", m.place},
                            {"help", m.help},
                            {"compartments", std::move(compartments)},
                            {"vacancies", std::move(vacancies)},
                            {"alarms", boost::json::value_from(m.alarms)}});
}

std::string encode(const compartment_message& m) {
    object o{{"use", name(m.use)}, {"door", name(m.door)}, {"lock", name(m.lock)}};
    o["deposit"] = m.deposit.empty() ? boost::json::value(nullptr) : boost::json::value(m.deposit);
    o["since"] = format_time(m.since_ms);
    return serialize(o);
}

std::string encode(const alarm_message& m) {
    return serialize(object{{"since", format_time(m.since_ms)}, {"meaning", m.meaning}, {"action", m.action}});
}

std::string ok_reply(std::string_view id, std::string_view result) {
    std::string out = "{";
    if (!id.empty()) {
        out += "\"id\":" + serialize(boost::json::string(id)) + ",";
    }
    return out + "\"ok\":true,\"result\":" + std::string(result) + "}";
}

std::string error_reply(std::string_view id, const refusal& why, std::string_view help) {
    const auto text = why.says.value_or(sentence_for(why.code));
    std::string message = std::string(text.zh) + " " + std::string(text.en);
    if (!why.detail.empty()) {
        message += " (" + why.detail + ")";
    }
    if (!help.empty()) {
        message += " 求助电话 Help: " + std::string(help);
    }
    object o;
    if (!id.empty()) {
        o["id"] = id;
    }
    o["ok"] = false;
    o["error"] = object{{"code", name(why.code)}, {"message", message}};
    return serialize(o);
}

}  // namespace locker
