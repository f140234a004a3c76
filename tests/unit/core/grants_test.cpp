#include <doctest/doctest.h>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

using boost::json::array;
using boost::json::object;

}  // namespace

TEST_CASE("the root key replaces the ring: the new key signs, the old does not, also after a restart") {
    bench b;
    const object open{{"act", "open"}, {"cmp", 1}};
    CHECK(code_of(b.command("open", {}, b.signed_by("fresh", fresh_seed_hex, open))) == "unknown_key");
    CHECK(code_of(b.command("keys", {}, b.grant({{"act", "keys"}, {"version", 5}, {"keys", array()}}))) ==
          "not_permitted");
    CHECK(code_of(b.command("keys", {}, b.signed_by("root", root_seed_hex, open))) == "not_permitted");
    REQUIRE(ok(ring(b, 5, {jwk("fresh", fresh_seed_hex, {"open"}), jwk("portal", issuer_seed_hex, {"deposit"})})));
    CHECK(ok(b.command("open", {}, b.signed_by("fresh", fresh_seed_hex, open))));
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}})) == "not_permitted");
    REQUIRE(ok(ring(b, 6, {jwk("fresh", fresh_seed_hex, {"open"})})));
    CHECK(b.last_event("credential.revoked").at("removed").as_array()[0].as_string() == "portal");
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}})) == "unknown_key");
    CHECK(code_of(ring(b, 7, {jwk("root", issuer_seed_hex, {"open"})})) == "wrong_state");
    CHECK(code_of(ring(b, 6, {jwk("portal", issuer_seed_hex, {"open"})})) == "wrong_state");
    CHECK(code_of(ring(b, 5, {jwk("portal", issuer_seed_hex, {"open"})})) == "wrong_state");
    b.start();
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}})) == "unknown_key");
    CHECK(ok(b.command("open", {}, b.signed_by("fresh", fresh_seed_hex, {{"act", "open"}, {"cmp", 2}}))));
    b.config.ring.version = 7;  // a newer file goes before it
    b.start();
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 3}})));
}

TEST_CASE("a roster is signed by the root or a key that may; its version only grows") {
    bench b;
    const object member{{"number", "4711"}, {"permits", array{"settle"}}};
    const auto roster = [&](int version, std::string_view kid) {
        const object claims{{"act", "roster"}, {"version", version}, {"staff", array{member}}};
        return code_of(
            b.command("roster", {}, b.signed_by(kid, kid == "root" ? root_seed_hex : issuer_seed_hex, claims)));
    };
    CHECK(roster(1, "portal") == "not_permitted");
    b.config.ring.keys[0].acts.push_back(grant_act::roster);
    b.start();
    CHECK(roster(1, "portal") == "");
    CHECK(roster(1, "root") == "wrong_state");
    CHECK(roster(2, "root") == "");
    CHECK(code_of(b.command("roster", {}, b.signed_by("root", root_seed_hex, {{"act", "roster"}, {"version", 3}}))) ==
          "malformed");
    CHECK(code_of(b.command("roster", {}, b.grant({{"act", "open"}, {"cmp", 1}}))) == "not_permitted");
    CHECK(b.last_event("credential.revoked").at("document").as_int64() == 2);
}

TEST_CASE("the root's ring mends a floor that is too high; nothing else lowers it") {
    bench b;
    b.now.wall_ms += 300 * day;  // a time server lied, and a grant agreed
    REQUIRE(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    CHECK(b.core->view().d.m.floor_ms > 1'800'000'000'000 + 299 * day);
    b.now.wall_ms -= 300 * day;
    b.pass(1000);
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}})) == "expired");
    CHECK(code_of(b.command("roster", {},
                            b.signed_by("root", root_seed_hex,
                                        {{"act", "roster"}, {"version", 1}, {"staff", array()}}))) == "expired");
    REQUIRE(ok(ring(b, 3, {jwk("portal", issuer_seed_hex, {"open"})})));
    CHECK(b.last_event("clock.stepped").at("step_ms").as_int64() < -299 * day);
    const auto old_s = b.now.wall_ms / 1000 - 20;
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}, {"iat", old_s}, {"exp", old_s + 60}})) == "expired");
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 2}})));
    b.start();
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 3}})));
}

TEST_CASE("revoked: the earlier issues of a deposit, and all grants from before a time") {
    bench b;
    b.put_in("d1");
    CHECK(code_of(b.open({{"act", "revoke"}, {"dep", "d1"}})) == "malformed");
    CHECK(code_of(b.open({{"act", "revoke"}, {"dep", "none"}, {"issue_min", 2}})) == "unknown_deposit");
    REQUIRE(ok(b.open({{"act", "revoke"}, {"dep", "d1"}, {"issue_min", 2}})));
    CHECK(b.last_event("credential.revoked").at("issue_min").as_int64() == 2);
    CHECK(code_of(b.enter(b.code("d1", 1))) == "wrong_code");
    b.start();
    CHECK(code_of(b.enter(b.code("d1", 0))) == "wrong_code");
    CHECK(ok(b.enter(b.code("d1", 2))));

    const auto stolen = b.grant({{"act", "open"}, {"cmp", 4}, {"exp", b.now.wall_ms / 1000 + 3600}}, false);
    b.pass(2000);
    REQUIRE(ok(b.enter(b.grant({{"act", "revoke"}}, false))));
    CHECK(code_of(b.enter(stolen)) == "expired");
    b.reboot();
    CHECK(code_of(b.enter(stolen)) == "expired");
    CHECK(ok(b.enter(b.grant({{"act", "open"}, {"cmp", 4}}, false))));
}

TEST_CASE("two persons: over MQTT with the command, at the scanner one after the other") {
    bench b;
    b.config.rules.pairs = two_persons::occupied;
    b.start();
    const int n = b.put_in("d1");
    const auto by = [&](std::string_view who, bool epoch = true) {
        return b.grant({{"act", "open"}, {"cmp", n}, {"sub", who}}, epoch);
    };
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 6}})));  // nothing lies there
    CHECK(code_of(b.command("open", {}, by("a"))) == "not_permitted");
    CHECK(code_of(b.command("open", {{"second_grant", by("a")}}, by("a"))) == "not_permitted");
    CHECK(code_of(b.command("open", {{"second_grant", b.grant({{"act", "open"}, {"cmp", n}})}}, by("a"))) ==
          "not_permitted");
    CHECK(code_of(b.command("open", {{"second_grant", "x.y.z"}}, by("a"))) == "malformed");
    CHECK(code_of(b.command("open", {{"second_grant", b.grant({{"act", "open"}, {"cmp", 5}, {"sub", "b"}})}},
                            by("a"))) == "not_permitted");
    auto forged = by("b");
    forged[forged.size() - 5] = forged[forged.size() - 5] == 'A' ? 'B' : 'A';
    CHECK(code_of(b.command("open", {{"second_grant", forged}}, by("a"))) == "bad_signature");
    const auto first = by("a");
    const auto second_one = by("b");
    REQUIRE(ok(b.command("open", {{"second_grant", second_one}}, first)));
    CHECK(std::string(b.last_event("opening.authorised").at("second").as_string()).starts_with("grant:"));
    b.pass(3000);
    b.door(n, false);
    b.pass(3000);
    CHECK(code_of(b.command("open", {{"second_grant", second_one}}, by("c"))) == "replayed");
    CHECK(code_of(b.command("open", {{"second_grant", by("c")}}, first)) == "replayed");

    const auto opened = b.count("opening.opened");
    REQUIRE(ok(b.enter(by("a", false))));
    CHECK(b.count("opening.opened") == opened);
    CHECK(ok(b.enter(by("a", false))));  // the same person again: the newer grant waits
    CHECK(code_of(b.enter(b.grant({{"act", "open"}, {"cmp", n}}, false))) == "not_permitted");
    CHECK(b.count("opening.opened") == opened);
    CHECK(ok(b.enter(by("b", false))));
    CHECK(b.count("opening.opened") == opened + 1);
    b.pass(3000);
    b.door(n, false);
    b.pass(3000);
    REQUIRE(ok(b.enter(by("a", false))));
    b.pass(2 * minute);
    CHECK(ok(b.enter(by("b", false))));  // too late: it is a first one now
    CHECK(b.count("opening.opened") == opened + 1);
    b.pass(2 * minute);
    // A first one that ran out spoils no other's.
    const auto short_one = [&](const char* who, std::int64_t life) {
        const auto now_s = b.now.wall_ms / 1000;
        return b.grant({{"act", "open"}, {"cmp", n}, {"sub", who}, {"iat", now_s}, {"exp", now_s + life}}, false);
    };
    const auto waits = b.enter(short_one("a", 30));
    CHECK(waits.at("result").at("second_grant_within_s").as_int64() == 30);
    b.pass(40 * second);
    CHECK(ok(b.enter(short_one("c", 60))));
    CHECK(b.count("opening.opened") == opened + 1);
    CHECK(ok(b.enter(short_one("d", 60))));
    CHECK(b.count("opening.opened") == opened + 2);
}

TEST_CASE("a policy may refuse grants while the clock is untrusted; codes need no clock") {
    bench b;
    b.config.rules.grants_need_clock = true;
    b.start();
    b.put_in("d1");
    b.feed(clock_report{false});
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 3}})) == "clock_untrusted");
    CHECK(ok(b.enter(b.code("d1", 0))));
    b.feed(clock_report{true});
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 3}})));
}

TEST_CASE("whatever bit of a token is turned, it opens nothing") {
    bench b;
    const auto token = b.grant({{"act", "open"}, {"cmp", 1}}, false);
    int tried = 0;
    for (std::size_t i = 0; i < token.size(); ++i) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            auto bad = token;
            bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
            const auto reply = b.enter(bad, entry_via::scanner);
            CHECK_FALSE(ok(reply));
            ++tried;
        }
    }
    CHECK(tried == static_cast<int>(token.size()) * 8);
    CHECK(b.pulses.empty());
    CHECK(ok(b.enter(token, entry_via::scanner)));
}

TEST_CASE("a ring without keys stays in force after a restart") {
    bench b;
    REQUIRE(ok(ring(b, 7, {})));
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}})) == "unknown_key");
    b.start();
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 2}})) == "unknown_key");
    CHECK(b.core->view().d.ring->version == 7);
}

TEST_CASE("a revocation is not undone by an opening that was under way") {
    bench b;
    const int n = b.put_in("d1");
    b.reacts = [](int) {};
    (void)b.enter(b.code("d1", 0));
    REQUIRE(ok(b.open({{"act", "revoke"}, {"dep", "d1"}, {"issue_min", 10}})));
    b.door(n, true);
    b.pass(500);
    b.door(n, false);
    b.pass(3000);
    CHECK(b.core->view().d.deposits.at("d1").issue_next == 10);
    b.reacts = [&](int k) { b.door(k, true); };
    CHECK(code_of(b.enter(b.code("d1", 0))) == "wrong_code");
    CHECK(ok(b.enter(b.code("d1", 10))));
}

TEST_CASE("two spellings of one staff member are one person") {
    bench b;
    b.config.rules.pairs = two_persons::occupied;
    b.start();
    REQUIRE(ok(b.staff({{{"number", "4711"}, {"sub", "g-4711"}, {"permits", array{"maintain"}}}})));
    const int n = b.put_in("d1");
    const auto by = [&](std::string_view who) { return b.grant({{"act", "open"}, {"cmp", n}, {"sub", who}}); };
    CHECK(code_of(b.command("open", {{"second_grant", by("staff:4711")}}, by("g-4711"))) == "not_permitted");
    CHECK(code_of(b.command("open", {{"second_grant", by("4711")}}, by("g-4711"))) == "not_permitted");
    CHECK(ok(b.command("open", {{"second_grant", by("g-4712")}}, by("g-4711"))));
}

TEST_CASE("a ring that comes late, with an untrusted clock, makes nothing old good again") {
    bench b;
    const std::int64_t t0 = b.now.wall_ms / 1000;
    const auto late = b.signed_by("root", root_seed_hex,
                                  {{"act", "keys"},
                                   {"version", 9},
                                   {"iat", t0},
                                   {"exp", t0 + 600},
                                   {"keys", array{jwk("portal", issuer_seed_hex, {"open", "revoke"})}}},
                                  false);
    b.pass(10 * second);
    const auto now_s = b.now.wall_ms / 1000;
    const auto stolen = b.grant({{"act", "open"}, {"cmp", 4}, {"iat", now_s}, {"exp", now_s + 3600}}, false);
    b.pass(1000 * second);
    REQUIRE(ok(b.enter(b.grant({{"act", "revoke"}}, false))));
    b.clock_trusted = false;
    b.feed(clock_report{false});
    CHECK(code_of(b.enter(late)) == "expired");
    CHECK(code_of(b.enter(stolen)) == "expired");
    b.pass(2 * day);
    CHECK(code_of(b.enter(late)) == "expired");
    CHECK(code_of(b.enter(stolen)) == "expired");
}

TEST_CASE("what grants told of the time outlives a restart; used ones are known by age, whatever the time says") {
    bench b;
    b.clock_trusted = false;
    b.feed(clock_report{false});
    const std::int64_t t = b.now.wall_ms / 1000;
    const auto grant = [&](int door, std::int64_t at, std::int64_t life) {
        return b.grant({{"act", "open"}, {"cmp", door}, {"iat", at}, {"exp", at + life}}, false);
    };
    const auto unused = grant(4, t, 3600);
    const auto used = grant(3, t, 3600);
    REQUIRE(ok(b.enter(used)));
    REQUIRE(ok(b.enter(grant(5, t + 7200, 60))));
    CHECK(code_of(b.enter(unused)) == "expired");
    b.reboot();
    CHECK(code_of(b.enter(unused)) == "expired");
    REQUIRE(ok(b.enter(grant(6, t + 40 * 86400, 60))));
    CHECK(b.disk.kinds["grant"].size() == 3);
    b.pass(29 * day);
    (void)b.enter(grant(1, t + 80 * 86400, 60));
    CHECK(b.disk.kinds["grant"].size() == 4);
}

TEST_CASE("a policy that wants a clock wants it for signing in, too") {
    bench b;
    b.config.rules.grants_need_clock = true;
    b.start();
    REQUIRE(ok(b.staff({{{"number", "4711"}, {"permits", array{"maintain"}}}})));
    b.feed(clock_report{false});
    CHECK(code_of(b.enter(b.grant({{"act", "staff"}, {"sub", "4711"}}, false))) == "clock_untrusted");
    CHECK(code_of(b.open({{"act", "move"}, {"dep", "d"}, {"cmp", 1}})) == "clock_untrusted");
    CHECK(ok(b.open({{"act", "staff"}, {"sub", "4711"}})));  // lifting opens nothing
}

TEST_CASE("a clock that steps back in a quiet night is told, and takes back an hour at most") {
    bench b;
    REQUIRE(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    const std::int64_t t = b.now.wall_ms / 1000;
    const auto slip = b.grant({{"act", "open"}, {"cmp", 4}, {"iat", t}, {"exp", t + 3600}}, false);
    b.pass(5 * hour);
    b.now.wall_ms -= 5 * hour;
    b.pass(2000);
    CHECK(code_of(b.enter(slip)) == "expired");
    CHECK(b.count("clock.stepped") == 1);
}

TEST_CASE("a clock that is far ahead at boot refills no bucket beyond a day") {
    bench b;
    for (int i = 0; i < 60; ++i) {
        (void)b.enter(b.code("none", static_cast<std::uint64_t>(i)));
        b.pass(31 * minute);
    }
    CHECK(code_of(b.enter(b.code("none", 0))) == "wrong_code");  // what the slow bucket gave back meanwhile
    while (code_of(b.enter(b.code("none", 1))) == "wrong_code") {
        b.pass(31 * minute);
    }
    b.now.wall_ms += 400 * day;
    b.reboot();
    int judged = 0;
    for (int i = 0; i < 20; ++i) {
        judged += code_of(b.enter(b.code("none", 2))) == "wrong_code" ? 1 : 0;
    }
    CHECK(judged <= 3);
}

TEST_CASE("a revocation from a time that never was is ended by the root's next ring") {
    bench b;
    b.feed(clock_report{false});
    const auto far = b.now.wall_ms / 1000 + 10LL * 365 * 86400;
    REQUIRE(ok(b.open({{"act", "revoke"}, {"iat", far}, {"exp", far + 60}})));
    b.feed(clock_report{true});
    b.pass(1000);
    REQUIRE(ok(ring(b, 9, {jwk("portal2", fresh_seed_hex, {"open"})})));
    CHECK(code_of(b.command("open", {}, b.signed_by("portal2", fresh_seed_hex, {{"act", "open"}, {"cmp", 1}}))) == "");
}

TEST_CASE("a session ends when its key is replaced under the same kid") {
    bench b;
    REQUIRE(ok(b.staff({member("4711", {"maintain"})})));
    REQUIRE(ok(b.enter(b.grant({{"act", "staff"}, {"sub", "g-4711"}}, false))));
    REQUIRE(ok(ring(b, 2, {jwk("portal", fresh_seed_hex, {"open"})})));
    CHECK(code_of(b.enter("5")) == "malformed");  // no code; nobody is signed in any more
    CHECK(b.pulses.empty());
}

TEST_CASE("no further pulse when the authority was revoked meanwhile") {
    bench b;
    REQUIRE(ok(b.staff({{{"number", "4711"}, {"permits", array{"maintain"}}}})));
    b.reacts = [](int) {};
    SUBCASE("grant") {
        (void)b.open(
            {{"act", "open"}, {"cmp", 5}, {"iat", b.now.wall_ms / 1000 - 20}, {"exp", b.now.wall_ms / 1000 + 40}});
        REQUIRE(b.pulses.size() == 1);
        REQUIRE(ok(b.open({{"act", "revoke"}})));
    }
    SUBCASE("ring") {
        (void)b.open({{"act", "open"}, {"cmp", 5}});
        REQUIRE(ok(ring(b, 2, array{})));
    }
    SUBCASE("code") {
        b.reacts = [&](int n) { b.door(n, true); };
        b.put_in("d1");
        b.pulses.clear();
        b.reacts = [](int) {};
        (void)b.enter(b.code("d1", 0));
        REQUIRE(b.pulses.size() == 1);
        REQUIRE(ok(b.open({{"act", "revoke"}, {"dep", "d1"}, {"issue_min", 3}})));
    }
    SUBCASE("roster") {
        (void)b.enter(b.staff_code("4711"));
        (void)b.enter("5");
        REQUIRE(b.pulses.size() == 1);
        REQUIRE(ok(b.staff({})));
    }
    const auto before = b.pulses.size();
    b.reacts = [&](int n) { b.door(n, true); };
    b.pass(8000);
    CHECK(b.pulses.size() == before);
    CHECK(b.count("opening.opened") <= 1);
}

TEST_CASE("a ring of the file is remembered: a lower file does not bring its keys back") {
    bench b;
    REQUIRE(ok(ring(b, 6, {jwk("portal", issuer_seed_hex, {"open"})})));
    b.config.ring.version = 7;
    b.config.ring.keys.clear();
    b.start();
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}})) == "unknown_key");
    b.config.ring.version = 5;
    b.start();
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 1}})) == "unknown_key");
}

TEST_CASE("a restored database: what was used since the backup opens nothing") {
    bench b;
    const auto g = b.grant({{"act", "open"}, {"cmp", 5}, {"exp", b.now.wall_ms / 1000 + 36000}}, false);
    const auto backup = b.disk.kinds;
    const auto ledger = b.disk.ledger;
    REQUIRE(ok(b.enter(g)));
    shut(b, 5);
    b.disk.kinds = backup;
    b.disk.ledger = ledger;
    key256 fresh{};
    fresh.fill(0x17);
    b.config.cabinet_keys = {secret256(fresh)};
    b.start();
    CHECK_FALSE(ok(b.enter(g)));
}

TEST_CASE("a restored database whose clock does not tell the time takes no grant at the front") {
    bench b;
    REQUIRE(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    key256 fresh{};
    fresh.fill(0x17);
    b.config.cabinet_keys = {secret256(fresh)};
    b.clock_trusted = false;
    b.start();
    const auto g = b.grant({{"act", "open"}, {"cmp", 5}}, false);
    CHECK(code_of(b.enter(g)) == "clock_untrusted");
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 2}})));  // over MQTT the epoch is new
    b.feed(clock_report{true});
    b.pass(2000);
    CHECK(ok(b.enter(b.grant({{"act", "open"}, {"cmp", 5}}, false))));
}

TEST_CASE("a refusal of a grant that was verified is remembered") {
    bench b;
    b.config.rules.pairs = two_persons::always;
    b.start();
    object m{{"number", "4711"}, {"sub", "g-4711"}, {"permits", array{"maintain"}}};
    m["suspended"] = true;
    REQUIRE(ok(b.staff({m})));
    const auto g = b.grant({{"act", "collect"}, {"dep", "d1"}, {"sub", "g-4711"}});
    b.put_in("d1");
    CHECK(code_of(b.command("open", {}, g, "same")) == "suspended");
    m["suspended"] = false;
    REQUIRE(ok(b.staff({m})));
    CHECK(code_of(b.command("open", {}, g, "same")) == "suspended");
}

TEST_CASE("a roster by a ring key leaves the root room above it") {
    bench b;
    b.config.ring.keys[0].acts.push_back(grant_act::roster);
    b.start();
    const object claims{{"act", "roster"}, {"version", 1'000'000'000'000}, {"staff", array{}}};
    CHECK(code_of(b.command("roster", {}, b.grant(claims))) == "wrong_state");
    CHECK(ok(b.command("roster", {}, b.signed_by("root", root_seed_hex, claims))));
}
