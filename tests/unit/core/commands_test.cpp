// The contract's checks, in their order.
#include <doctest/doctest.h>

#include "protocol/command.hpp"
#include "protocol/timestamp.hpp"
#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

void raw(test_bench::bench& b, std::string_view name, std::string payload, bool retained = false,
         std::string response = "") {
    b.last_answer = {};
    b.feed(message{"locker/v1/c1/command/" + std::string(name), std::move(payload), retained, std::move(response),
                   "corr"});
}

std::string envelope(const test_bench::bench& b, std::string_view id, std::string_view reply_to,
                     std::string_view extra = "") {
    return R"({"id":")" + std::string(id) + R"(","expires_at":")" + format_time(b.now.wall_ms + 10'000) +
           R"(","reply_to":")" + std::string(reply_to) + "\"" + std::string(extra) + "}";
}

}  // namespace

TEST_CASE("grants are refused for the right reason") {
    bench b;
    const auto now_s = b.now.wall_ms / 1000;
    const auto open1 = [&](boost::json::object extra) {
        boost::json::object claims{{"act", "open"}, {"cmp", 1}};
        for (const auto& e : extra) {
            claims[e.key()] = e.value();
        }
        return code_of(b.open(claims));
    };
    CHECK(code_of(b.command("open", {})) == "malformed");
    CHECK(code_of(b.command("open", {}, "a.b.c")) == "malformed");
    CHECK(open1({{"aud", "other"}}) == "wrong_audience");
    CHECK(open1({{"epoch", "epoch-0"}}) == "stale_epoch");
    CHECK(open1({{"epoch", nullptr}}) == "stale_epoch");
    CHECK(open1({{"iat", now_s + 31}, {"exp", now_s + 60}}) == "not_yet_valid");
    CHECK(open1({{"nbf", now_s + 31}}) == "not_yet_valid");
    CHECK(open1({{"iat", now_s - 60}, {"exp", now_s}}) == "expired");
    CHECK(open1({{"exp", now_s + 61}}) == "malformed");
    CHECK(open1({{"act", "roster"}}) == "malformed");
    CHECK(open1({{"act", "roster"}, {"version", 1}, {"staff", boost::json::array()}}) == "not_permitted");
    CHECK(open1({{"act", "keys"}, {"version", 1}, {"keys", boost::json::array()}}) == "not_permitted");
    CHECK(open1({{"act", "move"}, {"dep", "d"}}) == "unknown_deposit");
    CHECK(open1({{"cmp", 99}}) == "unknown_compartment");
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "nobody"}})) == "unknown_deposit");
    CHECK(code_of(b.open({{"act", "settle"}, {"cmp", 1}})) == "wrong_state");
    CHECK(b.pulses.empty());
    CHECK(open1({{"iat", now_s + 29}, {"exp", now_s + 60}}) == "");
    CHECK(b.pulses.size() == 1);

    auto token = b.grant({{"act", "open"}, {"cmp", 2}});
    token[token.size() - 5] = token[token.size() - 5] == 'A' ? 'B' : 'A';
    CHECK(code_of(b.command("open", {}, token)) == "bad_signature");
    const auto other =
        mint_grant({{"aud", "c1"}, {"jti", "j"}, {"iat", now_s}, {"exp", now_s + 9}, {"act", "open"}, {"cmp", 1}},
                   {"stranger", {}});
    CHECK(code_of(b.command("open", {}, other)) == "unknown_key");
    CHECK(b.pulses.size() == 1);
}

TEST_CASE("a grant is used once") {
    bench b;
    const auto token = b.grant({{"act", "open"}, {"cmp", 1}});
    CHECK(ok(b.command("open", {}, token)));
    CHECK(code_of(b.command("open", {}, token)) == "replayed");
    CHECK(b.pulses.size() == 1);
}

TEST_CASE("grants are bound to their channel") {
    bench b;
    CHECK(code_of(b.enter(b.grant({{"act", "open"}, {"cmp", 1}}, true), entry_via::scanner)) == "stale_epoch");
    CHECK(code_of(b.command("open", {}, b.grant({{"act", "open"}, {"cmp", 1}}, false))) == "stale_epoch");
    const auto now_s = b.now.wall_ms / 1000;
    CHECK(ok(b.enter(b.grant({{"act", "open"}, {"cmp", 1}, {"exp", now_s + 24 * 3600}}, false))));
    CHECK(code_of(b.enter(b.grant({{"act", "open"}, {"cmp", 2}, {"exp", now_s + 24 * 3600 + 1}}, false))) ==
          "malformed");
}

TEST_CASE("an untrusted clock: judged by the floor, raised by iat; nbf is ignored") {
    bench b({.clock_trusted = false});
    const auto s = b.now.wall_ms / 1000;
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 1}, {"nbf", s + 3600}})));
    CHECK(b.count("clock.untrusted") == 1);
    CHECK(b.retained.at("locker/v1/c1/alarm/clock_untrusted") != "");
    CHECK(code_of(b.enter(b.grant({{"act", "open"}, {"cmp", 2}, {"iat", s - 500}, {"exp", s - 440}}, false))) ==
          "expired");
}

TEST_CASE("the same id with the same content is one deed; other content is malformed") {
    bench b;
    const auto token = b.grant({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    const auto first = b.command("open", {}, token, "x");
    CHECK(ok(first));
    CHECK(b.command("open", {}, token, "x") == first);
    CHECK(b.pulses.size() == 1);
    CHECK(code_of(b.command("open", {}, b.grant({{"act", "open"}, {"cmp", 2}}), "x")) == "malformed");
    // … also while the opening runs
    b.reacts = [](int) {};
    const auto slow = b.grant({{"act", "open"}, {"cmp", 3}});
    CHECK(b.command("open", {}, slow, "y").empty());
    CHECK(b.command("open", {}, slow, "y").empty());
    const auto before = b.published.size();
    b.pass(9000);
    int replies = 0;
    for (std::size_t i = before; i < b.published.size(); ++i) {
        replies += b.published[i].topic == "locker/v1/c1/reply/test" ? 1 : 0;
    }
    CHECK(replies == 2);
    // a refusal after the grant was verified is remembered, one before is not
    const auto refused = b.command("open", {}, b.grant({{"act", "collect"}, {"dep", "none"}}), "z");
    CHECK(code_of(refused) == "unknown_deposit");
    CHECK(code_of(b.command("open", {}, b.grant({{"act", "open"}, {"cmp", 2}}), "z")) == "malformed");
    CHECK(code_of(b.command("open", {}, "a.b.c", "w")) == "malformed");
    b.reacts = [&](int n) { b.door(n, true); };
    CHECK(ok(b.command("open", {}, b.grant({{"act", "open"}, {"cmp", 2}}), "w")));
}

TEST_CASE("the envelope: retained, malformed, expired, and where replies go") {
    bench b;
    raw(b, "snapshot", envelope(b, "a", "locker/v1/c1/reply/me"), true);
    CHECK(code_of(b.last_answer) == "retained");
    raw(b, "snapshot", "{not json");
    CHECK(b.last_answer.empty());
    raw(b, "nonsense", envelope(b, "a", "locker/v1/c1/reply/me"));
    CHECK(code_of(b.last_answer) == "malformed");
    raw(b, "snapshot", R"({"id":"a","reply_to":"locker/v1/c1/reply/me"})");
    CHECK(code_of(b.last_answer) == "malformed");
    raw(b, "snapshot", R"({"id":"a","reply_to":"locker/v1/c1/reply/me","expires_at":"2020-01-01T00:00:00Z"})");
    CHECK(code_of(b.last_answer) == "expired");
    raw(b, "snapshot", envelope(b, "a", "locker/v1/c1/reply/me", R"(,"args":{"x":[[[[[[[[1]]]]]]]]})"));
    CHECK(b.last_answer.empty());  // too deep: not even the id is read
    raw(b, "snapshot", envelope(b, "a", "locker/v1/c1/reply/me") + std::string(1 << 20, ' '));
    CHECK(b.last_answer.empty());
    for (const auto* elsewhere :
         {"locker/v1/c2/reply/me", "locker/v1/c1/reply/", "locker/v1/c1/reply/a/b", "homeassistant/x"}) {
        const auto before = b.published.size();
        raw(b, "disable", envelope(b, "a", elsewhere, R"(,"args":{"compartment":1,"reason":"x"})"));
        CHECK(b.published.size() == before);
        CHECK(b.compartment(1).at("use").as_string() == "vacant");
    }
    // form is judged before time, of what the message carries too
    for (const auto* carried : {R"({"grant":"a.b.c")", R"({"grant":null)"}) {
        raw(b, "open",
            carried +
                std::string(R"(,"id":"a","reply_to":"locker/v1/c1/reply/me","expires_at":"2020-01-01T00:00:00Z"})"));
        CHECK(code_of(b.last_answer) == "malformed");
    }
    raw(b, "verify",
        R"({"id":"a","reply_to":"locker/v1/c1/reply/me","expires_at":"2020-01-01T00:00:00Z","args":{"code":"12"}})");
    CHECK(code_of(b.last_answer) == "malformed");
    raw(b, "snapshot", envelope(b, "a", "elsewhere"), false, "locker/v1/c1/reply/v5");
    CHECK(b.published.back().topic == "locker/v1/c1/reply/v5");  // the response topic wins
    CHECK(b.published.back().correlation == "corr");
}

TEST_CASE("confirm, cancel, disable, enable, ack") {
    bench b;
    b.put_in("d1");
    CHECK(code_of(b.command("confirm", {{"deposit", "none"}})) == "unknown_deposit");
    CHECK(ok(b.command("confirm", {{"deposit", "d1"}})));
    CHECK(ok(b.command("confirm", {{"deposit", "d1"}})));  // tapped twice
    CHECK(b.count("deposit.confirmed") == 1);
    CHECK(code_of(b.command("cancel", {{"deposit", "d1"}})) == "wrong_state");
    CHECK(ok(b.command("disable", {{"compartment", 2}, {"reason", "wet"}})));
    CHECK(b.compartment(2).at("use").as_string() == "disabled");
    CHECK(b.put_in("d2") == 3);
    CHECK(ok(b.command("enable", {{"compartment", 2}, {"reason", "dry"}})));
    CHECK(code_of(b.command("disable", {{"compartment", 77}, {"reason", "x"}})) == "unknown_compartment");
    CHECK(code_of(b.command("disable", {{"compartment", 2}})) == "malformed");
    CHECK(ok(b.command("ack", {{"sequence", 1}})));
    CHECK(code_of(b.command("ack", {{"sequence", "99999"}})) == "wrong_state");
    // a disabled compartment still gives back what lies in it
    CHECK(ok(b.command("disable", {{"compartment", 3}, {"reason", "x"}})));
    CHECK(ok(b.enter(b.code("d2", 0))));
}

TEST_CASE("snapshot and replay") {
    bench b;
    b.put_in("d1", "return");
    const auto snapshot = b.command("snapshot", {}).at("result").as_object();
    CHECK(snapshot.at("deposits").as_array().size() == 1);
    CHECK(snapshot.at("sequence").as_string() == "00000000000000000006");
    const auto replay = b.command("replay", {{"from", 2}, {"to", "4"}}).at("result").as_object();
    CHECK(replay.at("events").as_array().size() == 3);
    CHECK(replay.at("events").as_array().front().at("type").as_string() == "locker.deposit.reserved");
    CHECK(replay.at("next").is_null());
    CHECK(code_of(b.command("replay", {{"from", 4}, {"to", 2}})) == "malformed");
    for (int i = 0; i < 150; ++i) {
        (void)b.command("disable", {{"compartment", 5}, {"reason", "x"}});
        (void)b.command("enable", {{"compartment", 5}, {"reason", "x"}});
    }
    const auto page = b.command("replay", {{"from", 1}, {"to", 1000}}).at("result").as_object();
    CHECK(page.at("events").as_array().size() == 200);
    CHECK(page.at("next").as_string() == "00000000000000000201");
}

TEST_CASE("verify is off unless switched on") {
    bench b({.verify = false});
    b.put_in("d1");
    CHECK(code_of(b.command("verify", {{"code", b.code("d1", 0)}})) == "not_permitted");
    test_bench::bench on;
    on.put_in("d1");
    CHECK(code_of(on.command("verify", {{"code", "12"}})) == "malformed");
    CHECK(ok(on.command("verify", {{"code", on.code("d1", 0)}})));
}

TEST_CASE("beyond what may wait a command is busy, and nothing is done") {
    bench b;
    message m;
    m.topic = "locker/v1/c1/command/disable";
    m.payload = envelope(b, "a", "locker/v1/c1/reply/me", R"(,"args":{"compartment":1,"reason":"x"})");
    m.overload = true;
    b.feed(m);
    CHECK(code_of(b.last_answer) == "busy");
    CHECK(b.compartment(1).at("use").as_string() == "vacant");
}

TEST_CASE("the same id is one charge, and one verdict") {
    bench b;
    b.put_in("d1");
    for (int i = 0; i < 20; ++i) {
        CHECK(code_of(b.command("verify", {{"code", b.code("d1", 20)}}, "", "same")) == "wrong_code");
    }
    CHECK(ok(b.command("verify", {{"code", b.code("d1", 0)}})));
    const auto early = b.command("confirm", {{"deposit", "none"}}, "", "c");
    CHECK(code_of(early) == "unknown_deposit");
    (void)b.open({{"act", "deposit"}, {"dep", "none"}, {"kind", "return"}});
    b.pass(3000);
    b.door(2, false);
    b.pass(1000);
    CHECK(b.command("confirm", {{"deposit", "none"}}, "", "c") == early);
    CHECK(ok(b.command("confirm", {{"deposit", "none"}})));
}

TEST_CASE("a command whose outcome comes after a restart is answered where it asked") {
    bench b;
    b.line_answers = false;
    (void)b.command("open", {}, b.grant({{"act", "open"}, {"cmp", 1}}), "mine");
    b.published.clear();
    b.start();
    CHECK(code_of(b.last_answer) == "board_lost");
    CHECK(std::string(b.last_answer.at("id").as_string()) == "mine");
}

TEST_CASE("a trusted clock that runs away does not take the floor with it, unless a signed iat agrees") {
    bench b;
    (void)b.command("disable", {{"compartment", 1}, {"reason", "x"}});
    const auto right = b.now.wall_ms;
    b.now.wall_ms += 3650 * day;
    (void)b.command("enable", {{"compartment", 1}, {"reason", "x"}});
    CHECK(b.count("clock.stepped") == 1);
    b.now.wall_ms = right;
    CHECK(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    // the cabinet was off for long without a clock, and time goes on
    bench c;
    c.now.wall_ms += 30 * day;
    (void)c.command("enable", {{"compartment", 1}, {"reason", "x"}});
    CHECK(c.count("clock.stepped") == 1);
    CHECK(ok(c.open({{"act", "open"}, {"cmp", 1}})));  // its iat agrees
    c.clock_trusted = false;
    c.feed(clock_report{false});
    const std::int64_t s = c.now.wall_ms / 1000;
    CHECK(code_of(c.open({{"act", "open"}, {"cmp", 2}, {"iat", s - day / 1000}, {"exp", s - day / 1000 + 60}})) ==
          "expired");
}

TEST_CASE("only a reservation whose door was never pulsed can be cancelled") {
    bench b;
    CHECK(code_of(b.command("cancel", {{"deposit", "none"}})) == "unknown_deposit");
    b.line_answers = false;
    (void)b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}});
    CHECK(code_of(b.command("cancel", {{"deposit", "d1"}})) == "busy");
    b.feed(pulse_report{b.pulses.back().opening, 1, pulse_result::not_sent});
    b.line_answers = true;
    b.line_says = pulse_result::not_sent;
    b.pass(10 * second);
    CHECK(code_of(b.last_answer) == "board_lost");
    CHECK(ok(b.command("cancel", {{"deposit", "d1"}})));
    CHECK(b.count("deposit.cancelled") == 1);
    CHECK(b.compartment(1).at("use").as_string() == "vacant");
    CHECK(code_of(b.command("cancel", {{"deposit", "d1"}})) == "wrong_state");
    CHECK(code_of(b.command("confirm", {{"deposit", "d1"}})) == "wrong_state");
    CHECK(code_of(b.open({{"act", "deposit"}, {"dep", "d1"}, {"kind", "return"}})) == "wrong_state");
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "d1"}})) == "wrong_state");
}

TEST_CASE("a collect grant names its deposit, may name its door, and works within the grace") {
    bench b;
    const int n = b.put_in("d1");
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "none"}})) == "unknown_deposit");
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "d1"}, {"cmp", n + 1}})) == "wrong_state");
    b.line_says = pulse_result::not_sent;
    (void)b.open({{"act", "deposit"}, {"dep", "d2"}, {"kind", "return"}});
    b.pass(10 * second);
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "d2"}})) == "wrong_state");  // nothing was put in
    b.line_says = pulse_result::done;
    CHECK(ok(b.open({{"act", "collect"}, {"dep", "d1"}, {"cmp", n}})));
    b.pass(2000);
    b.door(n, false);
    b.pass(2000);
    REQUIRE(b.count("deposit.retrieved") == 1);
    CHECK(ok(b.open({{"act", "collect"}, {"dep", "d1"}})));  // forgot something
    b.pass(2000);
    b.door(n, false);
    b.pass(2 * minute);
    CHECK(code_of(b.open({{"act", "collect"}, {"dep", "d1"}})) == "wrong_state");
}

TEST_CASE("settle looks into what is suspected, or takes the deposit that it names into custody") {
    bench b;
    const int n = b.put_in("d1");
    CHECK(code_of(b.open({{"act", "settle"}, {"cmp", 77}})) == "unknown_compartment");
    CHECK(code_of(b.open({{"act", "settle"}, {"cmp", n}})) == "wrong_state");
    CHECK(code_of(b.open({{"act", "open"}, {"cmp", 77}})) == "unknown_compartment");
    CHECK(ok(b.open({{"act", "settle"}, {"cmp", n}, {"dep", "d1"}})));
    b.pass(2000);
    b.door(n, false);
    b.pass(2000);
    CHECK(b.count("deposit.reclaimed") == 1);
    CHECK(b.count("compartment.settled") == 1);
    CHECK(b.compartment(n).at("use").as_string() == "vacant");
}

TEST_CASE("documents are verified, and refused by a release that carries none out") {
    bench b;
    CHECK(code_of(b.command("roster", {}, b.grant({{"act", "open"}, {"cmp", 1}}))) == "not_permitted");
    CHECK(code_of(b.command("keys", {}, b.grant({{"act", "open"}, {"cmp", 1}, {"aud", "c2"}}))) == "wrong_audience");
}

TEST_CASE("the snapshot tells deposits, what was not confirmed in time, and alarms") {
    bench b;
    const int n = b.put_in("d1");
    b.pass(hour);
    b.door(n, true);  // torn open
    b.pass(second);
    const auto s = b.command("snapshot", {}).at("result").as_object();
    CHECK(s.at("deposits").as_array().at(0).as_object().at("unconfirmed").as_bool());
    bool forced = false;
    for (const auto& alarm : s.at("alarms").as_array()) {
        forced = forced || alarm.as_string() == "forced/" + std::to_string(n);
    }
    CHECK(forced);
    CHECK(boost::json::parse(b.core->snapshot(b.now)).at("deposits").as_array().size() == 1);
    CHECK(b.command("replay", {{"from", 5000}, {"to", 6000}}).at("result").at("events").as_array().empty());
}

TEST_CASE("a core that is driven wrongly stops at once") {
    bench b;
    CHECK_THROWS_AS((void)b.core->step(b.now, commit_done{}), std::logic_error);
    const auto out = b.core->step(
        b.now,
        message{"locker/v1/c1/command/disable",
                envelope(b, "a", "locker/v1/c1/reply/me", R"(,"args":{"compartment":1,"reason":"x"})"), false, "", ""});
    REQUIRE(std::holds_alternative<commit>(out.at(0)));
    CHECK_THROWS_AS((void)b.core->step(b.now, tick{}), std::logic_error);
}

TEST_CASE("a damaged remembered command is nobody's reply") {
    bench b;
    (void)b.command("confirm", {{"deposit", "x"}}, "", "k9");
    b.disk.kinds["command"]["k9"] = "{}";
    CHECK(code_of(b.command("confirm", {{"deposit", "x"}}, "", "k9")) == "malformed");
}

TEST_CASE("what is remembered of a verify is no hash of its code") {
    bench b;
    b.config.rules.verify = true;
    b.start();
    b.put_in("d1");
    b.reacts = [](int) {};
    const auto code = b.code("d1", 0);
    (void)b.command("verify", {{"code", code}}, "", "v1");
    const auto command = parse_command(
        "verify", R"({"id":"v1","expires_at":"2030-01-01T00:00:00.000Z","args":{"code":")" + code + R"("}})");
    REQUIRE(command.content.has_value());
    const auto row = b.disk.kinds["command"]["v1"];
    CHECK(!row.empty());
    CHECK(row.find(to_hex(command.content->digest)) == std::string::npos);
}
