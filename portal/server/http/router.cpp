#include "portal/server/http/router.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "portal/server/domain/people.hpp"
#include "protocol/json.hpp"

namespace locker::portal {
namespace {

constexpr int requests_at_once = 300;  // a page asks a dozen
constexpr std::size_t body_most = 512 * 1024;
constexpr std::size_t token_bytes = 32;

const problem sign_in_first{401, "not_signed_in", "请先登录。 Sign in first."};
const problem not_yours{403, "not_permitted", "没有此操作的权限。 This is not permitted to you."};

std::vector<std::string> parts_of(std::string_view path) {
    std::vector<std::string> out;
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto slash = path.find('/');
        out.emplace_back(path.substr(0, slash));
        path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
    }
    return out;
}

// The values in place of {…}; nothing: another path.
std::optional<std::vector<std::string>> matched(const std::vector<std::string>& pattern,
                                                const std::vector<std::string>& path) {
    std::vector<std::string> out;
    if (pattern.size() != path.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (pattern[i].starts_with('{')) {
            if (!is_name(path[i])) {
                return std::nullopt;
            }
            out.push_back(path[i]);
        } else if (pattern[i] != path[i]) {
            return std::nullopt;
        }
    }
    return out;
}

}  // namespace

std::string call::text(std::string_view member) const {
    const auto* v = body.if_contains(member);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : "";
}

bool call::flag(std::string_view member) const {
    const auto* v = body.if_contains(member);
    return v != nullptr && v->is_bool() && v->get_bool();
}

std::vector<std::string> call::texts(std::string_view member) const {
    std::vector<std::string> out;
    const auto* v = body.if_contains(member);
    if (v != nullptr && v->is_array()) {
        for (const auto& item : v->get_array()) {
            if (item.is_string()) {
                out.emplace_back(item.get_string());
            }
        }
    }
    return out;
}

router::router(office& desk, limiter& limits, std::string origin)
    : desk_(desk), limits_(limits), origin_(std::move(origin)) {}

void router::on(std::string_view method, std::string_view pattern, access who, handler what) {
    routes_.push_back({std::string(method), parts_of(pattern), who, std::move(what)});
}

bool router::own_origin(const http_request& r) const {
    if (!origin_.empty()) {
        return r.origin == origin_;
    }
    return r.origin == "http://" + r.host || r.origin == "https://" + r.host;
}

std::optional<problem> router::refuse(const http_request& r, const route& to, call& c) {
    if (r.method != "GET") {
        // A form of another site can send neither; a browser says where a request comes from.
        if (!own_origin(r) || !r.content_type.starts_with("application/json")) {
            return problem{403, "wrong_origin", "请从本系统的页面操作。 This was not asked from a page of ours."};
        }
        auto read =
            r.body.empty() ? reading<boost::json::object>(boost::json::object{}) : parse_object(r.body, body_most);
        if (!read) {
            return problem{400, "malformed", "内容不正确。 The body is no such JSON: " + read.error().detail};
        }
        c.body = std::move(*read);
    }
    return authenticate(r, to.who, c);
}

std::optional<problem> router::authenticate(const http_request& r, access who, call& c) {
    if (who == access::anyone) {
        return std::nullopt;
    }
    if (who == access::figures && !r.bearer.empty()) {
        const bool right = !desk_.by.figures_token.empty() && same_secret(desk_.by.figures_token, r.bearer);
        return right ? std::nullopt : std::optional(sign_in_first);
    }
    const auto found = find_session(r, who == access::resident ? "resident" : "staff");
    if (!found) {
        return sign_in_first;
    }
    if (r.method != "GET" && !same_secret(found->csrf, r.csrf)) {
        return problem{403, "wrong_origin", "页面已过期，请刷新。 This page is too old; load it again."};
    }
    if (who == access::resident) {
        c.person = found->subject;
        return phone_of(desk_, c.person) ? std::nullopt : std::optional(sign_in_first);
    }
    const auto staff = find_staff(desk_, found->subject);
    if (!staff || !staff->active) {
        return sign_in_first;
    }
    c.staff = *staff;
    return (who == access::admin || who == access::figures) && staff->role != "admin" ? std::optional(not_yours)
                                                                                      : std::nullopt;
}

boost::asio::awaitable<http_response> router::handle(const http_request& r) {
    if (!limits_.take("address/" + r.address, {requests_at_once, 1000 / desk_.by.requests_of_address}, desk_.now())) {
        auto answer = refused({429, "too_many", "请求太频繁，请稍后再试。 Too many requests; try again in a while."});
        answer.headers.emplace_back("Retry-After", "5");
        co_return answer;
    }
    const auto path = parts_of(r.path);
    bool other_method = false;
    for (const auto& to : routes_) {
        auto parts = matched(to.pattern, path);
        if (!parts) {
            continue;
        }
        if (to.method != r.method) {
            other_method = true;
            continue;
        }
        call c{r, std::move(*parts), {}, {}, {}};
        try {
            if (const auto why = refuse(r, to, c)) {
                co_return refused(*why);
            }
            co_return co_await to.what(c);
        } catch (const std::exception& e) {
            spdlog::error("event=request_failed path={} why={}", r.path, why(e));
            co_return refused(
                {500, "storage_failed", "系统故障，请稍后再试。 Something went wrong here; try again later."});
        }
    }
    co_return refused(other_method ? problem{405, "malformed", "不支持此方法。 That method is not for this address."}
                                   : problem{404, "unknown", "没有此地址。 There is nothing at this address."});
}

// ---- sessions

router::begun router::begin_session(const std::string& role, const std::string& subject) {
    const auto token = desk_.safe.token(token_bytes);
    const std::string value = desk_.safe.index("session", token);
    const std::string csrf = desk_.safe.index("csrf", token);  // like the token itself it is stored nowhere
    const std::string none;
    const long long now = desk_.now();
    desk_.db.sql()
        << "INSERT INTO sessions (token, role, subject, csrf, created_at, seen_at) VALUES (:t, :r, :s, :c, :n, "
           ":m)",
        soci::use(value), soci::use(role), soci::use(subject), soci::use(none), soci::use(now), soci::use(now);
    const std::int64_t life = role == "resident" ? desk_.by.session_idle_ms : desk_.by.staff_longest_ms;
    const bool secure = origin_.starts_with("https://");
    return {fmt::format("locker_{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{}", role, token, life / 1000,
                        secure ? "; Secure" : ""),
            csrf};
}

std::string router::ended_cookie(const std::string& role) const {
    return fmt::format("locker_{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{}", role,
                       origin_.starts_with("https://") ? "; Secure" : "");
}

void router::end_session(const http_request& r, const std::string& role) {
    const auto cookie = r.cookies.find("locker_" + role);
    if (cookie != r.cookies.end()) {
        const std::string value = desk_.safe.index("session", cookie->second);
        desk_.db.sql() << "DELETE FROM sessions WHERE token = :t", soci::use(value);
    }
}

void router::end_other_sessions(const http_request& r, const std::string& role, const std::string& subject) {
    const auto cookie = r.cookies.find("locker_" + role);
    const std::string mine = cookie == r.cookies.end() ? "" : desk_.safe.index("session", cookie->second);
    desk_.db.sql() << "DELETE FROM sessions WHERE role = :r AND subject = :s AND token <> :t", soci::use(role),
        soci::use(subject), soci::use(mine);
}

std::optional<router::session> router::find_session(const http_request& r, const std::string& role) {
    const auto cookie = r.cookies.find("locker_" + role);
    if (cookie == r.cookies.end()) {
        return std::nullopt;
    }
    const std::string value = desk_.safe.index("session", cookie->second);
    session out;
    long long created = 0;
    long long seen = 0;
    desk_.db.sql() << "SELECT subject, created_at, seen_at FROM sessions WHERE token = :t AND role = :r",
        soci::use(value), soci::use(role), soci::into(out.subject), soci::into(created), soci::into(seen);
    if (!desk_.db.sql().got_data()) {
        return std::nullopt;
    }
    out.csrf = desk_.safe.index("csrf", cookie->second);
    const long long now = desk_.now();
    const bool resident = role == "resident";
    const std::int64_t idle = resident ? desk_.by.session_idle_ms : desk_.by.staff_idle_ms;
    if (now - seen > idle || now < created || (!resident && now - created > desk_.by.staff_longest_ms)) {
        desk_.db.sql() << "DELETE FROM sessions WHERE token = :t", soci::use(value);
        return std::nullopt;
    }
    if (now - seen > minute && !r.background) {  // not a write for every request; a page that looks by itself is no use
        desk_.db.sql() << "UPDATE sessions SET seen_at = :n WHERE token = :t", soci::use(now), soci::use(value);
    }
    return out;
}

}  // namespace locker::portal
