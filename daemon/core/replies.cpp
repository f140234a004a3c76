#include "daemon/core/replies.hpp"

#include <boost/json.hpp>

#include "protocol/crypto.hpp"
#include "protocol/json.hpp"
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
    const auto o = parse_object(*row, limits::payload_bytes);
    const auto* digest = o ? o->if_contains("digest") : nullptr;
    const auto* reply = o ? o->if_contains("reply") : nullptr;
    if (digest == nullptr || !digest->is_string() || reply == nullptr || !reply->is_string()) {
        return remembered{};  // a damaged row: the id was used, for what nobody knows
    }
    return remembered{std::string(digest->get_string()), std::string(reply->get_string())};
}

// A digest of a command with a code in it could be searched for the code: without the cabinet's key it cannot.
std::string sealed(const work& w, const std::string& digest) {
    const std::string text = "locker/command/v1:" + digest;
    return to_hex(hmac_sha256(w.config.cabinet_keys.front(), bytes_of(text)));
}

void store_reply(work& w, std::string_view id, const std::string& digest, const std::string& reply) {
    w.extra.push_back({"command", std::string(id),
                       boost::json::serialize(boost::json::object{{"digest", digest}, {"reply", reply}}),
                       w.age + limits::remembered_ms});
}

}  // namespace

void remember(work& w, std::string_view id, const std::string& digest, const std::string& reply) {
    if (!id.empty()) {
        store_reply(w, id, sealed(w, digest), reply);
    }
}

// True when the id was seen before, and it has been dealt with here.
bool repeated(work& w, const command_reading& m, const asker& who) {
    const auto before = recall(w, m.id);
    if (!before) {
        return false;
    }
    if (before->digest != sealed(w, to_hex(m.content->digest))) {
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
            store_reply(w, o.command, before->digest, reply_for(o.command));
        }
    }
    auto& askers = w.s.l.running[o.id].askers;
    for (const auto& who : askers) {
        w.answer(who, reply_for(who.id));
    }
    askers.clear();
}

}  // namespace locker::core
