#include "portal/server/api_views.hpp"

#include <boost/asio/use_awaitable.hpp>

#include "portal/server/domain/notices.hpp"
#include "portal/server/qr.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {

constexpr long streams_most = 8;  // of one person: a page each

using boost::asio::awaitable;
using boost::json::array;
using boost::json::object;
using namespace std::chrono_literals;

object cabinet_view(app& a, const cabinet_record& c) {
    const auto& now = a.link.now_of(c.id);
    object out{{"id", c.id}, {"name", c.name}, {"place", c.place}, {"help", c.help}, {"online", now.online}};
    const auto* vacancies = now.facts.if_contains("vacancies");
    out["vacancies"] = vacancies != nullptr ? *vacancies : boost::json::value(nullptr);
    bool accessible = false;
    if (const auto* list = now.facts.if_contains("compartments"); list != nullptr && list->is_array()) {
        for (const auto& one : list->get_array()) {
            const auto* flag = one.is_object() ? one.get_object().if_contains("accessible") : nullptr;
            accessible = accessible || (flag != nullptr && *flag == true);
        }
    }
    out["accessible"] = accessible;
    return out;
}

object listed_view(app& a, const case_record& c, const std::optional<deposit_record>& d,
                   const std::optional<cabinet_record>& at) {
    auto view = shown(c, d);
    const auto& now = a.link.now_of(c.cabinet);
    view["online"] = now.online;
    if (d) {
        const auto door = now.compartments.find(d->compartment);
        const auto* state = door == now.compartments.end() ? nullptr : door->second.if_contains("door");
        view["deposit"].as_object()["door_state"] =
            state != nullptr && now.online ? *state : boost::json::value("unknown");
    }
    if (at) {
        view["place"] = at->name;
        view["help"] = at->help;
    }
    return view;
}

object case_view(app& a, const case_record& c) {
    const auto* service = find(a.catalogue().list, c.service);
    auto view = listed_view(a, c, find_deposit(a.desk, c.deposit), find_cabinet(a.desk, c.cabinet));
    view["history"] = history_of(a.desk, c);
    view["size"] = name(service != nullptr ? service->size : box_size::small);
    return view;
}

object case_view(app& a, const case_record& c, const std::string& person) {
    auto view = case_view(a, c);
    view["owner"] = is_owner(c, person);
    if (!is_owner(c, person)) {
        view["papers"] = array{};
        view["note"] = "";
        view.erase("history");
    }
    return view;
}

object inbox_view(app& a, const std::string& recipient) {
    array out;
    for (const auto& n : inbox_of(a.desk, recipient, 50)) {
        out.push_back(object{{"title", n.title},
                             {"text", n.text},
                             {"template", n.template_name},
                             {"parameters", n.parameters},
                             {"at", format_time(n.created_ms)}});
    }
    return {{"notices", std::move(out)}};
}

namespace {

result<door_plan> plan_for(app& a, case_record& c, const call& by, std::int64_t life_s) {
    const auto size = box_size_from(by.text("size"));
    const auto* service = find(a.catalogue().list, c.service);
    const auto usual = service != nullptr ? service->size : box_size::small;
    transaction t(a.db.sql());
    auto plan = plan_door(a.desk, c,
                          {std::string(name(size.value_or(usual))), by.flag("accessible"), !by.staff.number.empty(),
                           by.staff.number.empty() ? by.person : "g-" + by.staff.number, by.flag("back"), life_s});
    if (plan) {
        audit(a.desk, by.who(), "door " + plan->act, c.person);
        t.commit();
    }
    return plan;
}

}  // namespace

http_response slip_for(app& a, case_record& c, const call& by) {
    // What lies there is collected by the code, whose QR code serves the same scanner and can be ended: a grant cannot.
    const auto lying = find_deposit(a.desk, c.deposit);
    if (by.staff.number.empty() && (by.flag("back") || (lying && lying->kind == "return"))) {
        return refused({409, "wrong_state", "取件请用取件码。 To collect, use the pickup code."});
    }
    const auto plan = plan_for(a, c, by, slip_life_s);
    if (!plan) {
        return refused(plan.error());
    }
    const auto token = sign(a.desk, {c.cabinet, plan->act, "", slip_life_s, plan->claims});
    return ok(object{{"qr", qr_svg(token)}, {"seconds", slip_life_s}});
}

awaitable<http_response> open_door(app& a, case_record c, const call& by) {
    const auto plan = plan_for(a, c, by, grant_life_s);
    if (!plan) {
        co_return refused(plan.error());
    }
    const auto said = co_await a.link.open(c.cabinet, plan->act, plan->claims);
    if (!said && said.error().code != "no_answer") {
        grant_refused(a.desk, *plan);
    }
    const auto now = find_case(a.desk, c.id).value_or(c);
    auto view = by.staff.number.empty() ? case_view(a, now, by.person) : case_view(a, now);
    if (!said) {
        auto r = refused(said.error());
        auto body = boost::json::parse(r.body).as_object();
        body["case"] = std::move(view);
        r.body = serialize(body);
        co_return r;
    }
    co_return ok(object{{"door", said->contains("compartment") ? said->at("compartment") : boost::json::value(nullptr)},
                        {"case", std::move(view)}});
}

http_response event_stream(app& a, const std::string& who, std::set<std::string> subjects) {
    auto mine = a.streams_of(who);
    if (mine.use_count() > streams_most) {  // pages that were left open, or an attack: each holds a connection
        return refused({429, "too_many", "打开的页面太多，请关闭一些。 Too many pages are open; close some."});
    }
    http_response r;
    r.type = "text/event-stream";
    auto watching = a.live.watch(std::move(subjects));
    r.stream = [watching, mine = std::move(mine)](stream_writer write) -> awaitable<void> {
        bool there = co_await write("retry: 2000\nevent: hello\ndata: {}\n\n");
        while (there) {
            const auto changed = co_await watching->changes(15s);
            if (changed.empty()) {
                there = co_await write(": still here\n\n");
                continue;
            }
            array list;
            for (const auto& subject : changed) {
                list.emplace_back(subject);
            }
            there = co_await write("event: changed\ndata: " + serialize(list) + "\n\n");
        }
    };
    return r;
}

}  // namespace locker::portal
