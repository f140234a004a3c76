#include "portal/server/api_views.hpp"

#include <boost/asio/use_awaitable.hpp>

#include "portal/server/domain/notices.hpp"
#include "portal/server/qr.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {

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

object with_door(app& a, object view) {
    const auto* d = view.if_contains("deposit");
    const auto& now = a.link.now_of(std::string(view.at("cabinet").as_string()));
    view["online"] = now.online;
    if (d != nullptr && d->is_object()) {
        const auto door = now.compartments.find(static_cast<int>(d->get_object().at("door").to_number<int>()));
        const auto* state = door == now.compartments.end() ? nullptr : door->second.if_contains("door");
        view["deposit"].as_object()["door_state"] =
            state != nullptr && now.online ? *state : boost::json::value("unknown");
    }
    if (const auto known = find_cabinet(a.desk, std::string(view.at("cabinet").as_string()))) {
        view["place"] = known->name;
        view["help"] = known->help;
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

result<door_plan> plan_for(app& a, case_record& c, const call& by) {
    const auto size = box_size_from(by.text("size"));
    const auto* service = find(a.catalogue().list, c.service);
    const auto usual = service != nullptr ? service->size : box_size::small;
    transaction t(a.db.sql());
    auto plan = plan_door(a.desk, c,
                          {std::string(name(size.value_or(usual))), by.flag("accessible"), !by.staff.number.empty(),
                           by.staff.number.empty() ? by.person : "g-" + by.staff.number});
    if (plan) {
        audit(a.desk, by.who(), "door " + plan->act, c.person);
        t.commit();
    }
    return plan;
}

http_response slip_for(app& a, case_record& c, const call& by) {
    const auto plan = plan_for(a, c, by);
    if (!plan) {
        return refused(plan.error());
    }
    const auto token = sign(a.desk, {c.cabinet, plan->act, "", slip_life_s, plan->claims});
    return ok(object{{"qr", qr_svg(token)}, {"seconds", slip_life_s}});
}

http_response opened(app& a, const call& by, const case_record& c, const result<object>& said) {
    const auto now = find_case(a.desk, c.id).value_or(c);
    auto view = with_door(a, shown(a.desk, now));
    if (by.staff.number.empty()) {
        view["owner"] = is_owner(now, by.person);
    }
    if (!said) {
        auto r = refused(said.error());
        auto body = boost::json::parse(r.body).as_object();
        body["case"] = std::move(view);
        r.body = serialize(body);
        return r;
    }
    return ok(object{{"door", said->contains("compartment") ? said->at("compartment") : boost::json::value(nullptr)},
                     {"case", std::move(view)}});
}

http_response event_stream(app& a, std::set<std::string> subjects) {
    http_response r;
    r.type = "text/event-stream";
    auto watching = a.live.watch(std::move(subjects));
    r.stream = [watching](stream_writer write) -> boost::asio::awaitable<void> {
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
