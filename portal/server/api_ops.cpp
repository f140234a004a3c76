// What whoever looks after the fleet asks for: doors opened from afar by two persons, statistics, metrics.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/use_awaitable.hpp>

#include "portal/server/api_views.hpp"
#include "portal/server/app.hpp"
#include "portal/server/domain/members.hpp"
#include "portal/server/domain/remote.hpp"
#include "portal/server/domain/statistics.hpp"
#include "portal/server/metrics.hpp"
#include "protocol/limits.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

using boost::asio::awaitable;
using boost::json::array;
using boost::json::object;

constexpr std::size_t listed_most = 50;
constexpr int reports_most = 4;  // at a time, one after the other

// ---- doors opened from afar

// With what a second person should know: what lies there, as the cabinet says just now.
object shown(app& a, const remote_opening& r, const staff_account& who) {
    const auto& now = a.link.now_of(r.cabinet);
    const auto at = now.compartments.find(r.door);
    const object none;
    const object& door = at == now.compartments.end() ? none : at->second;
    return {{"online", now.online},
            {"use", text_in(door, "use", "unknown")},
            {"door_state", text_in(door, "door", "unknown")},
            {"id", r.id},
            {"cabinet", r.cabinet},
            {"door", r.door},
            {"reason", r.reason},
            {"asked_by", r.asked_by},
            {"approved_by", r.approved_by},
            {"state", name(r.state)},
            {"outcome", r.outcome},
            {"mine", r.asked_by == who.number},
            {"at", format_time(r.created_ms)}};
}

awaitable<http_response> openings(app& a, call& c) {
    array out;
    for (const auto& one : remote_openings(a.desk, c.staff, listed_most)) {
        out.push_back(shown(a, one, c.staff));
    }
    co_return ok(object{{"openings", std::move(out)}});
}

awaitable<http_response> ask(app& a, call& c) {
    const auto* given = c.body.if_contains("door");
    const int door =
        given != nullptr && given->is_int64() && given->get_int64() > 0 && given->get_int64() <= limits::compartment_max
            ? static_cast<int>(given->get_int64())
            : 0;
    // Found out now, not once a second person has come.
    const auto& now = a.link.now_of(c.text("cabinet"));
    if (door > 0 && now.online && now.compartments.count(door) == 0) {
        co_return refused({404, "unknown_compartment", "没有此柜门。 There is no such door."});
    }
    if (!now.online) {
        co_return refused(
            {409, "cabinet_offline", "柜子离线，现在开不了。 The cabinet is offline: no door opens now."});
    }
    transaction t(a.db.sql());
    const auto asked = ask_remote(a.desk, c.staff, c.text("cabinet"), door, c.text("reason"));
    if (!asked) {
        co_return refused(asked.error());
    }
    t.commit();
    co_return ok(shown(a, *asked, c.staff), 201);
}

// Approved and committed, then done: the two grants live for a minute, and the cabinet checks both.
awaitable<http_response> approve(app& a, call& c) {
    transaction t(a.db.sql());
    auto what = approve_remote(a.desk, c.staff, c.parts.at(0));
    if (!what) {
        co_return refused(what.error());
    }
    // The cabinet's ledger names its grants; whose they were stands in the access log.
    const auto by = [&a, &what](const std::string& number) {
        return object{{"cmp", what->door}, {"sub", "g-" + number}, {"jti", a.safe.token(12)}, {"reason", what->reason}};
    };
    auto first = by(what->asked_by);
    auto second = by(what->approved_by);
    const auto door = fmt::format("{}/{}", what->cabinet, what->door);
    audit(a.desk, c.who(),
          fmt::format("remote opening signed: grant {} for {}, grant {} for {}", text_in(first, "jti"), what->asked_by,
                      text_in(second, "jti"), what->approved_by),
          door);
    t.commit();
    const auto said = co_await a.link.open(what->cabinet, "open", std::move(first), std::move(second));
    // Without an answer nobody knows here; the cabinet's ledger does.
    what->outcome = said ? "opened" : said.error().code == "no_answer" ? "unknown_outcome" : said.error().code;
    what->state = remote_state::done;
    transaction after(a.db.sql());
    settle_remote(a.desk, what->id, what->outcome);
    audit(a.desk, c.who(), "remote opening ended: " + what->outcome, door);
    after.commit();
    if (!said) {
        co_return refused(said.error());
    }
    co_return ok(shown(a, *what, c.staff));
}

awaitable<http_response> withdraw(app& a, call& c) {
    transaction t(a.db.sql());
    const auto what = withdraw_remote(a.desk, c.staff, c.parts.at(0));
    if (!what) {
        co_return refused(what.error());
    }
    t.commit();
    co_return ok(shown(a, *what, c.staff));
}

// ---- statistics

std::string asked(const call& c, const std::string& name) {
    const auto at = c.request.query.find(name);
    return at == c.request.query.end() ? "" : at->second;
}

// Days of the office's own time, both of them meant. Errors: malformed, unknown_cabinet, unknown (a service).
result<statistics_wish> wish_of(app& a, const call& c) {
    for (const auto& [given, value] : c.request.query) {
        constexpr std::array<std::string_view, 5> meant{"from", "to", "by", "cabinet", "service"};
        if (std::find(meant.begin(), meant.end(), given) == meant.end()) {
            return problem{
                400, "malformed",
                fmt::format("没有参数 {0}。 There is no parameter {0}; from, to, by, cabinet and service are "
                            "known.",
                            given.substr(0, 40))};
        }
    }
    const auto day_of = [&](const std::string& name, std::int64_t otherwise) {
        const auto text = asked(c, name);
        return text.empty() ? std::optional(otherwise) : parse_time(text + "T00:00:00Z");
    };
    const std::int64_t today = (a.desk.now() + a.desk.by.utc_offset_ms) / day * day;
    const auto to = day_of("to", today);
    const auto from = day_of("from", to.value_or(today) - 29 * day);
    const auto by = grouping_from(asked(c, "by").empty() ? "day" : asked(c, "by"));
    if (!from || !to) {
        return problem{400, "malformed",
                       "from 和 to 应为日期，如 2026-11-24。 from and to: dates like 2026-11-24 are wanted."};
    }
    if (!by) {
        return problem{400, "malformed",
                       "by: hour, day, hour_of_day, cabinet 或 service。 by: one of these is wanted."};
    }
    const statistics_wish wish{*from, *to + day, asked(c, "cabinet"), asked(c, "service"), *by};
    if (!wish.cabinet.empty() && !was_cabinet(a.desk, wish.cabinet)) {
        return problem{404, "unknown_cabinet", "没有此柜子。 There is no such cabinet."};
    }
    if (!wish.service.empty() && !was_service(a.desk, wish.service)) {
        return problem{404, "unknown", "没有此业务。 There is no such service."};
    }
    if (auto good = check(a.desk, wish); !good) {
        return good.error();
    }
    return wish;
}

// One more while it lives.
class counted_in {
public:
    explicit counted_in(int& n) : n_(n) { ++n_; }
    ~counted_in() { --n_; }
    counted_in(const counted_in&) = delete;
    counted_in& operator=(const counted_in&) = delete;

private:
    int& n_;
};

// On a thread of its own: years of a large fleet take seconds. Errors: busy.
awaitable<result<std::vector<statistics_row>>> found(app& a, const statistics_wish& wish) {
    if (a.reports_asked >= reports_most) {
        co_return problem{429, "busy", "统计正忙，请稍后再试。 Other figures are being counted; try again soon."};
    }
    const counted_in asked(a.reports_asked);
    std::string why_not;
    const auto asking = [&] {
        try {
            auto reader = reader_of(a.settings.database);
            return statistics(reader, wish);
        } catch (const std::exception& e) {
            why_not = why(e);
            return std::vector<statistics_row>{};
        }
    };
    auto rows = co_await a.off_thread(a.reports, asking);
    if (!why_not.empty()) {
        throw std::runtime_error(why_not);
    }
    co_return rows;
}

boost::json::value seconds_or_beyond(std::int64_t s) {
    return s == INT64_MAX ? boost::json::value(nullptr) : boost::json::value(s);
}

object shown(const statistics_row& row) {
    object out{{"key", row.key}};
    for (std::size_t i = 0; i < measures; ++i) {
        const auto& m = row.of.at(i);
        const auto which = static_cast<measure>(i);
        out[name(which)] = m.n;
        if (m.known > 0) {
            out[std::string(name(which)) + "_wait"] = object{{"known", m.known},
                                                             {"mean_s", m.total_s / m.known},
                                                             {"half_within_s", seconds_or_beyond(m.within_s(0.5))},
                                                             {"most_within_s", seconds_or_beyond(m.within_s(0.9))}};
        }
    }
    return out;
}

// What the rows are of, for people: a cabinet's name, a service's.
std::map<std::string, std::string> titles(app& a, grouping by) {
    std::map<std::string, std::string> out;
    if (by == grouping::cabinet) {
        for (const auto& one : all_cabinets(a.desk)) {
            out[one.id] = one.name;
        }
    } else if (by == grouping::service) {
        out[""] = "不属于事项 of no case here";
        for (const auto& s : a.catalogue().list) {
            out[s.id] = s.name;
        }
    }
    return out;
}

awaitable<http_response> statistics_json(app& a, call& c) {
    const auto wish = wish_of(a, c);
    if (!wish) {
        co_return refused(wish.error());
    }
    const auto called = titles(a, wish->by);
    const auto sums = co_await found(a, *wish);
    if (!sums) {
        co_return refused(sums.error());
    }
    array rows;
    for (const auto& row : *sums) {
        auto one = shown(row);
        const auto title = called.find(row.key);
        one["title"] = title == called.end() ? row.key : title->second;
        rows.push_back(std::move(one));
    }
    co_return ok(object{{"from", format_time(wish->from_ms).substr(0, 10)},
                        {"to", format_time(wish->until_ms - day).substr(0, 10)},
                        {"now", format_time(a.desk.now() + a.desk.by.utc_offset_ms).substr(0, 13)},
                        {"rows", std::move(rows)}});
}

// RFC 4180; a cell that a spreadsheet would run as a formula is none.
std::string cell(std::string text) {
    if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos) {
        text.insert(0, 1, '\'');
    }
    if (text.find_first_of(",\"\r\n") == std::string::npos) {
        return text;
    }
    std::string out = "\"";
    for (const char ch : text) {
        out += ch == '"' ? "\"\"" : std::string(1, ch);
    }
    return out + "\"";
}

awaitable<http_response> statistics_csv(app& a, call& c) {
    const auto wish = wish_of(a, c);
    if (!wish) {
        co_return refused(wish.error());
    }
    const auto sums = co_await found(a, *wish);
    if (!sums) {
        co_return refused(sums.error());
    }
    std::string out =
        "\xEF\xBB\xBF"
        "key,title";  // spreadsheets take it for UTF-8 by that mark
    for (std::size_t i = 0; i < measures; ++i) {
        const auto which = static_cast<measure>(i);
        out += fmt::format(",{}", name(which));
        if (has_wait(which)) {
            out += fmt::format(",{0}_known,{0}_mean_wait_s,{0}_half_within_s,{0}_most_within_s", name(which));
        }
    }
    out += "\r\n";
    const auto called = titles(a, wish->by);
    for (const auto& row : *sums) {
        const auto title = called.find(row.key);
        out += cell(row.key) + "," + cell(title == called.end() ? row.key : title->second);
        for (std::size_t i = 0; i < measures; ++i) {
            const auto& m = row.of.at(i);
            out += fmt::format(",{}", m.n);
            if (has_wait(static_cast<measure>(i))) {
                const auto bound = [&m](double part) {
                    const auto s = m.within_s(part);
                    return m.known == 0 ? "" : s == INT64_MAX ? "inf" : std::to_string(s);
                };
                out += fmt::format(",{},{},{},{}", m.known, m.known == 0 ? "" : std::to_string(m.total_s / m.known),
                                   bound(0.5), bound(0.9));
            }
        }
        out += "\r\n";
    }
    http_response r;
    r.type = "text/csv; charset=utf-8";
    r.headers.emplace_back("Content-Disposition", "attachment; filename=\"statistics.csv\"");
    r.body = std::move(out);
    co_return r;
}

awaitable<http_response> metrics(app& a, call&) {
    http_response r;
    r.type = open_metrics_type;
    r.body = open_metrics(a);
    co_return r;
}

}  // namespace

void add_ops_api(app& a) {
    const auto on = [&a](std::string_view method, std::string_view path, access who,
                         awaitable<http_response> (*what)(app&, call&)) {
        a.routes.on(method, path, who, [&a, what](call& c) { return what(a, c); });
    };
    using enum access;
    on("GET", "/api/ops/openings", staff, openings);
    on("POST", "/api/ops/openings", admin, ask);
    on("POST", "/api/ops/openings/{id}/approve", staff, approve);
    on("POST", "/api/ops/openings/{id}/withdraw", staff, withdraw);
    on("GET", "/api/statistics", figures, statistics_json);
    on("GET", "/api/statistics.csv", figures, statistics_csv);
    on("GET", "/metrics", figures, metrics);
}

}  // namespace locker::portal
