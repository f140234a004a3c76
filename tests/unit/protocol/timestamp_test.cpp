#include <doctest/doctest.h>

#include "protocol/timestamp.hpp"

using namespace locker;

TEST_CASE("RFC 3339 times, both ways") {
    CHECK(format_time(0) == "1970-01-01T00:00:00.000Z");
    CHECK(format_time(1'800'000'000'123) == "2027-01-15T08:00:00.123Z");
    CHECK(parse_time("2027-01-15T08:00:00.123Z") == 1'800'000'000'123);
    CHECK(parse_time("2027-01-15T16:00:00.123456+08:00") == 1'800'000'000'123);
    CHECK(parse_time("2027-01-15T08:00:00Z") == 1'800'000'000'000);
    CHECK(parse_time("2038-01-20T00:00:00Z") == 2'147'558'400'000);  // beyond 32-bit time_t
    for (const auto* text : {"", "2027-01-15", "2027-02-30T00:00:00Z", "2027-01-15T25:00:00Z", "2027-01-15T08:00:00",
                             "2027-01-15T08:00:00.Z", "2027-01-15T08:00:00Zx", "27-01-15T08:00:00Z"}) {
        CHECK_FALSE(parse_time(text));
    }
}
