// What the city counts, and doors opened from afar.
#include <doctest/doctest.h>

#include "portal/server/domain/remote.hpp"
#include "portal/server/domain/statistics.hpp"
#include "tests/unit/portal/bench.hpp"

using namespace portal_bench;

namespace {

struct counting : bench {
    std::int64_t at = 1'800'000'000'000;  // 2027-01-15T08:00Z, by the cabinet's clock
    taken_in happens(const std::string& type, object data) {
        return take({"c1", ++sequence, type, std::move(data), "", at});
    }
    void pass(std::int64_t ms) {
        at += ms;
        now += ms;
    }
    // The first row's sums of a measure, grouped as wished over all of time.
    [[nodiscard]] waits sum(measure m, statistics_wish wish = {0, INT64_MAX / 2, "", "", grouping::cabinet}) {
        const auto rows = statistics(desk.db.sql(), wish);
        return rows.empty() ? waits{} : rows.front().of.at(static_cast<std::size_t>(m));
    }
};

const staff_account asker{"9000", "李主任", "admin", {"*"}, true};
const staff_account second_one{"4711", "王网格", "worker", {"*"}, true};

}  // namespace

TEST_CASE("statistics: a case is counted once at each step, with how long the papers waited by the cabinet's clock") {
    counting b;
    auto c = b.a_case("p1");
    const auto in = plan_door(b.desk, c, {"S", false, false, "p1"})->deposit.id;
    const object intake{{"deposit", in}, {"case", c.id}, {"kind", "intake"}, {"compartment", 3}};
    b.happens("deposit.reserved", intake);
    b.happens("opening.opened", intake);
    b.happens("deposit.deposited", intake);
    b.pass(10 * minute);
    b.happens("deposit.deposited", intake);  // opened again: something was forgotten
    b.happens("deposit.confirmed", intake);
    b.pass(20 * minute);
    b.happens("deposit.retrieved", intake);
    c = b.reload(c);
    const auto back = plan_door(b.desk, c, {"S", false, true, "g-4711"})->deposit.id;
    const object returned{{"deposit", back}, {"case", c.id}, {"kind", "return"}, {"compartment", 5}};
    b.pass(30 * hour);
    b.happens("deposit.reserved", returned);
    b.happens("deposit.deposited", returned);
    b.happens("deposit.confirmed", returned);
    b.pass(8 * day);
    b.happens("deposit.overdue", returned);
    b.happens("opening.jammed", returned);
    b.pass(20 * day);
    b.happens("deposit.retrieved", returned);
    CHECK(b.sum(measure::papers_in).n == 1);
    const auto taken = b.sum(measure::papers_taken);
    CHECK(taken.n == 1);
    CHECK(taken.total_s == 30 * 60);
    CHECK(taken.within_s(0.5) == 3600);
    CHECK(b.sum(measure::returned).total_s == 30 * 3600);
    const auto collected = b.sum(measure::collected);
    CHECK(collected.total_s == 28 * 86'400);
    CHECK(collected.within_s(0.9) == INT64_MAX);
    CHECK(b.sum(measure::overdue).n == 1);
    CHECK(b.sum(measure::jams).n == 1);
    CHECK(b.sum(measure::openings).n == 1);
    CHECK(b.sum(measure::openings).known == 0);
    CHECK(b.sum(measure::taken_back).n == 0);
}

TEST_CASE(
    "statistics: replayed events are counted once, those of a wrong clock when they came, nothing of a person stays") {
    counting b;
    auto c = b.a_case("p1");
    const auto in = plan_door(b.desk, c, {"S", false, false, "p1"})->deposit.id;
    const object intake{{"deposit", in}, {"case", c.id}, {"kind", "intake"}, {"compartment", 3}};
    b.happens("deposit.deposited", intake);
    CHECK(b.take({"c1", 1, "deposit.deposited", intake, "", b.at}) == taken_in::before);
    CHECK(b.sum(measure::papers_in).n == 1);
    b.at = 0;  // 1970
    b.happens("opening.opened", {{"compartment", 3}});
    b.at = b.now + 400 * day;
    b.happens("opening.opened", {{"compartment", 3}});
    const auto days = statistics(b.desk.db.sql(), {b.now - day, b.now + day, "", "", grouping::each_day});
    REQUIRE(days.size() == 1);
    CHECK(days.front().key == "2027-01-15");
    CHECK(days.front().of.at(static_cast<std::size_t>(measure::openings)).n == 2);
    CHECK(b.count("SELECT COUNT(*) FROM statistics WHERE service NOT IN ('', 's1') OR cabinet <> 'c1'") == 0);
    b.now += 1000 * day;  // the case is purged, its sums are not
    b.db.sql() << "UPDATE cases SET state = 'done'";
    (void)purge(b.desk);
    CHECK(b.count("SELECT COUNT(*) FROM cases") == 0);
    CHECK(b.sum(measure::papers_in).n == 1);
}

TEST_CASE("statistics: a ledger that was restored tells again what was counted, and is counted from there on") {
    counting b;
    b.happens("opening.opened", {{"compartment", 3}});
    b.pass(hour);
    b.happens("opening.jammed", {{"compartment", 3}});
    restart_at(b.desk, "c1", 0);
    CHECK(b.take({"c1", 1, "opening.opened", {{"compartment", 3}}, "", b.at - hour}) == taken_in::now);
    CHECK(b.take({"c1", 2, "opening.jammed", {{"compartment", 3}}, "", b.at}) == taken_in::now);
    CHECK(b.sum(measure::openings).n == 1);
    CHECK(b.sum(measure::jams).n == 1);
    // Of a time that nobody believes: told again as long as the others are, new afterwards.
    CHECK(b.take({"c1", 3, "opening.opened", {{"compartment", 3}}, "", 0}) == taken_in::now);
    CHECK(b.sum(measure::openings).n == 1);
    b.pass(minute);
    CHECK(b.take({"c1", 4, "opening.opened", {{"compartment", 3}}, "", b.at}) == taken_in::now);
    CHECK(b.sum(measure::openings).n == 2);
    CHECK(b.take({"c1", 5, "opening.opened", {{"compartment", 3}}, "", 0}) == taken_in::now);
    CHECK(b.sum(measure::openings).n == 3);
}

TEST_CASE("statistics: what is told again by a restored ledger tells since when papers lie there") {
    counting b;
    const object one{{"deposit", "d-1"}, {"kind", "intake"}, {"compartment", 3}};
    b.happens("deposit.deposited", one);
    b.db.sql() << "DELETE FROM stays";  // the portal's own database was an older one
    restart_at(b.desk, "c1", 0);
    CHECK(b.take({"c1", 1, "deposit.deposited", one, "", b.at}) == taken_in::now);
    b.pass(hour);
    CHECK(
        b.take(
            {"c1", 2, "deposit.retrieved", {{"deposit", "d-1"}, {"kind", "intake"}, {"by", "staff:4711"}}, "", b.at}) ==
        taken_in::now);
    CHECK(b.sum(measure::papers_in).n == 1);
    CHECK(b.sum(measure::papers_taken).total_s == 3600);
}

TEST_CASE("statistics: a sum of one tells no single person's minute") {
    counting b;
    b.happens("deposit.deposited", {{"deposit", "d-1"}, {"kind", "intake"}, {"compartment", 3}});
    b.pass(47 * minute + 11 * second);
    b.happens("deposit.retrieved", {{"deposit", "d-1"}, {"kind", "intake"}, {"by", "staff:4711"}});
    CHECK(b.sum(measure::papers_taken).total_s == 45 * 60);
    CHECK(b.sum(measure::papers_taken).within_s(0.5) == 3600);
}

TEST_CASE("statistics: deposits of other systems are counted by what their events say, each by itself, once") {
    counting b;
    const object one{{"deposit", "d-1"}, {"kind", "intake"}, {"compartment", 3}};
    const object other{{"deposit", "d-2"}, {"kind", "return"}, {"compartment", 4}};
    b.happens("deposit.deposited", one);
    b.happens("deposit.deposited", other);
    b.happens("deposit.deposited", one);  // opened again
    b.pass(2 * hour);
    b.happens("deposit.retrieved", {{"deposit", "d-1"}, {"kind", "intake"}, {"by", "staff:4711"}});
    b.happens("deposit.retrieved", {{"deposit", "d-1"}, {"kind", "intake"}, {"by", "staff:4711"}});
    b.pass(2 * hour);
    b.happens("deposit.retrieved", {{"deposit", "d-2"}, {"kind", "return"}, {"by", "code"}});
    CHECK(b.sum(measure::papers_in).n == 1);
    CHECK(b.sum(measure::papers_taken).total_s == 2 * 3600);
    CHECK(b.sum(measure::papers_taken).n == 1);
    CHECK(b.sum(measure::collected).total_s == 4 * 3600);
    CHECK(b.sum(measure::returned).n == 1);
    CHECK(b.sum(measure::returned).known == 0);  // of no case: nobody knows how long staff had it
    (void)add_cabinet(b.desk, {"c2", "南门", "", "", 0}, b.cabinet_key);
    (void)b.take({"c2", 1, "deposit.deposited", one, "", b.at});  // the same id elsewhere is another
    CHECK(b.count("SELECT n FROM statistics WHERE cabinet = 'c2' AND measure = 'papers_in'") == 1);
    b.now += 4000 * day;
    (void)purge(b.desk);
    CHECK(b.count("SELECT COUNT(*) FROM stays") == 0);  // what lay there for years without a case, too
}

TEST_CASE("statistics: a wait that nobody knows is counted, and in no mean") {
    counting b;
    auto c = b.a_case("p1");
    const auto in = plan_door(b.desk, c, {"S", false, false, "p1"})->deposit.id;
    const object intake{{"deposit", in}, {"case", c.id}, {"kind", "intake"}, {"compartment", 3}};
    b.happens("deposit.deposited", intake);
    b.db.sql() << "DELETE FROM stays";  // as after an upgrade: it lies there, and nobody wrote since when
    b.db.sql() << "DELETE FROM statistics";
    b.happens("deposit.deposited", intake);
    CHECK(b.sum(measure::papers_in).n == 0);
    b.pass(hour);
    b.happens("deposit.retrieved", intake);
    const auto taken = b.sum(measure::papers_taken);
    CHECK(taken.n == 1);
    CHECK(taken.known == 0);
    CHECK(taken.within_s(0.5) == 0);
    const object known{{"deposit", "d-9"}, {"kind", "intake"}, {"compartment", 4}};
    b.happens("deposit.deposited", known);
    b.pass(2 * hour);
    b.happens("deposit.retrieved", {{"deposit", "d-9"}, {"kind", "intake"}, {"by", "staff:4711"}});
    const auto both = b.sum(measure::papers_taken);
    CHECK(both.n == 2);
    CHECK(both.total_s / both.known == 2 * 3600);
    CHECK(both.within_s(0.9) == 14'400);
    // Moved to the counter: whoever gives a return afterwards waited since then.
    b.happens("deposit.deposited", {{"deposit", "d-8"}, {"kind", "return"}, {"compartment", 5}});
    b.happens("deposit.reclaimed", {{"deposit", "d-8"}, {"kind", "return"}, {"compartment", 5}});
    CHECK(b.sum(measure::reclaimed).n == 1);
    CHECK(b.count("SELECT COUNT(*) FROM stays WHERE lay_until = 0") == 0);
}

TEST_CASE("statistics: hours become their days when they are old; what is asked of hours is bounded") {
    counting b;
    b.desk.by.utc_offset_ms = 5 * hour + 30 * minute;
    b.at = b.now = 1'800'000'000'000 + 11 * hour;  // 19:00 UTC is 00:30 of the next day
    b.happens("opening.opened", {{"compartment", 3}});
    b.pass(hour);
    b.happens("opening.opened", {{"compartment", 3}});
    const auto all = [&](grouping by) { return statistics(b.desk.db.sql(), {0, INT64_MAX / 2, "", "", by}); };
    CHECK(all(grouping::each_hour).size() == 2);
    CHECK(all(grouping::each_hour).front().key == "2027-01-16T00");
    CHECK(all(grouping::hour_of_day).back().key == "01");
    roll_up(b.desk);
    CHECK(all(grouping::each_hour).size() == 2);
    b.now += hours_kept + day;
    roll_up(b.desk);
    roll_up(b.desk);
    CHECK(all(grouping::each_hour).empty());
    CHECK(all(grouping::hour_of_day).empty());
    REQUIRE(all(grouping::each_day).size() == 1);
    CHECK(all(grouping::each_day).front().key == "2027-01-16");
    CHECK(b.sum(measure::openings).n == 2);
    b.happens("opening.opened", {{"compartment", 3}});  // of a cabinet that was without a network for months
    roll_up(b.desk);
    CHECK(b.sum(measure::openings).n == 3);
    CHECK(b.count("SELECT COUNT(*) FROM statistics") == 1);
    const auto local = b.now + b.desk.by.utc_offset_ms;
    const auto code = [&](statistics_wish w) {
        const auto said = check(b.desk, w);
        return said ? std::string("good") : said.error().code;
    };
    CHECK(code({local - 31 * day, local, "", "", grouping::each_hour}) == "good");
    CHECK(code({local - 32 * day, local, "", "", grouping::each_hour}) == "malformed");
    CHECK(code({local - 91 * day, local, "c1", "", grouping::hour_of_day}) == "good");
    CHECK(code({local - 93 * day, local, "", "", grouping::hour_of_day}) == "malformed");
    CHECK(code({local - 2 * day, local, "", "s1", grouping::each_hour}) == "malformed");
    CHECK(code({local - days_most * day, local, "", "s1", grouping::each_day}) == "good");
    CHECK(code({local - (days_most + 1) * day, local, "", "", grouping::cabinet}) == "malformed");
    CHECK(code({local, local, "", "", grouping::cabinet}) == "malformed");
    b.now += (days_most + 100) * day;
    roll_up(b.desk);
    CHECK(b.count("SELECT COUNT(*) FROM statistics") == 0);
}

TEST_CASE("statistics: by hour and day of the office's own time, by service, for one cabinet alone") {
    counting b;
    (void)add_cabinet(b.desk, {"c2", "南门", "", "", 0}, b.cabinet_key);
    b.desk.by.utc_offset_ms = 8 * hour;
    b.at = 1'800'000'000'000 + 9 * hour;  // 17:00 UTC is 01:00 of the next day
    b.now = b.at;
    b.happens("opening.opened", {{"compartment", 3}});
    (void)b.take({"c2", 1, "opening.jammed", {{"compartment", 1}}, "", b.at});
    const auto all = [&](grouping by, const std::string& cabinet = "") {
        return statistics(b.desk.db.sql(), {b.now + 8 * hour - day, b.now + 8 * hour + day, cabinet, "", by});
    };
    CHECK(all(grouping::each_day).front().key == "2027-01-16");
    CHECK(all(grouping::each_hour).front().key == "2027-01-16T01");
    CHECK(all(grouping::hour_of_day).front().key == "01");
    CHECK(all(grouping::cabinet).size() == 2);
    CHECK(all(grouping::cabinet, "c2").front().of.at(static_cast<std::size_t>(measure::jams)).n == 1);
    CHECK(all(grouping::service).front().key.empty());
    CHECK(statistics(b.desk.db.sql(), {b.now + day, b.now + 2 * day, "", "", grouping::each_day}).empty());
}

TEST_CASE("a door opened from afar: with a reason, by two persons, once, within ten minutes") {
    bench b;
    REQUIRE(add_staff(b.desk, {asker, "hash"}).has_value());
    CHECK(ask_remote(b.desk, asker, "c1", 0, "why").error().code == "malformed");
    CHECK(ask_remote(b.desk, asker, "c1", 3, "").error().code == "malformed");
    CHECK(ask_remote(b.desk, asker, "c9", 3, "why").error().code == "unknown_cabinet");
    CHECK(ask_remote(b.desk, {"9001", "", "admin", {"c2"}, true}, "c1", 3, "why").error().code == "unknown_cabinet");
    const auto asked = ask_remote(b.desk, asker, "c1", 3, "resident locked out");
    REQUIRE(asked.has_value());
    CHECK(approve_remote(b.desk, asker, asked->id).error().code == "not_permitted");
    CHECK(approve_remote(b.desk, {"4712", "", "worker", {"c2"}, true}, asked->id).error().code == "unknown");
    CHECK(approve_remote(b.desk, second_one, asked->id)->state == remote_state::approved);
    CHECK(approve_remote(b.desk, second_one, asked->id).error().code == "wrong_state");
    CHECK(withdraw_remote(b.desk, asker, asked->id).error().code == "wrong_state");
    settle_remote(b.desk, asked->id, "opened");
    CHECK(remote_openings(b.desk, asker, 10).front().outcome == "opened");
    const auto stale = ask_remote(b.desk, asker, "c1", 7, "then suspended");
    b.db.sql() << "UPDATE staff SET active = 0 WHERE number = '9000'";
    CHECK(approve_remote(b.desk, second_one, stale->id).error().code == "not_permitted");
    b.db.sql() << "UPDATE staff SET active = 1 WHERE number = '9000'";
    // Whoever was just given a password by another may be that other.
    audit(b.desk, "staff:9000", audit_staff_reset, "4711");
    CHECK(approve_remote(b.desk, second_one, stale->id).error().code == "not_permitted");
    b.now += remote_account_age_ms;
    const auto next = ask_remote(b.desk, asker, "c1", 7, "a day later");
    CHECK(approve_remote(b.desk, second_one, next->id).has_value());
    for (int door = 11; door < 16; ++door) {
        CHECK(ask_remote(b.desk, asker, "c1", door, "many").has_value());
    }
    CHECK(ask_remote(b.desk, asker, "c1", 16, "too many").error().code == "busy");
    b.now += remote_waits_ms + 1;
    const auto late = ask_remote(b.desk, asker, "c1", 4, "again");
    b.now += remote_waits_ms + 1;
    CHECK(approve_remote(b.desk, second_one, late->id).error().code == "wrong_state");
    CHECK(remote_openings(b.desk, second_one, 10).front().state == remote_state::expired);
    CHECK(b.count("SELECT COUNT(*) FROM audit WHERE what LIKE 'remote opening%'") == 11);
    b.now += 5000 * day;
    (void)purge(b.desk);
    CHECK(b.count("SELECT COUNT(*) FROM remote_openings") == 0);
}

TEST_CASE("a cabinet that burned is removed all the same: its cases go on over the counter, its staff can be changed") {
    bench b;
    (void)add_cabinet(b.desk, {"c2", "南门", "", "", 0}, b.cabinet_key);
    REQUIRE(add_staff(b.desk, {{"4711", "王网格", "worker", {"c1"}, true}, "hash"}).has_value());
    REQUIRE(add_staff(b.desk, {asker, "hash"}).has_value());
    auto ready = b.a_case("p1");
    b.to_ready(ready);
    auto submitted = b.a_case("p2");
    const auto in = plan_door(b.desk, submitted, {"S", false, false, "p2"})->deposit.id;
    for (const char* type : {"deposit.reserved", "deposit.deposited", "deposit.confirmed"}) {
        (void)b.event(type, {{"deposit", in}, {"case", submitted.id}, {"kind", "intake"}, {"compartment", 7}});
    }
    auto begun = b.a_case("p3");
    const auto asked = ask_remote(b.desk, asker, "c1", 3, "then it burned");
    CHECK(remove_cabinet(b.desk, "c1", false, "staff:9000").error().code == "wrong_state");
    REQUIRE(remove_cabinet(b.desk, "c1", true, "staff:9000").has_value());
    CHECK(b.reload(ready).state == case_state::at_counter);
    CHECK(b.reload(submitted).state == case_state::at_counter);
    CHECK(b.reload(begun).state == case_state::cancelled);
    CHECK(b.count("SELECT COUNT(*) FROM notices WHERE template = 'counter'") == 2);
    CHECK(b.count("SELECT COUNT(*) FROM deposits WHERE state IN ('asked', 'reserved', 'deposited', 'confirmed')") == 0);
    auto c = b.reload(ready);
    CHECK(handed_over(b.desk, c, "staff:9000").has_value());
    // Nothing is signed for it any more.
    CHECK(approve_remote(b.desk, second_one, asked->id).error().code == "unknown");
    CHECK_FALSE(roster_to_send(b.desk, "c1"));
    CHECK(change_staff(b.desk, {"4711", "王网格", "worker", {"c1"}, false}).has_value());
    CHECK(change_staff(b.desk, {"4711", "王网格", "worker", {"c3"}, true}).error().code == "malformed");
}

TEST_CASE("a cabinet that is removed: not while cases are on their way, and its id is not given again") {
    bench b;
    auto c = b.a_case("p1");
    b.to_ready(c);
    CHECK(remove_cabinet(b.desk, "c1", false, "staff:9000").error().code == "wrong_state");
    b.db.sql() << "UPDATE cases SET state = 'cancelled'";  // the papers lie there all the same
    CHECK(remove_cabinet(b.desk, "c1", false, "staff:9000").error().code == "wrong_state");
    (void)b.event("deposit.retrieved", {{"deposit", c.deposit}, {"kind", "return"}, {"by", "code"}});
    auto begun = b.a_case("p2");
    const auto asked = plan_door(b.desk, begun, {"S", false, false, "p2"});
    CHECK(remove_cabinet(b.desk, "c1", false, "staff:9000").error().code ==
          "wrong_state");  // its grant may still open a door
    b.now += hour;
    CHECK(remove_cabinet(b.desk, "c9", false, "staff:9000").error().code == "unknown_cabinet");
    REQUIRE(remove_cabinet(b.desk, "c1", false, "staff:9000").has_value());
    CHECK(all_cabinets(b.desk).empty());
    CHECK(b.reload(begun).state == case_state::cancelled);
    CHECK(b.count("SELECT COUNT(*) FROM cabinets WHERE sealed_key <> ''") == 0);
    CHECK_FALSE(find_cabinet(b.desk, "c1"));
    CHECK(b.event("opening.opened", {}) == taken_in::unknown);
    CHECK(add_cabinet(b.desk, {"c1", "北门", "", "", 0}, b.cabinet_key).error().code == "taken");
}
