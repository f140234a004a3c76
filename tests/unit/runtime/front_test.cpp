// The cabinet's front in virtual time: one question at a time, and what buzzer and lamp say.
#include "daemon/runtime/front.hpp"

#include <doctest/doctest.h>
#include <linux/input-event-codes.h>

using namespace locker;

namespace {

constexpr std::size_t keys = 0;
constexpr std::size_t scans = 1;

struct bench {
    bench() : at(settings()) {}
    static front_settings settings() {
        front_settings s;
        s.inputs.push_back({"keypad", input_kind::keypad, "k", "", 9600, key_layout::us, false, 0});
        s.inputs.push_back({"scanner", input_kind::scanner, "", "s", 9600, key_layout::us, false, 0});
        s.outputs.push_back({"buzzer", 1, 7, {{{500}, {200, 150, 200}, {100}}}});
        s.outputs.push_back({"lamp", 0, 6, {{{1000}, {}, {}}}});
        return s;
    }
    front::line type(std::string_view text) {
        front::line last;
        for (const char c : text) {
            const unsigned code = c == '#' ? KEY_KPENTER : c == '0' ? KEY_0 : KEY_1 + static_cast<unsigned>(c - '1');
            last = at.key(keys, code, 1, now);
        }
        return last;
    }
    // What is switched on until nothing is left to do: when, channel, for how long.
    std::vector<std::array<std::int64_t, 3>> heard() {
        std::vector<std::array<std::int64_t, 3>> out;
        const std::int64_t begun = now;
        for (;;) {
            for (const auto& o : at.due(now)) {
                out.push_back({now - begun, o.channel, o.length_ms});
            }
            if (at.wake_at() == INT64_MAX) {
                return out;
            }
            now = std::max(now + 1, at.wake_at());
        }
    }
    std::int64_t now = 1000;
    front at;
};

constexpr const char* opened = R"({"ok":true,"result":{"opening":1,"compartment":2,"outcome":"opened"}})";
constexpr const char* refused = R"({"ok":false,"error":{"code":"wrong_code","message":""}})";

using tones = std::vector<std::array<std::int64_t, 3>>;

}  // namespace

TEST_CASE("front: keypad and scanner are one terminal; each line says where it came from") {
    bench b;
    const auto typed = b.type("123456789#");
    REQUIRE(typed);
    CHECK(typed->text == "123456789");
    CHECK(typed->via == core::entry_via::keypad);
    b.at.answered(opened, b.now);
    b.now += 1000;
    const auto scanned = b.at.bytes(scans, "eyJ.a.b\r", b.now);
    REQUIRE(scanned);
    CHECK(scanned->via == core::entry_via::scanner);
    CHECK(scanned->terminal == typed->terminal);
    CHECK(scanned->id != typed->id);
    CHECK(b.at.asked(scanned->id));
    CHECK_FALSE(b.at.asked(typed->id));
}

TEST_CASE("front: a second line waits for the first one's answer, but not for ever") {
    bench b;
    const auto first = b.type("123456789#");
    REQUIRE(first);
    b.now += 1000;
    CHECK_FALSE(b.type("987654321#"));
    CHECK(b.at.counters(keys).early == 1);
    CHECK(b.heard() == tones{{0, 7, 100}});
    b.at.answered(opened, b.now);
    b.now += 1000;
    CHECK(b.type("987654321#"));
    b.now += 15'000;
    CHECK(b.type("111111111#"));  // whoever should have answered never did
}

TEST_CASE("front: lines come no faster than people type") {
    bench b;
    int taken = 0;
    for (int i = 0; i < 1000; ++i) {  // ten seconds of a keyboard that is none
        if (b.type("123456789#")) {
            ++taken;
            b.at.answered(refused, b.now);
        }
        b.now += 10;
    }
    CHECK(taken <= 41);
}

TEST_CASE("front: yes, no and wait; a new signal takes the place of the old one") {
    bench b;
    REQUIRE(b.type("123456789#"));
    b.at.waits(b.now);
    CHECK(b.heard() == tones{{0, 7, 100}});
    b.now += 300;
    b.at.answered(opened, b.now);
    CHECK(b.heard() == tones{{0, 7, 500}, {0, 6, 1000}});
    b.now += 1000;
    REQUIRE(b.type("123456789#"));
    b.at.answered(refused, b.now);
    CHECK(b.heard() == tones{{0, 7, 200}, {350, 7, 200}});
    b.now += 1000;
    REQUIRE(b.type("123456789#"));
    b.at.answered(R"({"ok":true,"result":{"second_grant_within_s":120}})", b.now);
    CHECK(b.heard() == tones{{0, 7, 100}});
    b.now += 1000;
    REQUIRE(b.type("123456789#"));
    b.at.answered(R"({"ok":false,"error":{"code":"busy","message":""}})", b.now);
    CHECK(b.heard() == tones{{0, 7, 100}});
}

TEST_CASE("front: too much is told and counted, keys that are missing spoil the line") {
    bench b;
    CHECK_FALSE(b.type(std::string(100, '5') + "#"));
    CHECK(b.heard() == tones{{0, 7, 200}, {350, 7, 200}});
    CHECK_FALSE(b.at.bytes(scans, std::string(10'000, 'x') + "\r", b.now));
    CHECK(b.at.counters(scans).dropped == 1);
    CHECK_FALSE(b.type("1234"));
    b.at.missed(keys, b.now);
    b.now += 1000;
    const auto rest = b.type("567891234#");
    REQUIRE(rest);
    CHECK(rest->text == "567891234");
    b.at.answered(opened, b.now);
    CHECK_FALSE(b.type("12"));
    (void)b.heard();  // time passes until nothing is left to do
    CHECK(b.at.counters(keys).dropped == 3);
    b.now += 1000;
    int orders = 0;
    for (int i = 0; i < 2000; ++i, ++b.now) {  // rubbish and lines, in turns, two seconds long
        (void)b.at.bytes(scans, i % 2 == 0 ? "\x01\r" : "123456789\r", b.now);
        orders += static_cast<int>(b.at.due(b.now).size());
    }
    CHECK(orders <= 30);
    CHECK(b.at.wake_at() == INT64_MAX);
}

TEST_CASE("front: a device that was unplugged begins anew") {
    bench b;
    b.at.presence(keys, true);
    CHECK(b.at.counters(keys).present);
    CHECK_FALSE(b.type("1234"));
    CHECK_FALSE(b.at.key(keys, KEY_LEFTSHIFT, 1, b.now));
    b.at.presence(keys, false);
    b.at.presence(keys, true);
    const auto line = b.type("123456789#");
    REQUIRE(line);
    CHECK(line->text == "123456789");
}
