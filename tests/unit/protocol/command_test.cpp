#include <doctest/doctest.h>

#include "protocol/command.hpp"

using namespace locker;

namespace {

std::string message(std::string_view args) {
    return R"({"id":"a","expires_at":"2026-01-01T00:00:00.000Z","args":)" + std::string(args) + "}";
}

}  // namespace

TEST_CASE("each command's arguments, right and wrong") {
    const auto good = [](std::string_view name, std::string_view args) {
        return parse_command(name, message(args)).content.has_value();
    };
    CHECK(good("open", "{}"));
    CHECK(good("verify", R"({"code":"847 552 247","compartment":3})"));
    CHECK(good("confirm", R"({"deposit":"d-1"})"));
    CHECK(good("replay", R"({"from":1,"to":"00000000000000000005"})"));
    CHECK(good("ack", R"({"sequence":0})"));
    CHECK(good("snapshot", "null"));
    CHECK(good("snapshot", R"({"unknown":"members are ignored"})"));
    CHECK_FALSE(good("verify", "{}"));
    CHECK_FALSE(good("verify", R"({"code":847552247})"));
    CHECK_FALSE(good("verify", R"({"code":"847552247","compartment":"3"})"));
    CHECK_FALSE(good("confirm", R"({"deposit":"a b"})"));
    CHECK_FALSE(good("disable", R"({"compartment":1.5,"reason":"x"})"));
    CHECK_FALSE(good("replay", R"({"from":0,"to":5})"));
    CHECK_FALSE(good("replay", R"({"from":-1,"to":5})"));
    CHECK_FALSE(good("ack", R"({"sequence":"12x"})"));
    CHECK_FALSE(good("snapshot", "[]"));
    CHECK_FALSE(good("fly", "{}"));
}

TEST_CASE("the digest is of the content: order of members and blanks do not matter, values and command do") {
    const auto digest = [](std::string_view name, std::string_view args) {
        return parse_command(name, message(args)).content->digest;
    };
    CHECK(digest("disable", R"({"compartment":1,"reason":"x"})") ==
          digest("disable", R"({ "reason":"x", "compartment":1 })"));
    CHECK(digest("disable", R"({"compartment":1,"reason":"x"})") !=
          digest("disable", R"({"compartment":2,"reason":"x"})"));
    CHECK(digest("disable", R"({"compartment":1,"reason":"x"})") !=
          digest("enable", R"({"compartment":1,"reason":"x"})"));
}

TEST_CASE("an id is read even when the rest is wrong, so that the error can be told") {
    CHECK(parse_command("open", R"({"id":"a"})").id == "a");
    CHECK(parse_command("open", R"({"id":"a b"})").id.empty());
    CHECK(parse_command("open", R"({"id":7})").id.empty());
    CHECK(parse_command("open", "[]").id.empty());
    CHECK(parse_command("open", "\xff\xfe").id.empty());
}
