#include <doctest/doctest.h>

#include "portal/server/domain/limiter.hpp"
#include "protocol/code.hpp"
#include "tests/unit/portal/bench.hpp"

using namespace portal_bench;

TEST_CASE("phone numbers: as people write them, and nothing else") {
    CHECK(phone_number("138 0013 8000") == "+8613800138000");
    CHECK(phone_number("+86-13800138000") == "+8613800138000");
    CHECK(phone_number("8613800138000") == "+8613800138000");
    CHECK(phone_number("+4915112345678") == "+4915112345678");
    for (const char* wrong : {"", "1380013800", "138001380000", "12800138000", "abc", "+0123456789",
                              "13800138000; DROP", "+86123", "+1234567890123456", "++8613800138000"}) {
        CAPTURE(wrong);
        CHECK_FALSE(phone_number(wrong));
    }
    CHECK(masked("+8613800138000") == "138****8000");
    CHECK(masked("+4915112345678").find("1234") == std::string::npos);
}

TEST_CASE("sign-in codes: one a minute, five an hour, five minutes, five tries, once") {
    bench b;
    const std::string phone = "+8613800138000";
    const auto code = *issue_sign_in_code(b.desk, phone);
    CHECK(code.size() == 6);
    CHECK_FALSE(issue_sign_in_code(b.desk, phone));
    const std::string wrong = code == "000000" ? "000001" : "000000";
    for (int i = 0; i < 4; ++i) {
        CHECK_FALSE(check_sign_in_code(b.desk, phone, wrong));
    }
    CHECK_FALSE(check_sign_in_code(b.desk, "+8613900139000", code));
    REQUIRE(check_sign_in_code(b.desk, phone, code));
    CHECK_FALSE(check_sign_in_code(b.desk, phone, code));  // once
    b.now += minute;
    const auto second_one = *issue_sign_in_code(b.desk, phone);
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(check_sign_in_code(b.desk, phone, wrong == second_one ? "999999" : wrong));
    }
    CHECK_FALSE(check_sign_in_code(b.desk, phone, second_one));  // tried too often
    b.now += minute;
    const auto third = *issue_sign_in_code(b.desk, phone);
    b.now += 5 * minute;
    CHECK_FALSE(check_sign_in_code(b.desk, phone, third));  // too old
    CHECK(issue_sign_in_code(b.desk, phone));
    b.now += minute;
    CHECK(issue_sign_in_code(b.desk, phone));
    b.now += minute;
    CHECK_FALSE(issue_sign_in_code(b.desk, phone));  // a sixth within the hour
    b.now += hour;
    CHECK(issue_sign_in_code(b.desk, phone));
    CHECK(b.count("SELECT COUNT(*) FROM one_time_codes WHERE code LIKE '%" + third + "%'") == 0);
}

TEST_CASE("phones and names lie sealed; what is sealed as one thing opens as no other") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    CHECK(person_of(b.desk, "+8613800138000") == person);
    CHECK(phone_of(b.desk, person) == "+8613800138000");
    CHECK(b.count("SELECT COUNT(*) FROM people WHERE phone LIKE '%138001%' OR phone_index LIKE '%138001%'") == 0);
    const auto sealed = b.safe.seal("phone", "+86138");
    CHECK(b.safe.open("phone", sealed) == "+86138");
    CHECK_FALSE(b.safe.open("staff-name", sealed));
    for (std::size_t i = 0; i < sealed.size(); i += 3) {
        auto bent = sealed;
        bent[i] = bent[i] == 'A' ? 'B' : 'A';
        CHECK_FALSE(b.safe.open("phone", bent));
    }
    const vault other(key256{8}, b.from);
    CHECK_FALSE(other.open("phone", sealed));
    CHECK(b.safe.seal("phone", "+86138") != sealed);
    CHECK(b.safe.index("phone", "x") != other.index("phone", "x"));
}

TEST_CASE("a person's data: all of it handed out, forgotten when nothing is on its way, purged when its time is over") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    auto c = b.a_case(person);
    CHECK_FALSE(forget(b.desk, person));
    const auto all = export_of(b.desk, person);
    CHECK(all.at("phone").as_string() == "+8613800138000");
    CHECK(all.at("cases").as_array().size() == 1);
    REQUIRE(cancel_case(b.desk, c, person));
    REQUIRE(forget(b.desk, person));
    CHECK_FALSE(phone_of(b.desk, person));
    CHECK(b.reload(c).person.empty());
    const auto again = person_of(b.desk, "+8613800138000");
    CHECK(again != person);
    b.now += 181 * day;
    CHECK(purge(b.desk) >= 2);  // the case, and a person who never came back
    CHECK_FALSE(find_case(b.desk, c.id));
    CHECK_FALSE(phone_of(b.desk, again));
}

TEST_CASE("what is kept: notes go with the person, begun cases that nobody came back to go, times are the office's") {
    bench b;
    const auto person = person_of(b.desk, "+8613800138000");
    auto c = b.a_case(person);
    b.to_ready(c);
    const auto own = export_of(b.desk, person).at("cases").at(0).as_object();
    CHECK(own.at("papers").as_array().size() == 1);
    REQUIRE(set_delegate(b.desk, c, "+8613900139000"));
    const auto others = export_of(b.desk, c.delegate).at("cases").at(0).as_object();
    CHECK(others.at("for_another").as_bool());
    CHECK(others.at("papers").as_array().empty());  // whoever collects for another gets nothing more of theirs
    const std::string note = "note";
    b.db.sql() << "UPDATE case_log SET note = :n", soci::use(note);
    CHECK(export_of(b.desk, person).at("cases").at(0).at("history").at(0).at("note").as_string() == "note");
    (void)b.event("deposit.retrieved",
                  {{"deposit", c.deposit}, {"kind", "return"}, {"compartment", 5}, {"by", "code"}});
    REQUIRE(forget(b.desk, person));
    CHECK(b.count("SELECT COUNT(*) FROM case_log WHERE note <> ''") == 0);
    CHECK_FALSE(set_retention(b.desk, {0, 400}));
    CHECK_FALSE(set_retention(b.desk, {10, 29}));
    REQUIRE(set_retention(b.desk, {10, 40}));
    CHECK(retention_of(b.desk).cases_days == 10);
    const auto left = b.a_case(person_of(b.desk, "+8613700137000"));
    b.now += 11 * day;
    CHECK(purge(b.desk) >= 2);
    CHECK_FALSE(find_case(b.desk, left.id));
    CHECK_FALSE(find_case(b.desk, c.id));
}

TEST_CASE("staff: password, authenticator, cabinets, the last administrator, the roster") {
    bench b;
    const auto hash = b.safe.hash_password("a long password");
    CHECK(vault::check_password("a long password", hash));
    CHECK_FALSE(vault::check_password("a long passwore", hash));
    CHECK_FALSE(vault::check_password("", "scrypt$AAAA$none"));
    const auto secret = add_staff(b.desk, {{"9000", "Li", "admin", {every_cabinet}, true}, hash});
    REQUIRE(secret);
    CHECK(secret->size() == 32);
    CHECK_FALSE(add_staff(b.desk, {{"9000", "Li", "admin", {every_cabinet}, true}, hash}));
    CHECK_FALSE(add_staff(b.desk, {{"12", "Li", "admin", {every_cabinet}, true}, hash}));
    REQUIRE(add_staff(b.desk, {{"4711", "Wang", "worker", {"c1"}, true}, hash}));
    CHECK(may_work_at(*find_staff(b.desk, "4711"), "c1"));
    CHECK_FALSE(may_work_at(*find_staff(b.desk, "4711"), "c2"));
    CHECK(change_staff(b.desk, {"9000", "Li", "worker", {every_cabinet}, true}).error().code == "last_admin");
    CHECK(change_staff(b.desk, {"9000", "Li", "admin", {every_cabinet}, false}).error().code == "last_admin");
    const auto roster = roster_to_send(b.desk, "c1");
    REQUIRE(roster);
    CHECK(roster->staff.size() == 2);
    roster_taken(b.desk, "c1", *roster);
    CHECK_FALSE(roster_to_send(b.desk, "c1"));
    REQUIRE(change_staff(b.desk, {"4711", "Wang", "worker", {"c1"}, false}));
    CHECK(roster_to_send(b.desk, "c1")->version > roster->version);
    // The last who may work there goes: the cabinet is told that it is nobody.
    roster_taken(b.desk, "c1", *roster_to_send(b.desk, "c1"));
    CHECK_FALSE(change_staff(b.desk, {"9000", "Li", "admin", {"c9"}, true}));  // there is none such
    REQUIRE(change_staff(b.desk, {"9000", "Li", "admin", {}, true}));
    REQUIRE(roster_to_send(b.desk, "c1"));
    CHECK(roster_to_send(b.desk, "c1")->staff.empty());
    CHECK_FALSE(roster_to_send(b.desk, "c9"));
    CHECK_FALSE(check_totp(b.desk, "4711", "000000"));
    CHECK(password_hash_of(b.desk, "4711").ends_with("none"));  // suspended: no password fits
}

TEST_CASE("the authenticator's code: one step early and late, each once") {
    bench b;
    (void)add_staff(b.desk, {{"4711", "Wang", "worker", {every_cabinet}, true}, "x"});
    std::string sealed;
    b.db.sql() << "SELECT totp FROM staff", soci::into(sealed);
    const auto key = *from_hex(*b.safe.open("totp", sealed));
    const auto code = [&](int steps) {
        auto text = std::to_string(totp6(key, b.now / 1000 / totp_period_s + steps));
        return std::string(6 - text.size(), '0') + text;
    };
    CHECK_FALSE(check_totp(b.desk, "4711", code(-2)));
    CHECK_FALSE(check_totp(b.desk, "4711", code(2)));
    CHECK(check_totp(b.desk, "4711", code(-1)));
    CHECK_FALSE(check_totp(b.desk, "4711", code(-1)));
    CHECK(check_totp(b.desk, "4711", code(1)));
    CHECK_FALSE(check_totp(b.desk, "4711", code(0)));  // an earlier step than one that was used
}

TEST_CASE("limits: so many at once, one back after so long, strangers do not fill the memory") {
    limiter l;
    for (int i = 0; i < 3; ++i) {
        CHECK(l.take("a", {3, 1000}, 10'000));
    }
    CHECK_FALSE(l.take("a", {3, 1000}, 10'000));
    CHECK(l.take("b", {3, 1000}, 10'000));
    CHECK(l.take("a", {3, 1000}, 11'000));
    CHECK_FALSE(l.take("a", {3, 1000}, 11'000));
    for (std::size_t i = 0; i < limiter::names_most; ++i) {
        (void)l.take(std::to_string(i), {1, 100'000}, 11'000);
    }
    CHECK(l.take("one more", {1, 1000}, 11'000));  // nobody is shut out: one of the newest is forgotten
    CHECK_FALSE(l.take("one more", {1, 1000}, 11'000));
    CHECK_FALSE(l.take("a", {3, 1000}, 11'000));  // and not those that were there before
}
