// RFC 4226 appendix D and E vectors.
#include <doctest/doctest.h>

#include "protocol/code.hpp"

using namespace locker;

TEST_CASE("RFC 4226 appendix D: the last digits of each truncated value") {
    // Appendix D table 2, "Decimal" column; eight digits are its remainder modulo 10^8.
    constexpr std::array<std::uint32_t, 10> decimal{1284755224, 1094287082, 137359152, 1726969429, 1640338314,
                                                    868254676,  1918287922, 82162583,  673399871,  645520489};
    const auto key = bytes_of("12345678901234567890");
    for (std::size_t i = 0; i < decimal.size(); ++i) {
        CHECK(hotp8(key, i) == decimal[i] % 100'000'000U);
    }
}

TEST_CASE("the check digit: RFC 4226 key, counter 0, is 84755224 and 7") {
    CHECK(luhn_digit(84755224) == 7);
    CHECK(luhn_digit(0) == 0);
    for (std::uint32_t wrong = 84755225; wrong < 84755234; ++wrong) {
        CHECK((wrong % 10 == 4 || luhn_digit(wrong) != 7));  // one digit changed is always seen
    }
}

TEST_CASE("a code is read as people write it, and nothing else is") {
    CHECK(*parse_code("847552247") == 84755224U);
    CHECK(*parse_code("847 552 247") == 84755224U);
    CHECK(*parse_code("8 4 7 5 5 2 2 4 7") == 84755224U);
    for (const auto* text :
         {"", " 847552247", "847552247 ", "847  552247", "84755224", "8475522471", "84755224x", "８４7552247"}) {
        CHECK(parse_code(text).error() == error_code::malformed);
    }
    CHECK(parse_code("847552248").error() == error_code::typo);
    CHECK(shown_code("847552247") == "847 552 247");
}

TEST_CASE("derivation: one cabinet's key opens nothing of another") {
    key256 one{};
    one.fill(1);
    key256 two{};
    two.fill(2);
    CHECK(deposit_key(one, "dep-1") != deposit_key(two, "dep-1"));
    CHECK(deposit_key(one, "dep-1") != deposit_key(one, "dep-2"));
    // protocol/CODES.md's vectors, recomputed with openssl and oathtool in tests/e2e.
    key256 documented{};
    for (std::size_t i = 0; i < documented.size(); ++i) {
        documented[i] = static_cast<unsigned char>(i);
    }
    const auto staff = staff_key(documented, "4711");
    CHECK(to_hex(staff) == "d4e50474b7356009cca79154611ca870a8a9e70d678a5f99336f2740e16ae92d");
    CHECK(totp6(staff, 59849280) == 401788);
    CHECK(key_id(documented).size() == 8);
    const auto key = deposit_key(documented, "return-1");
    CHECK(to_hex(key) == "687dee32f7e7e28f773140d13e2d828a142c01e2e4a4894720fa853616327eea");
    CHECK(pickup_code(key, 0) == "273064519");
    CHECK(pickup_code(key, 1) == "020549028");
    CHECK(pickup_code(key, 2) == "184945111");
}
