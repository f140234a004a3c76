// What administrators ask for: cabinets, staff, the catalogue, who looked at what.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/use_awaitable.hpp>

#include "portal/server/api_views.hpp"
#include "portal/server/app.hpp"
#include "portal/server/domain/members.hpp"
#include "portal/server/domain/notices.hpp"
#include "portal/server/domain/people.hpp"
#include "portal/server/domain/retention.hpp"
#include "portal/server/qr.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

using boost::asio::awaitable;
using boost::json::array;
using boost::json::object;

constexpr std::size_t password_least = 10;  // characters; a second factor stands beside it
constexpr std::size_t password_most = 128;

awaitable<http_response> cabinets(app& a, call&) {
    array out;
    for (const auto& one : all_cabinets(a.desk)) {
        auto v = cabinet_view(a, one);
        v["sequence"] = one.sequence;
        v["alarms"] = a.link.now_of(one.id).alarms.size();
        out.push_back(std::move(v));
    }
    co_return ok(object{{"cabinets", std::move(out)}, {"broker", a.link.connected()}});
}

// Makes its key; the bundle is shown this once.
awaitable<http_response> enrol(app& a, call& c) {
    const cabinet_record what{c.text("id"), c.text("name"), c.text("place"), c.text("help"), 0};
    const auto bytes = a.desk.from.random(32);
    const auto key = as_key(bytes);
    transaction t(a.db.sql());
    const auto done = add_cabinet(a.desk, what, *key);
    if (!done) {
        co_return refused(done.error());
    }
    audit(a.desk, c.who(), "cabinet enrolled", what.id);
    t.commit();
    a.link.enrolled(what.id);
    auto broker = a.settings.cabinets_broker;
    broker.username = "cabinet-" + what.id;
    broker.password = a.safe.token(18);
    auto bundle = provisioning(a.desk, what, broker);
    co_return ok(object{{"bundle", std::move(bundle)},
                        {"broker_account", broker_account_command(broker)},
                        {"acl", broker_acl(broker, what.id)}},
                 201);
}

awaitable<http_response> rename(app& a, call& c) {
    const cabinet_record what{c.parts.at(0), c.text("name"), c.text("place"), c.text("help"), 0};
    transaction t(a.db.sql());
    const auto done = rename_cabinet(a.desk, what);
    if (!done) {
        co_return refused(done.error());
    }
    audit(a.desk, c.who(), "cabinet renamed", what.id);
    t.commit();
    a.link.tell_fleet();
    co_return ok(object{{"changed", true}});
}

// What the cabinet itself says against its removal: also papers that no case here knows.
std::optional<problem> still_there(const cabinet_now& now) {
    const auto papers = std::count_if(now.compartments.begin(), now.compartments.end(), [](const auto& one) {
        const auto use = text_in(one.second, "use");
        return use == "reserved" || use == "occupied" || use == "suspected";
    });
    if (papers > 0) {
        return problem{
            409, "wrong_state",
            fmt::format("柜子说 {0} 个柜格里可能有材料。 The cabinet says that papers may lie behind {0} of its "
                        "doors.",
                        papers)};
    }
    if (now.online) {
        return problem{
            409, "wrong_state",
            "柜子还在线：请先在柜子上停止 lockerd 并执行 lockerctl retire。 It is online: stop lockerd there, "
            "and lockerctl retire, first."};
    }
    return std::nullopt;
}

awaitable<http_response> remove(app& a, call& c) {
    const auto& id = c.parts.at(0);
    const auto* given = c.body.if_contains("anyway");
    const bool anyway = given != nullptr && given->is_bool() && given->get_bool();
    if (const auto why = still_there(a.link.now_of(id)); why && !anyway) {
        co_return refused(*why);
    }
    transaction t(a.db.sql());
    const auto done = remove_cabinet(a.desk, id, anyway, c.who());
    if (!done) {
        co_return refused(done.error());
    }
    audit(a.desk, c.who(), anyway ? "cabinet removed with all that lay there" : "cabinet removed", id);
    t.commit();
    a.link.tell_fleet();
    co_return ok(object{{"removed", true}});
}

object shown(const staff_account& s) {
    array list;
    for (const auto& one : s.cabinets) {
        list.emplace_back(one);
    }
    return {
        {"number", s.number}, {"name", s.name}, {"role", s.role}, {"cabinets", std::move(list)}, {"active", s.active}};
}

// What is left out stays as it was; a list that is none is no list of all. Errors: malformed.
result<staff_account> account_in(const call& c, const std::optional<staff_account>& before) {
    const auto* cabinets = c.body.if_contains("cabinets");
    if (cabinets != nullptr && !cabinets->is_array()) {
        return problem{400, "malformed", "cabinets 应为列表。 cabinets: a list is wanted."};
    }
    staff_account out = before.value_or(staff_account{});
    out.number = c.text("number");
    out.name = c.body.contains("name") ? c.text("name") : out.name;
    out.role = c.body.contains("role") ? c.text("role") : out.role;
    out.cabinets = cabinets != nullptr ? c.texts("cabinets") : out.cabinets;
    out.active = c.body.contains("suspended") ? !c.flag("suspended") : out.active;
    return out;
}

awaitable<http_response> staff_list(app& a, call&) {
    array out;
    for (const auto& one : all_staff(a.desk)) {
        out.push_back(shown(one));
    }
    co_return ok(object{{"staff", std::move(out)}});
}

std::string otpauth(const std::string& number, const std::string& secret) {
    return fmt::format("otpauth://totp/CloudLocker:{}?secret={}&issuer=CloudLocker", number, secret);
}

// The authenticator's key of a new account, or of one that lost its telephone: shown this once.
http_response authenticator(const std::string& number, const std::string& secret, unsigned status) {
    const auto address = otpauth(number, secret);
    return ok(object{{"number", number}, {"totp", secret}, {"otpauth", address}, {"qr", qr_svg(address)}}, status);
}

// The hash of the body's password. Errors: malformed.
awaitable<result<std::string>> new_password(app& a, const call& c) {
    const auto password = c.text("password");
    if (password.size() < password_least || password.size() > password_most) {
        co_return problem{400, "malformed", "密码至少 10 个字符。 A password has 10 to 128 characters."};
    }
    auto hashing = [&a, password] { return a.safe.hash_password(password); };
    co_return co_await a.off_thread(a.passwords, std::move(hashing));
}

awaitable<http_response> reset(app& a, call& c) {
    const auto hash = co_await new_password(a, c);
    if (!hash) {
        co_return refused(hash.error());
    }
    transaction t(a.db.sql());
    const auto secret = reset_staff(a.desk, c.text("number"), *hash);
    if (!secret) {
        co_return refused(secret.error());
    }
    audit(a.desk, c.who(), audit_staff_reset, c.text("number"));
    t.commit();
    co_return authenticator(c.text("number"), *secret, 200);
}

awaitable<http_response> add(app& a, call& c) {
    const auto hash = co_await new_password(a, c);
    if (!hash) {
        co_return refused(hash.error());
    }
    const auto account = account_in(c, std::nullopt);
    if (!account) {
        co_return refused(account.error());
    }
    transaction t(a.db.sql());
    const auto secret = add_staff(a.desk, {*account, *hash});
    if (!secret) {
        co_return refused(secret.error());
    }
    audit(a.desk, c.who(), audit_staff_added, c.text("number"));
    t.commit();
    a.link.renew_rosters();
    co_return authenticator(c.text("number"), *secret, 201);
}

awaitable<http_response> change(app& a, call& c) {
    const auto account = account_in(c, find_staff(a.desk, c.text("number")));
    if (!account) {
        co_return refused(account.error());
    }
    transaction t(a.db.sql());
    const auto done = change_staff(a.desk, *account);
    if (!done) {
        co_return refused(done.error());
    }
    audit(a.desk, c.who(), "staff changed", c.text("number"));
    t.commit();
    a.link.renew_rosters();
    co_return ok(object{{"changed", true}});
}

awaitable<http_response> catalogue(app& a, call&) {
    array list;
    for (const auto& s : a.catalogue().list) {
        list.push_back(locker::portal::shown(s));
    }
    co_return ok(
        object{{"version", a.catalogue().version}, {"toml", a.catalogue().text}, {"services", std::move(list)}});
}

// What a spreadsheet says, as TOML to be looked at: nothing is put in force.
awaitable<http_response> convert_catalogue(app&, call& c) {
    auto read = catalogue_from_csv(c.text("csv"));
    if (const auto* wrong = std::get_if<std::vector<config_error>>(&read)) {
        co_return refused({400, "malformed", "表格有误。 The spreadsheet has mistakes:\n" + listed(*wrong)});
    }
    co_return ok(object{{"version", 0}, {"toml", std::get<std::string>(read)}});
}

awaitable<http_response> change_catalogue(app& a, call& c) {
    const auto version = set_catalogue(a.desk, c.text("toml"), c.who());
    co_return version ? ok(object{{"version", *version}}) : refused(version.error());
}

// An earlier version with what it said: to be looked at, or to be put in force again.
awaitable<http_response> catalogue_version(app& a, call& c) {
    const auto found = catalogue_of(a.desk, c.parts.at(0));
    if (!found) {
        co_return refused({404, "unknown", "没有此版本。 There is no such version."});
    }
    co_return ok(object{{"version", found->version}, {"toml", found->text}});
}

awaitable<http_response> catalogue_versions(app& a, call&) {
    array out;
    for (const auto& one : catalogue_history(a.desk)) {
        out.push_back(object{{"version", one.version}, {"by", one.who}, {"at", format_time(one.created_ms)}});
    }
    co_return ok(object{{"versions", std::move(out)}});
}

// ---- notices that did not arrive

awaitable<http_response> failed(app& a, call&) {
    array out;
    for (const auto& n : failed_notices(a.desk, 100)) {
        const auto phone = phone_of(a.desk, n.recipient);
        out.push_back(object{{"id", n.id},
                             {"at", format_time(n.created_ms)},
                             {"channel", n.channel},
                             {"template", n.template_name},
                             {"title", n.title},
                             {"to", phone ? masked(*phone) : n.recipient},
                             {"attempts", n.attempts}});
    }
    co_return ok(object{{"failed", std::move(out)}});
}

awaitable<http_response> resend(app& a, call& c) {
    const auto* id = c.body.if_contains("id");
    transaction t(a.db.sql());
    const auto done = send_again(a.desk, id != nullptr && id->is_int64() ? id->get_int64() : 0);
    if (!done) {
        co_return refused(done.error());
    }
    audit(a.desk, c.who(), "notice sent again", std::to_string(id->get_int64()));
    t.commit();
    co_return ok(object{{"waiting", true}});
}

// ---- how long what is kept is kept

awaitable<http_response> retention_now(app& a, call&) {
    const auto keep = retention_of(a.desk);
    co_return ok(object{{"cases_days", keep.cases_days}, {"audit_days", keep.audit_days}});
}

awaitable<http_response> change_retention(app& a, call& c) {
    const auto days = [&c](std::string_view name) {
        const auto* v = c.body.if_contains(name);
        return v != nullptr && v->is_int64() ? v->get_int64() : -1;
    };
    transaction t(a.db.sql());
    const auto done = set_retention(a.desk, {days("cases_days"), days("audit_days")});
    if (!done) {
        co_return refused(done.error());
    }
    audit(a.desk, c.who(), "retention changed", "");
    t.commit();
    co_return ok(object{{"changed", true}});
}

// The QR code of a cabinet's sticker: its address for phones.
awaitable<http_response> sticker(app& a, call& c) {
    const auto known = find_cabinet(a.desk, c.parts.at(0));
    if (!known) {
        co_return refused({404, "unknown_cabinet", "没有此柜子。 There is no such cabinet."});
    }
    const auto address = a.settings.origin + "/c/" + known->id;
    co_return ok(object{{"name", known->name},
                        {"place", known->place},
                        {"help", known->help},
                        {"address", address},
                        {"qr", qr_svg(address)}});
}

awaitable<http_response> templates_now(app& a, call&) {
    array out;
    for (const auto& [name, words] : notice_words(a.desk)) {
        out.push_back(object{{"name", name}, {"title", words.title}, {"zh", words.zh}, {"en", words.en}});
    }
    co_return ok(object{{"templates", std::move(out)}});
}

awaitable<http_response> change_template(app& a, call& c) {
    transaction t(a.db.sql());
    const auto done = set_notice_words(a.desk, c.text("name"), {c.text("title"), c.text("zh"), c.text("en")});
    if (!done) {
        co_return refused(done.error());
    }
    audit(a.desk, c.who(), "notice template changed", c.text("name"));
    t.commit();
    co_return ok(object{{"changed", true}});
}

awaitable<http_response> audit_log(app& a, call&) {
    array out;
    const soci::rowset<soci::row> rows =
        (a.db.sql().prepare << "SELECT at, who, what, whom FROM audit ORDER BY n DESC LIMIT 500");
    for (const auto& r : rows) {
        out.push_back(object{{"at", format_time(r.get<long long>(0))},
                             {"who", r.get<std::string>(1)},
                             {"what", r.get<std::string>(2)},
                             {"whom", r.get<std::string>(3)}});
    }
    co_return ok(object{{"audit", std::move(out)}});
}

}  // namespace

void add_admin_api(app& a) {
    const auto on = [&a](std::string_view method, std::string_view path,
                         awaitable<http_response> (*what)(app&, call&)) {
        a.routes.on(method, path, access::admin, [&a, what](call& c) { return what(a, c); });
    };
    on("GET", "/api/admin/cabinets", cabinets);
    on("POST", "/api/admin/cabinets", enrol);
    on("POST", "/api/admin/cabinets/{id}", rename);
    on("POST", "/api/admin/cabinets/{id}/remove", remove);
    on("POST", "/api/admin/staff/reset", reset);
    on("GET", "/api/admin/staff", staff_list);
    on("POST", "/api/admin/staff", add);
    on("POST", "/api/admin/staff/change", change);
    on("GET", "/api/admin/catalogue", catalogue);
    on("POST", "/api/admin/catalogue", change_catalogue);
    on("POST", "/api/admin/catalogue/convert", convert_catalogue);
    on("GET", "/api/admin/catalogue/versions", catalogue_versions);
    on("GET", "/api/admin/catalogue/versions/{version}", catalogue_version);
    on("GET", "/api/admin/cabinets/{id}/sticker", sticker);
    on("GET", "/api/admin/notices", failed);
    on("POST", "/api/admin/notices/resend", resend);
    on("GET", "/api/admin/retention", retention_now);
    on("POST", "/api/admin/retention", change_retention);
    on("GET", "/api/admin/templates", templates_now);
    on("POST", "/api/admin/templates", change_template);
    on("GET", "/api/admin/audit", audit_log);
}

}  // namespace locker::portal
