// What time it is for the cabinet, whatever its clock says.
#include <doctest/doctest.h>

#include "protocol/timestamp.hpp"
#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

using boost::json::array;
using boost::json::object;

}  // namespace

TEST_CASE("a trusted clock that is set back makes no grant live on") {
    bench b;
    REQUIRE(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    shut(b, 1);
    const auto t = b.now.wall_ms / 1000;
    const auto slip = b.grant({{"act", "open"}, {"cmp", 4}, {"iat", t}, {"exp", t + 3600}}, false);
    b.now.wall_ms -= 365 * day;
    b.pass(20 * day);
    CHECK(code_of(b.enter(slip)) == "expired");
}

TEST_CASE("a trusted clock that is set back makes no used grant new") {
    bench b;
    const auto t = b.now.wall_ms / 1000;
    const auto g = b.grant({{"act", "open"}, {"cmp", 4}, {"iat", t}, {"exp", t + 3600}}, false);
    const auto g2 = b.grant({{"act", "open"}, {"cmp", 5}, {"iat", t}, {"exp", t + 3600}}, false);
    REQUIRE(ok(b.enter(g)));
    shut(b, 4);
    CHECK(code_of(b.enter(g)) == "replayed");
    b.now.wall_ms -= 365 * day;
    b.pass(32 * day);
    (void)b.enter(g2);
    const auto n = b.count("opening.opened");
    CHECK_FALSE(ok(b.enter(g)));
    CHECK(b.count("opening.opened") == n);
}

TEST_CASE("a clock that is set back brings no old staff code back, however often one tries") {
    bench b;
    REQUIRE(ok(b.staff({member("4711", {"maintain"})})));
    const auto seen = b.staff_code("4711");
    b.pass(50 * minute);
    b.now.wall_ms -= 50 * minute;
    for (int i = 0; i < 10; ++i) {
        CHECK(code_of(b.enter(seen)) == "clock_untrusted");
        b.pass(second);
    }
}

TEST_CASE("a dead clock battery: staff show a grant, and the alarm is up") {
    bench b;
    REQUIRE(ok(b.staff({member("4711", {"maintain"})})));
    const auto real0 = b.now;
    b.now.wall_ms = 946684800000;
    b.reboot();
    b.pass(1 * hour);
    const auto real = (real0.wall_ms + hour) / 1000;
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "clock_untrusted");
    CHECK(ok(b.enter(b.grant({{"act", "staff"}, {"sub", "g-4711"}, {"iat", real}, {"exp", real + 60}}, false))));
    CHECK(b.retained.count("locker/v1/c1/alarm/clock_untrusted") == 1);
}

TEST_CASE("a clock set right from hours ahead is believed again in twice that time") {
    bench b;
    b.now.wall_ms += 3 * hour;
    REQUIRE(ok(b.staff({member("4711", {"maintain"})})));
    b.now.wall_ms -= 3 * hour;
    b.feed(clock_report{true});
    CHECK(b.count("clock.stepped") == 1);
    CHECK(b.count("clock.untrusted") == 1);
    CHECK(code_of(b.enter(b.staff_code("4711"))) == "clock_untrusted");
    b.pass(6 * hour);
    CHECK(b.count("clock.trusted") == 1);
    CHECK(ok(b.enter(b.staff_code("4711"))));
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 1}})));
}

TEST_CASE("a ring that was held back turns no time back") {
    bench b;
    REQUIRE(ok(b.staff({member("4711", {"maintain"})})));
    const auto t = b.now.wall_ms / 1000;
    const auto late = b.signed_by("root", root_seed_hex,
                                  {{"act", "keys"},
                                   {"version", 9},
                                   {"iat", t},
                                   {"exp", t + 600},
                                   {"keys", array{jwk("portal", issuer_seed_hex, {"open"})}}},
                                  false);
    b.pass(2 * day);
    const auto s = b.now.wall_ms / 1000;
    const auto used = b.grant({{"act", "open"}, {"cmp", 4}, {"iat", s}, {"exp", s + 3600}}, false);
    const auto unused = b.grant({{"act", "open"}, {"cmp", 5}, {"iat", s}, {"exp", s + 3600}}, false);
    REQUIRE(ok(b.enter(used)));
    shut(b, 4);
    b.pass(40 * day);
    CHECK(code_of(b.enter(used)) == "expired");
    CHECK(code_of(b.enter(unused)) == "expired");
    b.feed(clock_report{false});
    CHECK(code_of(b.enter(late)) == "expired");
    CHECK_FALSE(ok(b.enter(unused)));
    CHECK_FALSE(ok(b.enter(used)));
}

TEST_CASE("what was used in a time that never was is not good again when that time comes") {
    bench b;
    b.now.wall_ms += 100 * day;
    const auto s = b.now.wall_ms / 1000;
    const auto used = b.grant({{"act", "open"}, {"cmp", 4}, {"iat", s}, {"exp", s + 3600}}, false);
    REQUIRE(ok(b.enter(used)));
    shut(b, 4);
    b.now.wall_ms -= 100 * day;
    b.pass(1000);
    REQUIRE(ok(ring(b, 3, {jwk("portal", issuer_seed_hex, {"open"})})));
    b.pass(50 * day);
    REQUIRE(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    shut(b, 1);
    b.pass(50 * day);
    CHECK_FALSE(ok(b.enter(used)));
}

TEST_CASE("steps ahead raise the floor by a day in all, until a signature tells the time") {
    bench b;
    REQUIRE(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    shut(b, 1);
    const auto real_ms = b.now.wall_ms;
    for (int i = 0; i < 30; ++i) {
        b.now.wall_ms += 23 * hour;
        (void)b.enter(b.code("none", static_cast<std::uint64_t>(i)));
    }
    CHECK(b.count("clock.stepped") >= 1);
    CHECK(b.core->view().d.m.floor_ms <= real_ms + day);
    b.now.wall_ms -= 30 * 23 * hour;
    b.pass(2 * day);
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 2}})));
}

TEST_CASE("boots with a clock ever further ahead refill the buckets by a day in all") {
    bench b;
    int judged = 0;
    for (int k = 0; k < 10; ++k) {
        for (int i = 0; i < 20; ++i) {
            judged += code_of(b.enter(b.code("none", static_cast<std::uint64_t>(i)))) == "wrong_code" ? 1 : 0;
        }
        b.now.wall_ms += day;
        b.reboot();
    }
    CHECK(judged <= 10 + 10 + 3);  // what was there, a day's refill of the fast bucket, the rest of a day
}

TEST_CASE("a ring over MQTT is not late by a clock that nobody trusts") {
    bench b;
    const auto real = b.now.wall_ms;
    b.feed(clock_report{false});
    b.now.wall_ms += 3650 * day;
    const auto token = b.signed_by(
        "root", root_seed_hex,
        {{"act", "keys"}, {"version", 3}, {"iat", real / 1000}, {"exp", real / 1000 + 60}, {"keys", array{}}});
    object m{{"id", "k1"},
             {"expires_at", format_time(real + 30000)},
             {"reply_to", "locker/v1/c1/reply/test"},
             {"args", object{}},
             {"grant", token}};
    b.feed(message{"locker/v1/c1/command/keys", serialize(m), false, "", ""});
    CHECK(code_of(b.last_answer) == "");
}

TEST_CASE("time told by a grant that opened nothing outlives a power cut") {
    bench b;
    b.config.rules.pairs = two_persons::always;
    b.start();
    b.clock_trusted = false;
    b.feed(clock_report{false});
    const std::int64_t t = b.now.wall_ms / 1000;
    b.put_in("d1");
    const auto unused = b.grant({{"act", "collect"}, {"dep", "d1"}, {"iat", t}, {"exp", t + 3600}}, false);
    REQUIRE(
        ok(b.enter(b.grant({{"act", "open"}, {"cmp", 4}, {"sub", "x"}, {"iat", t + 7200}, {"exp", t + 7260}}, false))));
    b.reboot();
    CHECK(code_of(b.enter(unused)) == "expired");
}
