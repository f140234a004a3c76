// The wire's own figures: Modbus over serial line V1.02 §2.5.1.1.
#include "hal/line/timing.hpp"

#include <doctest/doctest.h>

using namespace locker;

namespace {
line_settings at(int baud, char parity = 'N') {
    line_settings s;
    s.device = "/dev/x";
    s.baud = baud;
    s.parity = parity;
    return s;
}
}  // namespace

TEST_CASE("timing: 3.5 characters of silence, 1.75 ms above 19200 baud; a board's own when it is longer") {
    CHECK(standard_silence_us(at(9600)) / 10 == 364);  // 3.65 ms, rounded up by characters
    CHECK(standard_silence_us(at(19200)) / 10 == 182);
    CHECK(standard_silence_us(at(115200)) == 1750);
    CHECK(characters_us(at(9600), 1) == 1042);
    CHECK(characters_us(at(9600, 'E'), 1) == 1146);
    CHECK(silence_us(at(9600), 0) == standard_silence_us(at(9600)));
    CHECK(silence_us(at(9600), 5) == 5209);
    CHECK(silence_us(at(115200), 5) == 1750);
}

TEST_CASE("timing: one read of 16 inputs takes 22.9, 11.5 and 4.8 ms") {
    const auto ms10 = [](int baud) { return (read_us(at(baud), 16, 0, standard_silence_us(at(baud))) + 50) / 100; };
    CHECK(ms10(9600) == 229);
    CHECK(ms10(19200) == 115);
    CHECK(ms10(115200) == 48);
}
