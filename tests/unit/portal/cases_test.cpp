#include <doctest/doctest.h>

#include "protocol/code.hpp"
#include "tests/unit/portal/bench.hpp"

using namespace portal_bench;

TEST_CASE("a case: every step from every state is a state, or nothing") {
    using enum case_state;
    using enum case_step;
    CHECK(next(awaiting_papers, papers_lie) == papers_in);
    CHECK(next(papers_in, confirmed) == submitted);
    CHECK(next(awaiting_papers, confirmed) == submitted);
    CHECK(next(submitted, taken) == with_staff);
    CHECK(next(papers_in, taken) == with_staff);  // unconfirmed: staff looked after half an hour
    CHECK(next(with_staff, ask) == asked);        // the earlier ones are with staff
    CHECK(next(asked, papers_lie) == papers_in);
    CHECK(next(asked, to_counter) == at_counter);
    CHECK(next(asked, return_lies) == returning);
    CHECK_FALSE(next(asked, cancel));
    CHECK(next(ready, taken_back) == with_staff);
    CHECK(next(submitted, withdrawn) == awaiting_papers);
    CHECK_FALSE(next(with_staff, withdrawn));
    CHECK(next(with_staff, return_lies) == returning);
    CHECK(next(returning, return_confirmed) == ready);
    CHECK(next(with_staff, to_counter) == at_counter);
    CHECK(next(at_counter, hand_over) == done);
    CHECK(next(at_counter, return_lies) == returning);
    CHECK(next(ready, reclaimed) == at_counter);
    for (const auto s : {awaiting_papers, papers_in, submitted, with_staff, returning, ready, at_counter}) {
        CHECK(next(s, collected) == done);  // they have their papers
    }
    for (int step = 0; step <= static_cast<int>(cancel); ++step) {
        const auto s = static_cast<case_step>(step);
        CHECK(next(done, s).has_value() == (s == return_lies || s == return_confirmed));  // nothing lies there unseen
    }
    CHECK(next(cancelled, papers_lie) == papers_in);  // a QR code that was shown before: nothing lies there unseen
    CHECK(next(cancelled, confirmed) == submitted);
    CHECK_FALSE(next(cancelled, taken));
    CHECK_FALSE(next(cancelled, cancel));
    for (const auto wrong : {ask, to_counter, hand_over, cancel}) {
        CHECK_FALSE(next(submitted, wrong));
    }
}

TEST_CASE("a case goes from papers in to papers back by the cabinet's events, and tells who should know, once") {
    bench b;
    (void)add_staff(b.desk, {{"4711", "Wang", "worker", {every_cabinet}, true}, "x"});
    const auto person = person_of(b.desk, "+8613800138000");
    auto c = b.a_case(person);
    b.to_ready(c);
    CHECK(c.state == case_state::ready);
    CHECK(b.count("SELECT COUNT(*) FROM notices WHERE template = 'new_case' AND recipient = 'staff:4711'") == 1);
    CHECK(b.count("SELECT COUNT(*) FROM notices WHERE template = 'ready'") == 1);
    CHECK(inbox_of(b.desk, person, 5)[0].text.find("北门 5 号柜") != std::string::npos);
    (void)b.event("deposit.retrieved",
                  {{"deposit", c.deposit}, {"kind", "return"}, {"compartment", 5}, {"by", "code"}});
    CHECK(b.reload(c).state == case_state::done);
}

TEST_CASE("events: in order, each once, a gap is seen, those of strangers change nothing") {
    bench b;
    auto c = b.a_case(person_of(b.desk, "+8613800138000"));
    const auto dep = plan_door(b.desk, c, {"S", false, false, c.person})->deposit.id;
    const object data{{"deposit", dep}, {"kind", "intake"}, {"compartment", 3}};
    CHECK(b.take({"c1", 2, "deposit.deposited", data}) == taken_in::gap);
    CHECK(b.take({"c1", 1, "deposit.reserved", data}) == taken_in::now);
    CHECK(b.take({"c1", 1, "deposit.reserved", data}) == taken_in::before);
    CHECK(b.take({"c9", 1, "deposit.reserved", data}) == taken_in::unknown);
    CHECK(find_deposit(b.desk, dep)->state == "reserved");
    CHECK(b.take({"c1", 2, "deposit.deposited", {{"deposit", "nobody's"}, {"case", "c-none"}, {"kind", "intake"}}}) ==
          taken_in::now);
    // Another cabinet that names this case binds nothing.
    (void)add_cabinet(b.desk, {"c2", "南门", "", "", 0}, key256{5});
    CHECK(b.take({"c2", 1, "deposit.deposited", data}) == taken_in::now);
    CHECK(b.take({"c2", 2, "deposit.deposited", {{"deposit", "d-x"}, {"case", c.id}, {"kind", "return"}}}) ==
          taken_in::now);
    CHECK(b.reload(c).deposit == dep);
    CHECK(find_deposit(b.desk, dep)->state == "reserved");
    for (const char* wrong :
         {R"({})", R"([])", R"({"type":"locker.x","source":"locker/v1/c1","sequence":"x","data":{}})",
          R"({"type":"locker.x","source":"locker/v1/c2","sequence":"1","data":{}})",
          R"({"type":"locker.x","source":"locker/v1/c1","sequence":"0","data":{}})"}) {
        CHECK_FALSE(parse_event("c1", boost::json::parse(wrong)));
    }
}

TEST_CASE("a deposit that staff began at the keypad is bound by its case") {
    bench b;
    auto c = b.a_case(person_of(b.desk, "+8613800138000"));
    c.state = case_state::with_staff;
    save(b.desk, c);
    (void)b.event(
        "deposit.reserved",
        {{"deposit", "typed-1"}, {"case", c.id}, {"kind", "return"}, {"compartment", 2}, {"by", "staff:4711"}});
    (void)b.event("deposit.deposited",
                  {{"deposit", "typed-1"}, {"case", c.id}, {"kind", "return"}, {"compartment", 2}});
    (void)b.event("deposit.confirmed",
                  {{"deposit", "typed-1"}, {"case", c.id}, {"kind", "return"}, {"compartment", 2}});
    CHECK(b.reload(c).state == case_state::ready);
    auto d = *find_deposit(b.desk, "typed-1");
    CHECK(show_code(b.desk, d).has_value());
}

TEST_CASE("whoever holds a compartment finishes there first; a reservation that ran out begins anew") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    auto first = b.a_case(person);
    const auto dep = plan_door(b.desk, first, {"S", false, false, person})->deposit.id;
    (void)b.event("deposit.reserved", {{"deposit", dep}, {"kind", "intake"}, {"compartment", 3}});
    service other;
    other.id = "s2";
    other.name = other.name_en = "other";
    auto another = *begin_case(b.desk, person, "c1", other, 1);
    const auto held = plan_door(b.desk, another, {"S", false, false, person});
    REQUIRE_FALSE(held.has_value());
    CHECK(held.error().code == "busy");
    first = b.reload(first);
    CHECK(plan_door(b.desk, first, {"S", false, false, person})->deposit.id == dep);  // the same door again
    (void)b.event("deposit.expired", {{"deposit", dep}, {"kind", "intake"}, {"compartment", 3}});
    const auto plan = plan_door(b.desk, another, {"S", false, false, person});
    REQUIRE(plan.has_value());
    first = b.reload(first);
    CHECK_FALSE(plan_door(b.desk, first, {"S", false, false, person}).has_value());  // that grant may open a door yet
    grant_refused(b.desk, *plan);
    CHECK(plan_door(b.desk, first, {"S", false, false, person})->deposit.id != dep);  // an id is never used again
    CHECK(begin_case(b.desk, person, "c1", other, 1)->id == another.id);              // tapped twice
}

TEST_CASE("a delegate collects and does nothing else; a QR code that may be out holds a case open") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    const auto friend_ = person_of(b.desk, "+8613900139000");
    auto c = b.a_case(person);
    CHECK_FALSE(set_delegate(b.desk, c, "+8613900139000"));  // nothing to collect yet
    c.delegate = friend_;
    save(b.desk, c);
    CHECK_FALSE(plan_door(b.desk, c, {"S", false, false, friend_}).has_value());
    const auto dep = plan_door(b.desk, c, {"S", false, false, person})->deposit.id;
    c = b.reload(c);
    CHECK_FALSE(cancel_case(b.desk, c, person));  // for a minute it may put papers in
    b.now += 61 * second;
    (void)plan_door(b.desk, c, {"S", false, false, person, false, slip_life_s});
    CHECK_FALSE(cancel_case(b.desk, c, person));  // … and a QR code for ten
    b.now += 9 * minute;
    CHECK_FALSE(cancel_case(b.desk, c, person));
    b.now += minute;
    REQUIRE(cancel_case(b.desk, c, person));
    (void)b.event("deposit.reserved", {{"deposit", dep}, {"kind", "intake"}, {"compartment", 3}});
    CHECK_FALSE(forget(b.desk, person));
    (void)b.event("deposit.deposited", {{"deposit", dep}, {"kind", "intake"}, {"compartment", 3}});
    CHECK(b.reload(c).state == case_state::papers_in);
    CHECK_FALSE(forget(b.desk, person));
    // Staff ask for nothing more while papers are on their way back.
    (void)b.event("deposit.retrieved", {{"deposit", dep}, {"kind", "intake"}, {"compartment", 3}});
    c = b.reload(c);
    (void)plan_door(b.desk, c, {"S", false, true, "g-4711"});
    c = b.reload(c);
    CHECK_FALSE(ask_for_papers(b.desk, c, "staff:4711", {"x"}, ""));
    CHECK_FALSE(to_the_counter(b.desk, c, "staff:4711", ""));
}

TEST_CASE("\"documents deposited\" is tapped before the door's closing was told, and once") {
    bench b;
    auto c = b.a_case(person_of(b.desk, "+8613800138000"));
    CHECK_FALSE(want_confirmed(b.desk, c, c.person));
    const auto dep = plan_door(b.desk, c, {"S", false, false, c.person})->deposit.id;
    REQUIRE(want_confirmed(b.desk, c, c.person));
    REQUIRE(want_confirmed(b.desk, c, c.person));
    CHECK(find_deposit(b.desk, dep)->confirm_wanted);
    CHECK_FALSE(want_confirmed(b.desk, c, "staff:4711"));
    CHECK(b.count("SELECT COUNT(*) FROM case_log WHERE what = 'said_deposited'") == 1);
}

TEST_CASE("a pickup code is shown again; another is made when it is asked for, five at most") {
    bench b;
    auto c = b.a_case(person_of(b.desk, "+8613800138000"));
    b.to_ready(c);
    auto d = *find_deposit(b.desk, c.deposit);
    const auto key = deposit_key(b.cabinet_key, d.id);
    const auto by = [&](const char* type, const char* who) {
        (void)b.event(type, {{"deposit", d.id}, {"kind", "return"}, {"compartment", 5}, {"by", who}});
        d = *find_deposit(b.desk, d.id);
    };
    CHECK(*show_code(b.desk, d) == pickup_code(key, 0));
    CHECK(*show_code(b.desk, d) == pickup_code(key, 0));
    by("opening.opened", "code");  // the door may bounce: then the cabinet takes the spending back
    by("opening.unknown", "grant:x");
    CHECK(*show_code(b.desk, d) == pickup_code(key, 0));
    by("opening.unknown", "code");  // whether it was spent nobody knows
    CHECK(*show_code(b.desk, d) == pickup_code(key, 1));
    CHECK(*show_code(b.desk, d) == pickup_code(key, 1));
    for (std::uint64_t issue = 2; issue <= 4; ++issue) {
        CHECK(*show_code(b.desk, d, true) == pickup_code(key, issue));
    }
    CHECK(*show_code(b.desk, d, true) == pickup_code(key, 4));  // a sixth would open nothing
    d.state = "retrieved";
    CHECK_FALSE(show_code(b.desk, d));
}

TEST_CASE("an issue whose code another live deposit of the cabinet would accept is passed over") {
    bench b;
    // Among many deposits two codes are equal now and then; a pair of ids with such codes, found by trying.
    std::map<std::string, std::string> first;
    std::string one;
    std::string other;
    for (int i = 0; one.empty() && i < 400'000; ++i) {
        const std::string id = "d-" + std::to_string(i);
        const auto code = pickup_code(deposit_key(b.cabinet_key, id), 0);
        const auto [at, fresh] = first.emplace(code, id);
        if (!fresh) {
            one = at->second;
            other = id;
        }
    }
    REQUIRE_FALSE(one.empty());
    deposit_record a{one, "c1", "", "return", "confirmed"};
    deposit_record d{other, "c1", "", "return", "confirmed"};
    save(b.desk, a);
    save(b.desk, d);
    const auto shown = show_code(b.desk, d);
    CHECK(*shown == pickup_code(deposit_key(b.cabinet_key, other), 1));
    a.state = "retrieved";
    save(b.desk, a);
    deposit_record e{other, "c1", "", "return", "confirmed"};
    CHECK(*show_code(b.desk, e) == pickup_code(deposit_key(b.cabinet_key, other), 0));
}

TEST_CASE("a phone that was lost while the cabinet is offline: its codes end here at once, there as soon as it hears") {
    bench b;
    auto c = b.a_case(person_of(b.desk, "+8613800138000"));
    b.to_ready(c);
    auto d = *find_deposit(b.desk, c.deposit);
    CHECK_FALSE(end_codes(b.desk, d));  // none was shown
    const auto lost = *show_code(b.desk, d);
    (void)b.event("opening.opened", {{"deposit", d.id}, {"kind", "return"}, {"compartment", 5}, {"by", "code"}});
    (void)b.event("opening.closed", {{"deposit", d.id}, {"compartment", 5}, {"by", "code"}, {"bounced", true}});
    d = *find_deposit(b.desk, c.deposit);
    REQUIRE(end_codes(b.desk, d));
    d = *find_deposit(b.desk, c.deposit);
    CHECK(d.revoke_to == 1);
    CHECK(*show_code(b.desk, d) != lost);
    REQUIRE(end_codes(b.desk, d));
    CHECK(d.revoke_to == 2);
    (void)b.event("credential.revoked", {{"deposit", d.id}, {"issue_min", 1}});
    CHECK(find_deposit(b.desk, d.id)->revoke_to == 2);  // that was the earlier one
    (void)b.event("credential.revoked", {{"deposit", d.id}, {"issue_min", 2}});
    d = *find_deposit(b.desk, d.id);
    CHECK(d.revoke_to == 0);
    CHECK(d.first_issue == 2);
    (void)b.event("credential.revoked", {{"deposit", d.id}, {"issue_min", 7}});  // by another hand
    CHECK(find_deposit(b.desk, d.id)->first_issue == 7);
}

TEST_CASE("another ledger is noticed by the hash of the last event, and its events cause notices of their own") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    auto c = b.a_case(person);
    const auto at = [&](std::uint64_t sequence, const std::string& type, const std::string& head) {
        return b.take({"c1", sequence, type, {{"deposit", c.deposit}, {"kind", "return"}, {"compartment", 5}}, head});
    };
    b.to_ready(c);
    const auto last = b.sequence;
    REQUIRE(at(last + 1, "deposit.overdue", "aa") == taken_in::now);
    CHECK(at(last + 1, "deposit.overdue", "aa") == taken_in::before);
    CHECK(at(last + 1, "deposit.overdue", "bb") == taken_in::other);
    restart_at(b.desk, "c1", last);
    CHECK(find_cabinet(b.desk, "c1")->ledger == 1);
    REQUIRE(at(last + 1, "deposit.overdue", "bb") == taken_in::now);
    CHECK(b.count("SELECT COUNT(*) FROM notices WHERE template = 'overdue'") == 2);
    CHECK(b.count("SELECT COUNT(*) FROM audit WHERE what = 'another ledger' AND whom = 'c1'") == 1);
}

TEST_CASE("the worklist: the oldest first, what may be seen first, at most so many") {
    bench b;
    (void)add_cabinet(b.desk, {"c2", "南门", "", "", 0}, b.cabinet_key);
    const auto person = person_of(b.desk, "+8613800138000");
    service s;
    for (int i = 0; i < 6; ++i) {
        s.id = "s" + std::to_string(i);
        s.name = s.name_en = s.id;
        auto c = *begin_case(b.desk, person, i < 3 ? "c1" : "c2", s, 1);
        (void)advance(b.desk, c, case_step::papers_lie, "cabinet");
        b.now += minute;
    }
    const staff_account there{"4711", "Wang", "worker", {"c2"}, true};
    const auto seen = worklist(b.desk, there, "", 2);
    REQUIRE(seen.items.size() == 2);
    CHECK(seen.more);
    CHECK(seen.items[0].record.service == "s3");
    CHECK(seen.items[0].phone == "+8613800138000");
    CHECK_FALSE(seen.items[0].deposit);
    CHECK_FALSE(worklist(b.desk, there, "c2", 3).more);
    CHECK(worklist(b.desk, there, "c1", 3).items.empty());
}

TEST_CASE("whoever put papers in takes them out again: a resident before staff come, staff before the resident does") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    auto c = b.a_case(person);
    const auto at = [&](const char* type, const std::string& deposit, const char* kind, const std::string& by) {
        (void)b.event(type, {{"deposit", deposit}, {"case", c.id}, {"kind", kind}, {"compartment", 3}, {"by", by}});
        c = b.reload(c);
    };
    const auto grant = [](const door_plan& p) { return "grant:" + std::string(p.claims.at("jti").as_string()); };
    const door_wish back{"S", false, false, person, true};
    CHECK_FALSE(plan_door(b.desk, c, back).has_value());  // nothing lies there
    auto dep = plan_door(b.desk, c, {"S", false, false, person})->deposit.id;
    at("deposit.reserved", dep, "intake", "");
    at("deposit.deposited", dep, "intake", "");
    CHECK_FALSE(plan_door(b.desk, c, {"S", false, false, person_of(b.desk, "+8613700137000"), true}).has_value());
    CHECK_FALSE(plan_door(b.desk, c, {"S", false, true, "g-4711", true}).has_value());
    const auto first = *plan_door(b.desk, c, back);
    CHECK(first.act == "collect");
    const auto second = *plan_door(b.desk, c, back);  // tapped twice: either may open
    at("deposit.retrieved", dep, "intake", grant(first));
    CHECK(c.state == case_state::awaiting_papers);
    CHECK(second.claims.at("jti") != first.claims.at("jti"));
    REQUIRE(cancel_case(b.desk, c, person));

    auto k = b.a_case(person);
    b.to_ready(k);
    c = k;
    const auto taken = *plan_door(b.desk, c, {"S", false, true, "g-4711", true});
    at("deposit.retrieved", c.deposit, "return", grant(taken));
    CHECK(c.state == case_state::with_staff);
    // Staff ask for more: theirs stay on the list, and a withdrawal does not make them forgotten.
    REQUIRE(ask_for_papers(b.desk, c, "staff:4711", {"照片（原件）", "deed (original)", "copy"}, "too dark"));
    CHECK(c.state == case_state::asked);
    CHECK(c.papers.find("（原件）") == std::string::npos);
    CHECK_FALSE(cancel_case(b.desk, c, person));
    CHECK_FALSE(forget(b.desk, person));
    CHECK(worklist(b.desk, {"4711", "Wang", "worker", {every_cabinet}, true}, "", 9).items.size() == 1);
    dep = plan_door(b.desk, c, {"S", false, false, person})->deposit.id;
    CHECK_FALSE(
        plan_door(b.desk, c, {"S", false, true, "g-4711"}).has_value());  // the resident stands before an open door
    at("deposit.reserved", dep, "intake", "");
    at("deposit.deposited", dep, "intake", "");
    at("deposit.retrieved", dep, "intake", grant(*plan_door(b.desk, c, back)));
    CHECK(c.state == case_state::asked);
    b.now += 200 * day;
    (void)purge(b.desk);
    CHECK(find_case(b.desk, c.id));
    REQUIRE(plan_door(b.desk, c, {"S", false, true, "g-4711"}).has_value());  // what they have goes back
}

TEST_CASE("one phone does not fill a cabinet: one unconfirmed at a time, three that lie there") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    service s;
    std::vector<case_record> cases;
    for (int i = 0; i < 5; ++i) {
        s.id = "s" + std::to_string(i);
        s.name = s.name_en = s.id;
        cases.push_back(*begin_case(b.desk, person, "c1", s, 1));
    }
    const auto put = [&](case_record& c, std::initializer_list<const char*> types) {
        const auto plan = plan_door(b.desk, c, {"S", false, false, person});
        if (!plan) {
            return plan.error().code;
        }
        for (const char* type : types) {
            (void)b.event(type, {{"deposit", plan->deposit.id}, {"kind", "intake"}, {"compartment", 3}});
        }
        return std::string();
    };
    CHECK(put(cases[0], {"deposit.reserved", "deposit.deposited"}).empty());
    CHECK(put(cases[1], {}) == "busy");
    (void)b.event("deposit.confirmed", {{"deposit", b.reload(cases[0]).deposit}, {"kind", "intake"}});
    for (int i = 1; i < 3; ++i) {
        CHECK(put(cases[static_cast<std::size_t>(i)], {"deposit.reserved", "deposit.deposited", "deposit.confirmed"})
                  .empty());
    }
    CHECK(put(cases[3], {}) == "too_many");
}
