#include "portal/server/domain/notices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace locker::portal {
namespace {

constexpr std::int64_t sign_in_lives = 5 * minute;
constexpr int attempts_most = 200;
constexpr std::int64_t longest_pause = 15 * minute;

std::string filled(std::string_view words, const boost::json::object& parameters) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto end = words[i] == '{' ? words.find('}', i) : std::string_view::npos;
        if (end == std::string_view::npos) {
            out += words[i];
            continue;
        }
        const auto* v = parameters.if_contains(words.substr(i + 1, end - i - 1));
        if (v != nullptr) {
            out += v->is_string() ? std::string(v->get_string()) : boost::json::serialize(*v);
        }
        i = end;
    }
    return out;
}

// "22:00" → ms of the day.
std::int64_t time_of_day(const std::string& text) {
    return text.size() == 5 ? (std::stoi(text.substr(0, 2)) * 60 + std::stoi(text.substr(3))) * minute : 0;
}

// The {…} of a text.
std::set<std::string> parameters_of(std::string_view words) {
    std::set<std::string> out;
    for (auto at = words.find('{'); at != std::string_view::npos; at = words.find('{', at + 1)) {
        const auto end = words.find('}', at);
        out.emplace(words.substr(at + 1, end == std::string_view::npos ? end : end - at - 1));
    }
    return out;
}

notice notice_of(office& o, const soci::row& r) {
    notice n;
    n.id = r.get<long long>(0);
    n.recipient = r.get<std::string>(1);
    n.channel = r.get<std::string>(2);
    n.template_name = r.get<std::string>(3);
    const auto content = o.safe.open("notice", r.get<std::string>(4));
    n.parameters = content ? boost::json::parse(*content).as_object() : boost::json::object{};
    n.attempts = r.get<int>(5);
    n.created_ms = r.get<long long>(6);
    const auto all = notice_words(o);
    const auto& words = all.at(n.template_name);
    n.title = words.title;
    n.text = filled(words.zh, n.parameters) + "\n" + filled(words.en, n.parameters);
    return n;
}

constexpr const char* columns = "id, recipient, channel, template, content, attempts, created_at";

}  // namespace

templates notice_words(office& o) {
    templates out = notice_templates();
    const soci::rowset<soci::row> rows = (o.db.sql().prepare << "SELECT name, title, zh, en FROM notice_words");
    for (const auto& r : rows) {
        if (const auto at = out.find(r.get<std::string>(0)); at != out.end()) {
            at->second = {r.get<std::string>(1), r.get<std::string>(2), r.get<std::string>(3)};
        }
    }
    return out;
}

result<void> set_notice_words(office& o, const std::string& name, const notice_template& words) {
    const auto shipped = notice_templates().find(name);
    constexpr std::size_t most = 300;
    if (shipped == notice_templates().end() || words.title.empty() || words.zh.empty() || words.en.empty() ||
        words.title.size() > most || words.zh.size() > most || words.en.size() > most) {
        return problem{400, "malformed",
                       "模板不完整或太长。 A template has a title and both languages, at most 300 bytes each."};
    }
    auto known = parameters_of(shipped->second.zh);
    known.merge(parameters_of(shipped->second.en));
    for (const auto& [text, before] : {std::pair{words.zh, shipped->second.zh}, {words.en, shipped->second.en}}) {
        const auto has = parameters_of(text);
        for (const auto& p : parameters_of(before)) {
            if ((p == "code" || p == "door") && has.count(p) == 0) {
                return problem{400, "malformed",
                               fmt::format("模板必须含 {{{0}}}。 This template must have {{{0}}}.", p)};
            }
        }
        for (const auto& p : has) {
            if (known.count(p) == 0) {
                return problem{400, "malformed",
                               fmt::format("模板没有参数 {{{0}}}。 This template knows no parameter {{{0}}}.", p)};
            }
        }
    }
    o.db.sql() << "DELETE FROM notice_words WHERE name = :n", soci::use(name);
    o.db.sql() << "INSERT INTO notice_words (name, title, zh, en) VALUES (:n, :t, :z, :e)", soci::use(name),
        soci::use(words.title), soci::use(words.zh), soci::use(words.en);
    return {};
}

const templates& notice_templates() {
    static const templates all{
        {"sign_in",
         {"验证码 Sign-in code", "验证码 {code}，5 分钟内有效，请勿告诉他人。",
          "Your code is {code}, good for 5 minutes. Tell nobody."}},
        {"ready",
         {"可以取件 Ready to collect", "您办理的“{service}”已办好，资料在 {place} {door} 号柜，随时可取。",
          "\"{service_en}\" is done. Your papers lie behind door {door} at {place}."}},
        {"ready_delegate",
         {"可以取件 Ready to collect", "有人请您代取“{service}”的资料：{place} {door} 号柜。用本手机号登录即可取件。",
          "Somebody asks you to collect papers for them: door {door} at {place}. Sign in with this number."}},
        {"asked",
         {"请补充资料 More papers", "您办理的“{service}”需要补充：{papers}。{note}",
          "\"{service_en}\" needs more papers: {papers}. {note}"}},
        {"counter",
         {"请到窗口办理 At the counter", "您办理的“{service}”请到服务窗口领取。{note}",
          "Please come to the counter for \"{service_en}\". {note}"}},
        {"overdue",
         {"请尽快取件 Please collect", "您的资料仍在 {place} {door} 号柜，请尽快取走。",
          "Your papers still lie behind door {door} at {place}. Please collect them."}},
        {"new_case",
         {"新的投递 New papers", "{place} {door} 号柜有新资料：“{service}”。",
          "New papers at {place}, door {door}: \"{service_en}\"."}},
        {"trouble",
         {"柜门需查看 A door wants a look", "{place} {door} 号柜需要到场查看：{what}。",
          "Door {door} at {place} wants a look: {what}."}}};
    return all;
}

std::int64_t after_quiet_hours(const rules& by, std::int64_t ms) {
    const std::int64_t from = time_of_day(by.quiet_from);
    const std::int64_t to = time_of_day(by.quiet_to);
    const std::int64_t local = ((ms + by.utc_offset_ms) % day + day) % day;
    const bool quiet = from <= to ? local >= from && local < to : local >= from || local < to;
    return quiet ? ms + (to - local + day) % day : ms;
}

namespace {

// Never one that was given before, also not of a notice that is gone: gateways know notices by it.
long long next_id(office& o) {
    long long last = 0;
    long long id = 0;
    o.db.sql() << "SELECT COALESCE(MAX(id), 0) FROM notices", soci::into(last);
    o.db.sql() << "SELECT COALESCE(MAX(value), 0) FROM settings WHERE name = 'notices'", soci::into(id);
    id = std::max(id, last) + 1;
    o.db.sql() << "DELETE FROM settings WHERE name = 'notices'";
    o.db.sql() << "INSERT INTO settings (name, value) VALUES ('notices', :v)", soci::use(id);
    return id;
}

}  // namespace

void tell(office& o, const to_tell& what) {
    for (const auto& channel : what.channels) {
        int known = 0;
        o.db.sql() << "SELECT COUNT(*) FROM notices WHERE cause = :c AND recipient = :r AND channel = :h",
            soci::use(what.cause), soci::use(what.recipient), soci::use(channel), soci::into(known);
        if (known > 0) {
            continue;
        }
        const std::string content = o.safe.seal("notice", boost::json::serialize(what.parameters));
        const long long now = o.now();
        const std::string state = channel == "inbox" ? "sent" : "waiting";  // it lies there already
        const long long due = what.urgent ? now : after_quiet_hours(o.by, now);
        const long long id = next_id(o);
        o.db.sql() << "INSERT INTO notices (id, cause, recipient, channel, template, content, state, attempts, due_at, "
                      "created_at, settled_at) VALUES (:i, :c, :r, :h, :t, :n, :s, 0, :d, :w, 0)",
            soci::use(id), soci::use(what.cause), soci::use(what.recipient), soci::use(channel),
            soci::use(what.template_name), soci::use(content), soci::use(state), soci::use(due), soci::use(now);
        o.changed("notices/" + channel);
        o.changed("inbox/" + what.recipient);
    }
}

namespace {

// What waited for the morning, or for a gateway, and is true no more: the papers lie there no longer, or they are
// somebody else's errand.
bool moot(office& o, const notice& n) {
    if (n.template_name != "ready" && n.template_name != "ready_delegate" && n.template_name != "overdue") {
        return false;
    }
    const auto* about = n.parameters.if_contains("case");
    const auto* deposit = n.parameters.if_contains("deposit");
    if (about == nullptr || !about->is_string() || deposit == nullptr || !deposit->is_string()) {
        return false;
    }
    const std::string id(about->get_string());
    const std::string lying(deposit->get_string());
    int so = 0;
    o.db.sql() << "SELECT COUNT(*) FROM cases k JOIN deposits d ON d.case_id = k.id WHERE k.id = :i AND d.id = :d AND "
                  "d.state IN ('deposited', 'confirmed') AND (k.person = :p OR k.delegate = :q)",
        soci::use(id), soci::use(lying), soci::use(n.recipient), soci::use(n.recipient), soci::into(so);
    return so == 0;
}

}  // namespace

std::optional<notice> next_notice(office& o, const std::string& channel) {
    const long long now = o.now();
    const long long too_old = now - sign_in_lives;  // a code that is worth nothing any more
    o.db.sql()
        << "UPDATE notices SET state = 'failed' WHERE state = 'waiting' AND template = 'sign_in' AND created_at < :t",
        soci::use(too_old);
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare
             << std::string("SELECT ") + columns +
                    " FROM notices n WHERE state = 'waiting' AND channel = :c AND due_at <= :n AND NOT "
                    "EXISTS (SELECT 1 FROM notices e WHERE e.state = 'waiting' AND e.channel = n.channel "
                    "AND e.recipient = n.recipient AND e.id < n.id AND e.attempts > 0 AND n.template <> 'sign_in') "
                    "ORDER BY id LIMIT 1",
         soci::use(channel), soci::use(now));
    for (const auto& r : rows) {
        return notice_of(o, r);
    }
    return std::nullopt;
}

bool drop_if_moot(office& o, const notice& n) {
    if (!moot(o, n)) {
        return false;
    }
    const long long now = o.now();
    const long long id = n.id;
    o.db.sql() << "UPDATE notices SET state = 'moot', settled_at = :n WHERE id = :i", soci::use(now), soci::use(id);
    return true;
}

std::int64_t next_due(office& o, const std::string& channel) {
    long long due = 0;
    int waiting = 0;
    o.db.sql() << "SELECT COUNT(*), COALESCE(MIN(due_at), 0) FROM notices WHERE state = 'waiting' AND channel = :c",
        soci::use(channel), soci::into(waiting), soci::into(due);
    return waiting == 0 ? INT64_MAX : due;
}

void settled(office& o, const notice& n, delivery how) {
    const long long now = o.now();
    const long long id = n.id;
    const bool given_up = how == delivery::later && n.attempts + 1 >= attempts_most;
    if (how == delivery::later && !given_up) {
        const long long due = now + std::min(longest_pause, second << std::min(n.attempts, 10));
        o.db.sql() << "UPDATE notices SET attempts = attempts + 1, due_at = :d WHERE id = :i", soci::use(due),
            soci::use(id);
        return;
    }
    const std::string state = how == delivery::taken ? "sent" : how == delivery::unfit ? "unfit" : "failed";
    o.db.sql() << "UPDATE notices SET attempts = attempts + 1, state = :s, settled_at = :n WHERE id = :i",
        soci::use(state), soci::use(now), soci::use(id);
    if (n.template_name == "sign_in" && how == delivery::taken &&
        n.channel != "inbox") {  // a secret that has done its work
        const std::string empty = o.safe.seal("notice", "{}");
        o.db.sql() << "UPDATE notices SET content = :c WHERE id = :i", soci::use(empty), soci::use(id);
    }
}

std::vector<notice> failed_notices(office& o, int most) {
    std::vector<notice> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << std::string("SELECT ") + columns +
                                   " FROM notices WHERE state = 'failed' AND template <> 'sign_in' ORDER BY id DESC "
                                   "LIMIT :m",
         soci::use(most));
    for (const auto& r : rows) {
        out.push_back(notice_of(o, r));
    }
    return out;
}

result<void> send_again(office& o, std::int64_t id) {
    const long long n = id;
    const long long now = o.now();
    std::string channel;
    o.db.sql() << "SELECT channel FROM notices WHERE id = :i AND state = 'failed' AND template <> 'sign_in'",
        soci::use(n), soci::into(channel);
    if (!o.db.sql().got_data()) {
        return problem{404, "unknown", "没有这条未送达的通知。 There is no such notice that failed."};
    }
    o.db.sql() << "UPDATE notices SET state = 'waiting', attempts = 0, due_at = :n WHERE id = :i", soci::use(now),
        soci::use(n);
    o.changed("notices/" + channel);
    return {};
}

std::vector<notice> inbox_of(office& o, const std::string& recipient, int most) {
    std::vector<notice> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << std::string("SELECT ") + columns +
                                   " FROM notices WHERE recipient = :r AND channel = 'inbox' ORDER BY id DESC LIMIT :m",
         soci::use(recipient), soci::use(most));
    for (const auto& r : rows) {
        out.push_back(notice_of(o, r));
    }
    return out;
}

}  // namespace locker::portal
