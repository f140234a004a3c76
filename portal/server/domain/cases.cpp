#include "portal/server/domain/cases.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "portal/server/domain/cabinets.hpp"
#include "portal/server/domain/notices.hpp"
#include "portal/server/domain/people.hpp"
#include "protocol/timestamp.hpp"

namespace locker::portal {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::array<std::string_view, 10> state_names{
    "awaiting_papers", "papers_in", "submitted",  "with_staff", "asked",
    "returning",       "ready",     "at_counter", "done",       "cancelled"};
constexpr std::size_t note_most = 500;
constexpr std::int64_t grace = 60 * second;  // of the cabinet, after a collection: forgot something
constexpr int open_cases_most = 10;          // of one person
constexpr int intakes_most = 3;              // … that lie in one cabinet at once

const problem not_now{
    409, "wrong_state",
    "现在不能这样做，请刷新页面查看最新状态。 This cannot be done now; look at the case's present state."};

constexpr std::size_t column_count = 14;
constexpr const char* columns =
    "k.id, k.cabinet, k.person, k.delegate, k.service, k.catalogue, k.title, k.papers, k.state, k.deposit, k.note, "
    "k.overdue, k.created_at, k.changed_at";

case_record record_of(const soci::row& r) {
    case_record c;
    c.id = r.get<std::string>(0);
    c.cabinet = r.get<std::string>(1);
    c.person = r.get<std::string>(2);
    c.delegate = r.get<std::string>(3);
    c.service = r.get<std::string>(4);
    c.catalogue = r.get<long long>(5);
    c.title = r.get<std::string>(6);
    c.papers = r.get<std::string>(7);
    c.state = case_state_from(r.get<std::string>(8)).value_or(case_state::cancelled);
    c.deposit = r.get<std::string>(9);
    c.note = r.get<std::string>(10);
    c.overdue = r.get<int>(11) != 0;
    c.created_ms = r.get<long long>(12);
    c.changed_ms = r.get<long long>(13);
    return c;
}

void log(office& o, const std::string& id, std::string_view what, const std::string& who, const std::string& note) {
    const std::string word(what);
    const long long now = o.now();
    o.db.sql()
        << "INSERT INTO case_log (case_id, n, at, what, who, note) SELECT :c, COALESCE(MAX(n), 0) + 1, :t, :w, :h, "
           ":o FROM case_log WHERE case_id = :c2",
        soci::use(id), soci::use(now), soci::use(word), soci::use(who), soci::use(note), soci::use(id);
}

std::string_view word_of(case_step step) {
    switch (step) {
        case case_step::papers_lie:
            return "papers_lie";
        case case_step::confirmed:
            return "confirmed";
        case case_step::taken:
            return "taken";
        case case_step::return_lies:
            return "return_lies";
        case case_step::return_confirmed:
            return "ready";
        case case_step::collected:
            return "collected";
        case case_step::withdrawn:
            return "withdrawn";
        case case_step::taken_back:
            return "taken_back";
        case case_step::reclaimed:
            return "reclaimed";
        case case_step::ask:
            return "asked";
        case case_step::to_counter:
            return "to_counter";
        case case_step::hand_over:
            return "handed_over";
        case case_step::cancel:
            return "cancelled";
    }
    return "";
}

void tell_resident(office& o, const case_record& c, const std::string& cause, const std::string& name,
                   object parameters) {
    if (!c.person.empty()) {
        tell(o, {cause, c.person, o.by.resident_channels, name, std::move(parameters), false});
    }
}

// A cause that comes once: this entry of the case's log.
std::string latest_cause(office& o, const case_record& c) {
    long long n = 0;
    o.db.sql() << "SELECT COALESCE(MAX(n), 0) FROM case_log WHERE case_id = :c", soci::use(c.id), soci::into(n);
    return "case/" + c.id + "/" + std::to_string(n);
}

}  // namespace

std::string_view name(case_state state) {
    return state_names.at(static_cast<std::size_t>(state));
}

std::optional<case_state> case_state_from(std::string_view text) {
    const auto* at = std::find(state_names.begin(), state_names.end(), text);
    return at == state_names.end() ? std::nullopt : std::optional(static_cast<case_state>(at - state_names.begin()));
}

std::optional<case_state> next(case_state state, case_step step) {
    using enum case_state;
    if (state == cancelled) {  // a QR code that was shown before may have put papers in all the same
        return step == case_step::papers_lie  ? std::optional(papers_in)
               : step == case_step::confirmed ? std::optional(submitted)
                                              : std::nullopt;
    }
    if (state == done) {  // handed over the counter, and a QR code that was out put them in all the same
        return step == case_step::return_lies        ? std::optional(returning)
               : step == case_step::return_confirmed ? std::optional(ready)
                                                     : std::nullopt;
    }
    const bool before_staff = state == awaiting_papers || state == asked || state == papers_in || state == submitted;
    const bool after_review = state == with_staff || state == asked || state == returning || state == at_counter;
    switch (step) {
        case case_step::papers_lie:
            return state == awaiting_papers || state == asked ? std::optional(papers_in) : std::nullopt;
        case case_step::confirmed:
            return before_staff ? std::optional(submitted) : std::nullopt;
        case case_step::taken:
            return before_staff ? std::optional(with_staff) : std::nullopt;
        case case_step::return_lies:
            return after_review ? std::optional(returning) : std::nullopt;
        case case_step::return_confirmed:
            return after_review ? std::optional(ready) : std::nullopt;
        case case_step::collected:
            return done;            // whatever was thought of it: they have their papers
        case case_step::withdrawn:  // whether staff have earlier ones its log knows: advance()
            return state == papers_in || state == submitted ? std::optional(awaiting_papers) : std::nullopt;
        case case_step::taken_back:
            return state == returning || state == ready ? std::optional(with_staff) : std::nullopt;
        case case_step::reclaimed:
            return before_staff ? with_staff : at_counter;
        case case_step::ask:
            return state == with_staff ? std::optional(asked) : std::nullopt;
        case case_step::to_counter:
            return state == with_staff || state == asked ? std::optional(at_counter) : std::nullopt;
        case case_step::hand_over:
            return state == at_counter ? std::optional(done) : std::nullopt;
        case case_step::cancel:
            return state == awaiting_papers ? std::optional(cancelled) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<case_record> find_case(office& o, const std::string& id) {
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << std::string("SELECT ") + columns + " FROM cases k WHERE k.id = :i", soci::use(id));
    for (const auto& r : rows) {
        return record_of(r);
    }
    return std::nullopt;
}

std::vector<case_record> cases_of(office& o, const std::string& person) {
    std::vector<case_record> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare
             << std::string("SELECT ") + columns +
                    " FROM cases k WHERE k.person = :p OR k.delegate = :d ORDER BY k.created_at DESC LIMIT 100",
         soci::use(person), soci::use(person));
    for (const auto& r : rows) {
        out.push_back(record_of(r));
    }
    return out;
}

work_list worklist(office& o, const staff_account& who, const std::string& cabinet, std::size_t most) {
    work_list out;
    const soci::rowset<soci::row> rows =  // in one go: a list of hundreds must not keep others waiting
        (o.db.sql().prepare
             << std::string("SELECT ") + columns + ", p.phone, " + deposit_columns +
                    " FROM cases k LEFT JOIN people p ON p.id = k.person LEFT JOIN deposits d ON d.id = k.deposit "
                    "WHERE k.state NOT IN ('done', 'cancelled', 'awaiting_papers') AND (:a = '' OR k.cabinet = :b) "
                    "ORDER BY CASE WHEN k.state IN ('ready', 'at_counter', 'asked') THEN 1 ELSE 0 END, k.changed_at",
         soci::use(cabinet), soci::use(cabinet));
    for (const auto& r : rows) {
        auto c = record_of(r);
        if (!may_work_at(who, c.cabinet)) {
            continue;
        }
        if (out.items.size() == most) {
            out.more = true;
            break;
        }
        work_item item;
        item.record = std::move(c);
        if (r.get_indicator(column_count) == soci::i_ok) {
            item.phone = o.safe.open("phone", r.get<std::string>(column_count)).value_or("");
        }
        if (r.get_indicator(column_count + 1) == soci::i_ok) {
            item.deposit = deposit_of_row(r, column_count + 1);
        }
        out.items.push_back(std::move(item));
    }
    return out;
}

void save(office& o, case_record& c) {
    c.changed_ms = o.now();
    const std::string state(name(c.state));
    const int overdue = c.overdue ? 1 : 0;
    const long long catalogue = c.catalogue;
    const long long created = c.created_ms;
    const long long changed = c.changed_ms;
    o.db.sql() << "DELETE FROM cases WHERE id = :i", soci::use(c.id);
    o.db.sql()
        << "INSERT INTO cases (id, cabinet, person, delegate, service, catalogue, title, papers, state, deposit, "
           "note, overdue, created_at, changed_at) VALUES (:i, :c, :p, :d, :s, :v, :t, :a, :e, :f, :n, :o, :w, :x)",
        soci::use(c.id), soci::use(c.cabinet), soci::use(c.person), soci::use(c.delegate), soci::use(c.service),
        soci::use(catalogue), soci::use(c.title), soci::use(c.papers), soci::use(state), soci::use(c.deposit),
        soci::use(c.note), soci::use(overdue), soci::use(created), soci::use(changed);
    o.changed("case/" + c.id);
    o.changed("work");
}

bool advance(office& o, case_record& c, case_step step, const std::string& who, const std::string& note) {
    const auto to = next(c.state, step);
    if (!to) {
        return false;
    }
    c.state = *to;
    if (step == case_step::withdrawn) {
        int taken = 0;
        o.db.sql() << "SELECT COUNT(*) FROM case_log WHERE case_id = :c AND what = 'taken'", soci::use(c.id),
            soci::into(taken);
        c.state = taken > 0 ? case_state::asked : case_state::awaiting_papers;
    }
    log(o, c.id, word_of(step), who, note);
    save(o, c);
    return true;
}

result<case_record> begin_case(office& o, const std::string& person, const std::string& cabinet, const service& what,
                               std::int64_t catalogue) {
    int open = 0;
    o.db.sql() << "SELECT COUNT(*) FROM cases WHERE person = :p AND state NOT IN ('done', 'cancelled')",
        soci::use(person), soci::into(open);
    if (open >= open_cases_most) {
        return problem{429, "too_many", "您有太多未办结的事项。 Too many of your cases are still going on."};
    }
    // Whoever taps twice means one.
    for (auto& c : cases_of(o, person)) {
        if (c.person == person && c.cabinet == cabinet && c.service == what.id &&
            c.state == case_state::awaiting_papers && c.note.empty()) {
            return c;
        }
    }
    const auto s = shown(what);
    case_record c;
    c.id = "c-" + o.safe.token(12);
    c.cabinet = cabinet;
    c.person = person;
    c.service = what.id;
    c.catalogue = catalogue;
    c.title = boost::json::serialize(s.at("name"));
    c.papers = boost::json::serialize(s.at("papers"));
    c.created_ms = o.now();
    log(o, c.id, "begun", person, "");
    save(o, c);
    return c;
}

bool is_owner(const case_record& c, const std::string& person) {
    return !person.empty() && c.person == person;
}

bool may_collect(const case_record& c, const std::string& person) {
    return is_owner(c, person) || (!person.empty() && c.delegate == person);
}

namespace {

// Another case of this person whose compartment is held for it, or may be, or was shut and not confirmed: one at a
// time. And not more than some few in one cabinet.
std::optional<problem> holds_another(office& o, const case_record& c) {
    int held = 0;
    const long long now = o.now();
    o.db.sql()
        << "SELECT COUNT(*) FROM deposits d JOIN cases k ON k.deposit = d.id WHERE k.person = :p AND k.id <> :c AND "
           "d.kind = 'intake' AND (d.state IN ('reserved', 'deposited') OR (d.state = 'asked' AND d.grant_until > :n))",
        soci::use(c.person), soci::use(c.id), soci::use(now), soci::into(held);
    if (held > 0) {
        return problem{
            409, "busy",
            "您另有一个柜门正在使用，请先完成或取消它。 Another compartment is held for you; finish or cancel "
            "that case first."};
    }
    o.db.sql()
        << "SELECT COUNT(*) FROM deposits d JOIN cases k ON k.deposit = d.id WHERE k.person = :p AND k.cabinet = "
           ":c AND k.id <> :i AND d.kind = 'intake' AND d.state = 'confirmed'",
        soci::use(c.person), soci::use(c.cabinet), soci::use(c.id), soci::into(held);
    if (held >= intakes_most) {
        return problem{
            409, "too_many",
            "您在这个柜子里已有三份资料，请等工作人员取走后再投。 Three papers of yours lie here already; wait "
            "until staff have fetched one."};
    }
    return std::nullopt;
}

door_plan collecting(const deposit_record& d, const std::string& who) {
    return {"collect", d, object{{"dep", d.id}, {"case", d.case_id}, {"sub", who}}, 0};
}

// Whoever put papers in takes them out again. The grant's id tells the event from others: the latest few are kept.
door_plan taking_back(office& o, deposit_record d, const std::string& who) {
    constexpr std::size_t kept = 80;
    auto plan = collecting(d, who);
    const auto jti = o.safe.token(12);
    plan.claims["jti"] = jti;
    d.taken_back_by += " " + jti;
    if (d.taken_back_by.size() > kept) {
        d.taken_back_by = d.taken_back_by.substr(d.taken_back_by.find(' ', d.taken_back_by.size() - kept));
    }
    save(o, d);
    return plan;
}

}  // namespace

result<door_plan> plan_door(office& o, case_record& c, const door_wish& wish) {
    auto d = find_deposit(o, c.deposit);
    if (wish.back) {
        const bool own =
            d && stored(*d) && (d->kind == "return") == wish.staff && (wish.staff || is_owner(c, wish.who));
        const bool fits = wish.staff ? c.state == case_state::returning || c.state == case_state::ready
                                     : c.state == case_state::papers_in || c.state == case_state::submitted;
        return own && fits ? result<door_plan>(taking_back(o, *d, wish.who)) : not_now;
    }
    if (d && d->kind == "return" && !wish.staff && (c.state == case_state::ready || c.state == case_state::returning)) {
        return stored(*d) ? result<door_plan>(collecting(*d, wish.who)) : not_now;
    }
    if (d && d->kind == "return" && !wish.staff && c.state == case_state::done && o.now() < c.changed_ms + grace) {
        return collecting(*d, wish.who);  // forgot something
    }
    if (wish.staff && d && d->kind == "intake" && stored(*d)) {
        return collecting(*d, wish.who);
    }
    const bool resident_puts = !wish.staff && (c.state == case_state::awaiting_papers || c.state == case_state::asked ||
                                               c.state == case_state::papers_in ||
                                               (c.state == case_state::submitted && d && d->state == "deposited"));
    const bool staff_puts = wish.staff && (c.state == case_state::with_staff || c.state == case_state::asked ||
                                           c.state == case_state::returning || c.state == case_state::at_counter);
    if ((!resident_puts && !staff_puts) || (resident_puts && !is_owner(c, wish.who))) {
        return not_now;  // a delegate collects, and nothing else
    }
    if (resident_puts) {
        if (const auto why = holds_another(o, c)) {
            return *why;
        }
    }
    const std::string kind = staff_puts ? "return" : "intake";
    const bool again = d && d->kind == kind && live(*d);
    if (!again && d && may_hold(*d, o.now())) {
        return not_now;  // the other side stands before an open door
    }
    if (!again) {
        d = deposit_record{};
        d->id = new_deposit_id(o);
        d->cabinet = c.cabinet;
        d->case_id = c.id;
        d->kind = kind;
        d->size = wish.size;
        d->accessible = wish.accessible;
        c.deposit = d->id;
        save(o, c);
    } else if (d->state == "asked") {
        d->size = wish.size;
        d->accessible = wish.accessible;
        d->confirm_wanted = false;  // whatever was said before, a door is opened now
    }
    const std::int64_t before = d->grant_until_ms;
    d->grant_until_ms = std::max(before, o.now() + wish.life_s * second);
    save(o, *d);
    object claims{{"dep", d->id}, {"kind", kind}, {"case", c.id}, {"size", d->size}, {"sub", wish.who}};
    if (d->accessible) {
        claims["accessible"] = true;
    }
    return door_plan{"deposit", *d, claims, before};
}

void grant_refused(office& o, const door_plan& plan) {
    auto d = plan.act == "deposit" ? find_deposit(o, plan.deposit.id) : std::nullopt;
    if (d && d->state == "asked" && d->grant_until_ms == plan.deposit.grant_until_ms) {
        d->grant_until_ms = plan.grant_until_before_ms;
        save(o, *d);
    }
}

result<void> want_confirmed(office& o, case_record& c, const std::string& who) {
    auto d = find_deposit(o, c.deposit);
    const bool staff = who.starts_with("staff:");
    const bool open = c.state != case_state::done && c.state != case_state::cancelled;
    const bool fits = open && d && live(*d) && (d->kind == "return") == staff;
    if (!fits) {
        return not_now;
    }
    if (!d->confirm_wanted && d->state != "confirmed") {
        d->confirm_wanted = true;
        save(o, *d);
        log(o, c.id, "said_deposited", who, "");
        save(o, c);
    }
    return {};
}

result<void> cancel_case(office& o, case_record& c, const std::string& who) {
    const auto d = find_deposit(o, c.deposit);
    if (d && may_hold(*d, o.now())) {
        return problem{409, "wrong_state",
                       "柜门正为您保留，请十分钟后再取消。 A compartment is held for you; cancel ten minutes later."};
    }
    return advance(o, c, case_step::cancel, who) ? result<void>{} : not_now;
}

result<void> set_delegate(office& o, case_record& c, const std::string& phone) {
    if (c.state != case_state::ready && c.state != case_state::returning) {
        return not_now;
    }
    const std::string before = c.delegate;
    c.delegate = phone.empty() ? "" : person_of(o, phone);
    if (c.delegate == c.person) {
        return problem{400, "malformed", "这是您自己的手机号。 That is your own number."};
    }
    if (c.delegate == before) {
        return {};
    }
    log(o, c.id, c.delegate.empty() ? "delegate_ended" : "delegate", c.person, "");
    save(o, c);
    if (!c.delegate.empty() && c.state == case_state::ready) {
        tell(o, {latest_cause(o, c), c.delegate, o.by.resident_channels, "ready_delegate", words_for(o, c), false});
    }
    return {};
}

namespace {

// Papers are going back, or may.
bool return_under_way(office& o, const case_record& c) {
    const auto d = find_deposit(o, c.deposit);
    return d && d->kind == "return" && may_hold(*d, o.now());
}

}  // namespace

result<void> review(office& o, case_record& c, const std::string& who, const std::string& note) {
    if (c.state != case_state::with_staff || note.empty() || note.size() > note_most) {
        return c.state != case_state::with_staff
                   ? not_now
                   : problem{400, "malformed", "请填写备注，不超过 500 字节。 A note is wanted, at most 500 bytes."};
    }
    log(o, c.id, "reviewed", who, note);
    save(o, c);
    return {};
}

namespace {

// "户口本（原件）", "deed (original)": the paper itself is wanted; else a copy will do.
object asked_paper(const std::string& text) {
    std::string_view name(text);
    bool original = false;
    for (const std::string_view mark : {"（原件）", "(原件)", "原件", "(original)"}) {
        if (!original && name.size() > mark.size() && name.ends_with(mark)) {
            name.remove_suffix(mark.size());
            original = true;
        }
    }
    while (name.ends_with(' ')) {
        name.remove_suffix(1);
    }
    return {{"zh", name}, {"en", name}, {"original", original}};
}

}  // namespace

result<void> ask_for_papers(office& o, case_record& c, const std::string& who, const std::vector<std::string>& papers,
                            const std::string& note) {
    if (papers.empty() || papers.size() > 20 || note.size() > note_most ||
        std::any_of(papers.begin(), papers.end(), [](const auto& p) { return p.empty() || p.size() > 200; })) {
        return problem{400, "malformed", "请列出需要补充的资料。 Name the papers that are wanted, at most 20."};
    }
    if (c.state != case_state::with_staff || return_under_way(o, c)) {
        return not_now;
    }
    array list;
    std::string named;
    for (const auto& p : papers) {
        list.push_back(asked_paper(p));
        named += (named.empty() ? "" : "、") + p;
    }
    c.papers = boost::json::serialize(list);
    c.note = note;
    c.deposit.clear();
    advance(o, c, case_step::ask, who, note);
    auto words = words_for(o, c);
    words["papers"] = named;
    words["note"] = note;
    tell_resident(o, c, latest_cause(o, c), "asked", std::move(words));
    return {};
}

result<void> to_the_counter(office& o, case_record& c, const std::string& who, const std::string& note) {
    if (note.size() > note_most) {
        return problem{400, "malformed", "备注不超过 500 字节。 A note has at most 500 bytes."};
    }
    if (return_under_way(o, c)) {
        return not_now;
    }
    c.note = note;
    if (!advance(o, c, case_step::to_counter, who, note)) {
        return not_now;
    }
    auto words = words_for(o, c);
    words["note"] = note;
    tell_resident(o, c, latest_cause(o, c), "counter", std::move(words));
    return {};
}

result<void> handed_over(office& o, case_record& c, const std::string& who) {
    if (return_under_way(o, c)) {
        return not_now;
    }
    return advance(o, c, case_step::hand_over, who) ? result<void>{} : not_now;
}

object words_for(office& o, const case_record& c) {
    const auto title = boost::json::parse(c.title).as_object();
    const auto cabinet = find_cabinet(o, c.cabinet);
    const auto d = find_deposit(o, c.deposit);
    return {{"case", c.id},
            {"service", title.at("zh")},
            {"service_en", title.at("en")},
            {"cabinet", c.cabinet},
            {"place", cabinet ? cabinet->name : c.cabinet},
            {"deposit", c.deposit},
            {"door", d ? d->compartment : 0}};
}

object shown(const case_record& c, const std::optional<deposit_record>& d) {
    object out{{"id", c.id},
               {"cabinet", c.cabinet},
               {"service", c.service},
               {"title", boost::json::parse(c.title)},
               {"papers", boost::json::parse(c.papers)},
               {"state", name(c.state)},
               {"note", c.note},
               {"overdue", c.overdue},
               {"delegated", !c.delegate.empty()},
               {"created", format_time(c.created_ms)},
               {"changed", format_time(c.changed_ms)},
               {"deposit", nullptr}};
    if (d) {
        out["deposit"] = object{{"kind", d->kind},
                                {"state", d->state},
                                {"door", d->compartment},
                                {"said_deposited", d->confirm_wanted || d->state == "confirmed"}};
    }
    return out;
}

array history_of(office& o, const case_record& c) {
    array history;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << "SELECT at, what, who, note FROM case_log WHERE case_id = :c ORDER BY n",
         soci::use(c.id));
    for (const auto& r : rows) {
        const auto who = r.get<std::string>(2);
        history.push_back(object{{"at", format_time(r.get<long long>(0))},
                                 {"what", r.get<std::string>(1)},
                                 {"by", who.starts_with("staff:") ? "staff"
                                        : who == "cabinet"        ? "cabinet"
                                                                  : "resident"},
                                 {"note", r.get<std::string>(3)}});
    }
    return history;
}

}  // namespace locker::portal
