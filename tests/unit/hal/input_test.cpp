// Keys and scans become lines, in virtual time.
#include <doctest/doctest.h>
#include <linux/input-event-codes.h>

#include "hal/input/keypad.hpp"
#include "hal/input/layout.hpp"
#include "hal/input/scanner.hpp"

using namespace locker;

namespace {

using outcome = keypad::outcome;

// What the last key gives.
keypad::typed type(keypad& k, std::string_view keys, std::int64_t now = 0) {
    keypad::typed last;
    for (const char c : keys) {
        last = k.press(c, now);
    }
    return last;
}

std::string line_of(std::string_view keys) {
    keypad k;
    const auto typed = type(k, keys);
    return typed.what == outcome::line ? typed.text : "";
}

std::string strokes(key_layout layout, std::initializer_list<unsigned> codes) {
    key_map map(layout);
    std::string out;
    for (const unsigned code : codes) {
        if (const auto c = map.key(code, 1)) {
            out += *c;
        }
        if (code != KEY_LEFTSHIFT) {
            (void)map.key(code, 0);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("keypad: lines as they stand on the sticker") {
    CHECK(line_of("123456789#") == "123456789");
    CHECK(line_of("12#123456789#") == "12#123456789");
    CHECK(line_of("4711#123456#") == "4711#123456");
    CHECK(line_of("12##") == "12");
    CHECK(line_of("12#2#") == "12#2");
    CHECK(line_of("0##") == "0");
    CHECK(line_of("12345678#") == "12345678");  // a digit too few: whoever reads it says so
    CHECK(line_of("123456789\n") == "123456789");
    CHECK(line_of("#").empty());
    CHECK(line_of("12#") == "");  // goes on
}

TEST_CASE("keypad: * clears, and what was cleared is not there") {
    keypad k;
    CHECK(type(k, "123*").what == outcome::cleared);
    CHECK(type(k, "*").what == outcome::goes_on);
    CHECK(type(k, "456789123#").text == "456789123");
    CHECK(type(k, "1\b987654321#").text == "987654321");
}

TEST_CASE("keypad: other keys than its own are ignored, a flood is swallowed whole") {
    keypad k;
    CHECK(type(k, "1a2b3 4-5.6789#").text == "123456789");
    CHECK(type(k, std::string(5000, '7')).what == outcome::goes_on);
    CHECK(type(k, "#").what == outcome::dropped);
    CHECK(type(k, "123456789#").text == "123456789");
    CHECK(type(k, std::string(5000, '7') + "*").what == outcome::cleared);
    CHECK(k.due() == INT64_MAX);
}

TEST_CASE("keypad: what nobody goes on with is forgotten") {
    keypad k;
    CHECK(type(k, "1234", 1000).what == outcome::goes_on);
    CHECK(k.due() == 1000 + keypad::between_keys_ms);
    CHECK_FALSE(k.expire(k.due() - 1));
    CHECK(k.expire(k.due()));
    CHECK(k.due() == INT64_MAX);
    (void)type(k, "1234", 0);
    // … also when the next key comes before anybody looked
    CHECK(type(k, "567891234#", keypad::between_keys_ms).text == "567891234");
}

TEST_CASE("scanner: payloads by their line's end, in whatever pieces they come") {
    scanner s;
    CHECK(s.take("eyJ.ab", 0).empty());
    const auto rest = s.take("c-_\r\n123456789\r", 10);
    REQUIRE(rest.size() == 2);
    CHECK((rest[0].whole && rest[0].text == "eyJ.abc-_"));
    CHECK((rest[1].whole && rest[1].text == "123456789"));
    CHECK(s.due() == INT64_MAX);
}

TEST_CASE("scanner: acknowledgements of the GM65 family are no payload, whole or in pieces") {
    const std::string ack("\x02\x00\x00\x01\x00\x33\x31", 7);
    scanner s(true);
    CHECK(s.take(ack.substr(0, 3), 0).empty());
    const auto got = s.take(ack.substr(3) + "12\r" + ack + ack, 1);
    REQUIRE(got.size() == 1);
    CHECK(got[0].text == "12");
    CHECK(s.take(ack.substr(0, 4), 2).empty());
    CHECK_FALSE(s.expire(2 + scanner::between_bytes_ms));  // nothing of anybody's was lost
    CHECK(s.take("34\r", 2 + scanner::between_bytes_ms).at(0).text == "34");
}

TEST_CASE("scanner: others acknowledge nothing: a control character spoils what it stands in") {
    scanner s;
    const auto got = s.take(
        "\x02"
        "123456789\r"
        "123456789\r",
        0);
    REQUIRE(got.size() == 2);
    CHECK_FALSE(got[0].whole);
    CHECK(got[1].text == "123456789");
}

TEST_CASE("scanner: too long, not text and broken off are no payload") {
    scanner s;
    CHECK(s.take(std::string(scanner::longest, 'x'), 0).empty());
    CHECK(s.take("\r", 1).at(0).text.size() == scanner::longest);
    CHECK(s.take(std::string(scanner::longest + 1, 'x') + "123", 2).empty());
    CHECK_FALSE(s.take("45\r", 3).at(0).whole);
    CHECK_FALSE(s.take("\xE5\xA5\xBD\r", 4).at(0).whole);
    CHECK(s.take("12345", 5).empty());
    CHECK(s.expire(5 + scanner::between_bytes_ms));
    CHECK(s.take("6789\r", 6 + scanner::between_bytes_ms).at(0).text == "6789");
    CHECK(s.take("\r\n\r", 2000).empty());
}

TEST_CASE("layouts: a scanner types what was printed") {
    constexpr unsigned shift = KEY_LEFTSHIFT;
    CHECK(strokes(key_layout::us, {shift, KEY_A, KEY_1, KEY_MINUS}) == "A!_");
    CHECK(strokes(key_layout::us, {KEY_A, KEY_Z, KEY_Q, KEY_P, KEY_L, KEY_M, KEY_MINUS, KEY_DOT, KEY_0}) ==
          "azqplm-.0");
    CHECK(strokes(key_layout::us, {KEY_KP7, KEY_KPASTERISK, KEY_NUMERIC_POUND, KEY_KPENTER, KEY_ENTER}) == "7*#\n\n");
    CHECK(strokes(key_layout::us, {shift, KEY_3, KEY_8}) == "#*");
    CHECK(strokes(key_layout::de, {KEY_Y, KEY_Z, KEY_SLASH, KEY_DOT, KEY_BACKSLASH}) == "zy-.#");
    CHECK(strokes(key_layout::de, {shift, KEY_SLASH}) == "_");
    CHECK(strokes(key_layout::fr, {KEY_Q, KEY_W, KEY_6, KEY_8}) == "az-_");
    CHECK(strokes(key_layout::fr, {shift, KEY_1, KEY_0, KEY_COMMA}) == "10.");
    CHECK(strokes(key_layout::us, {KEY_F1, KEY_LEFTCTRL}).empty());
}

TEST_CASE("layouts: a held key types once, a release nothing") {
    key_map map(key_layout::us);
    CHECK(map.key(KEY_5, 1) == '5');
    CHECK_FALSE(map.key(KEY_5, 2));
    CHECK_FALSE(map.key(KEY_5, 0));
    CHECK_FALSE(map.key(KEY_RIGHTSHIFT, 1));
    CHECK(map.key(KEY_A, 1) == 'A');
    CHECK_FALSE(map.key(KEY_RIGHTSHIFT, 0));
    CHECK(map.key(KEY_A, 1) == 'a');
}
