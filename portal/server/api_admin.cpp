// What administrators ask for: cabinets, staff, the catalogue, who looked at what.
#include <fmt/format.h>

#include <boost/asio/use_awaitable.hpp>

#include "portal/server/api_views.hpp"
#include "portal/server/app.hpp"
#include "portal/server/domain/notices.hpp"
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
    auto broker = a.settings.cabinets_broker;
    broker.username = "cabinet-" + what.id;
    broker.password = a.safe.token(18);
    auto bundle = provisioning(a.desk, what, broker);
    co_return ok(object{{"bundle", std::move(bundle)},
                        {"broker_account", broker_account_command(broker)},
                        {"acl", broker_acl(broker, what.id)}},
                 201);
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

awaitable<http_response> add(app& a, call& c) {
    const auto password = c.text("password");
    if (password.size() < password_least || password.size() > password_most) {
        co_return refused({400, "malformed", "密码至少 10 个字符。 A password has 10 to 128 characters."});
    }
    auto hashing = [&a, password] { return a.safe.hash_password(password); };
    const auto hash = co_await a.off_thread(std::move(hashing));
    const auto account = account_in(c, std::nullopt);
    if (!account) {
        co_return refused(account.error());
    }
    transaction t(a.db.sql());
    const auto secret = add_staff(a.desk, {*account, hash});
    if (!secret) {
        co_return refused(secret.error());
    }
    audit(a.desk, c.who(), "staff added", c.text("number"));
    t.commit();
    a.link.renew_rosters();
    co_return ok(object{{"number", c.text("number")},
                        {"totp", *secret},
                        {"otpauth", fmt::format("otpauth://totp/CloudLocker:{}?secret={}&issuer=CloudLocker",
                                                c.text("number"), *secret)}},
                 201);
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

awaitable<http_response> change_catalogue(app& a, call& c) {
    std::string text = c.text("toml");
    if (const auto csv = c.text("csv"); !csv.empty()) {
        auto read = catalogue_from_csv(csv);
        if (const auto* wrong = std::get_if<std::vector<config_error>>(&read)) {
            std::string all;
            for (const auto& e : *wrong) {
                all += locker::shown("", e) + "\n";
            }
            co_return refused({400, "malformed", "目录有误。 The catalogue has mistakes:\n" + all});
        }
        text = std::get<std::string>(read);
    }
    const auto version = set_catalogue(a.desk, text, c.who());
    co_return version ? ok(object{{"version", *version}}) : refused(version.error());
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
    on("GET", "/api/admin/staff", staff_list);
    on("POST", "/api/admin/staff", add);
    on("POST", "/api/admin/staff/change", change);
    on("GET", "/api/admin/catalogue", catalogue);
    on("POST", "/api/admin/catalogue", change_catalogue);
    on("GET", "/api/admin/templates", templates_now);
    on("POST", "/api/admin/templates", change_template);
    on("GET", "/api/admin/audit", audit_log);
}

}  // namespace locker::portal
