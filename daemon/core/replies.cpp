#include "daemon/core/replies.hpp"

#include <boost/json.hpp>

#include "protocol/limits.hpp"
#include "protocol/state.hpp"

namespace locker::core {
namespace {

struct remembered {
    std::string digest;
    std::string reply;  // empty: its opening is not over
};

std::optional<remembered> recall(const work& w, std::string_view id) {
    const auto row = w.past.find("command", id);
    if (!row) {
        return std::nullopt;
    }
    const auto o = boost::json::parse(*row).as_object();
    return remembered{boost::json::value_to<std::string>(o.at("digest")),
                      boost::json::value_to<std::string>(o.at("reply"))};
}

}  // namespace

void remember(work& w, std::string_view id, const std::string& digest, const std::string& reply) {
    if (id.empty()) {
        return;
    }
    w.extra.push_back({"command", std::string(id),
                       boost::json::serialize(boost::json::object{{"digest", digest}, {"reply", reply}}),
                       w.age + limits::remembered_ms});
}

// True when the id was seen before, and it has been dealt with here.
bool repeated(work& w, const command_reading& m, const asker& who) {
    const auto before = recall(w, m.id);
    if (!before) {
        return false;
    }
    if (before->digest != to_hex(m.content->digest)) {
        w.answer_error(who, malformed("id: was used for another command"));
    } else if (!before->reply.empty()) {
        w.answer(who, before->reply);
    } else {
        for (auto& [id, o] : w.s.d.openings) {
            if (o.command == m.id) {
                w.s.l.running[id].askers.push_back(who);
            }
        }
    }
    return true;
}

void finish_opening(work& w, const opening& o, const std::optional<refusal>& why) {
    const auto result = boost::json::serialize(
        boost::json::object{{"opening", o.id}, {"compartment", o.compartment}, {"outcome", name(o.result)}});
    const auto reply_for = [&](std::string_view id) {
        return why ? error_reply(id, *why, w.config.help) : ok_reply(id, result);
    };
    if (!o.command.empty()) {
        const auto before = recall(w, o.command);
        if (before) {
            remember(w, o.command, before->digest, reply_for(o.command));
        }
    }
    auto& askers = w.s.l.running[o.id].askers;
    for (const auto& who : askers) {
        w.answer(who, reply_for(who.id));
    }
    askers.clear();
}

}  // namespace locker::core
