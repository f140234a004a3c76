// What people are told, wherever they are: an outbox. A notice is written in the transaction of its cause, one for each
// person and cause, ever; it is sent until the channel takes it, in order for each channel.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "portal/server/domain/office.hpp"

namespace locker::portal {

// A template's words: "{door}" stands for a parameter. Chinese first; both are sent where there is room.
struct notice_template {
    std::string title;
    std::string zh;
    std::string en;
};
using templates = std::map<std::string, notice_template, std::less<>>;
// As they are shipped; and with what the office has put in their place.
[[nodiscard]] const templates& notice_templates();
[[nodiscard]] templates notice_words(office& o);
// Errors: malformed (a name that is none, a parameter that the shipped one lacks).
[[nodiscard]] result<void> set_notice_words(office& o, const std::string& name, const notice_template& words);

struct notice {
    std::int64_t id = 0;
    std::string recipient;  // a person, a staff number, or "team"
    std::string channel;    // by its name in the configuration
    std::string template_name;
    boost::json::object parameters;
    std::string title;
    std::string text;
    int attempts = 0;
    std::int64_t created_ms = 0;
    [[nodiscard]] std::string idempotency_key() const { return "notice-" + std::to_string(id); }
};

struct to_tell {
    std::string cause;  // what happened, once: "demo-1/00…42", "case/c-…/3"
    std::string recipient;
    std::vector<std::string> channels;
    std::string template_name;
    boost::json::object parameters;
    bool urgent = false;  // does not wait for the morning
};

// Within the transaction of its cause.
void tell(office& o, const to_tell& what);

// The oldest that waits for this channel and is due. One that has to be tried again goes before later ones to the same
// person.
[[nodiscard]] std::optional<notice> next_notice(office& o, const std::string& channel);
// True: it waited, and what it says is true no more; it is not sent.
[[nodiscard]] bool drop_if_moot(office& o, const notice& n);
// When to look again: INT64_MAX: nothing waits.
[[nodiscard]] std::int64_t next_due(office& o, const std::string& channel);

// `refused`: the channel says that it will never take it. `unfit`: it has no template for it, or they have no phone.
enum class delivery : std::uint8_t { taken, refused, later, unfit };
void settled(office& o, const notice& n, delivery how);

// Those that no channel took, newest first, at most so many; and one of them told again, from its first try on.
[[nodiscard]] std::vector<notice> failed_notices(office& o, int most);
// Errors: unknown (none such failed, or it was a sign-in code).
[[nodiscard]] result<void> send_again(office& o, std::int64_t id);

// An on-page inbox, newest first, at most so many.
[[nodiscard]] std::vector<notice> inbox_of(office& o, const std::string& recipient, int most);

// Local time of day within the quiet hours: when they end; else `ms`.
[[nodiscard]] std::int64_t after_quiet_hours(const rules& by, std::int64_t ms);

}  // namespace locker::portal
