#include "protocol/staff.hpp"

#include <doctest/doctest.h>

using namespace locker;

namespace {

std::string wrong(std::string_view list) {
    const auto read = parse_members(boost::json::parse(list));
    return read ? "" : read.error().detail;
}

std::string form_error(std::string_view line) {
    const auto deed = parse_deed(line);
    return deed && !*deed ? deed->error().detail : "";
}

}  // namespace

TEST_CASE("a staff code is 4 to 6 digits, # and six digits; all else is something else") {
    const auto code = parse_staff_code("04711 # 012 345");
    REQUIRE(code);
    CHECK(code->number == "04711");
    CHECK(code->totp == 12345);
    for (const auto* other : {"123#123456", "1234567#123456", "1234#12345", "1234#1234567", "1234#12345a", "1234123456",
                              "12a4#123456", "#123456", "1234#", "7#123456789"}) {
        CHECK_FALSE(parse_staff_code(other));
    }
}

TEST_CASE("what staff type once they have signed in") {
    const auto one = parse_deed("12");
    REQUIRE((one && *one));
    CHECK((*one)->verb == deed_verb::open);
    CHECK((*one)->compartment == 12);
    const auto back = parse_deed("return d-9 case=c-1  size=M");
    REQUIRE((back && *back));
    CHECK((*back)->deposit == "d-9");
    CHECK((*back)->case_id == "c-1");
    CHECK((*back)->size == "M");
    const auto move = parse_deed("move d-9 14");
    REQUIRE((move && *move));
    CHECK((*move)->compartment == 14);
    CHECK_FALSE(parse_deed("123 456 789"));
    CHECK_FALSE(parse_deed("1234"));
    CHECK_FALSE(parse_deed("dance"));
    CHECK_FALSE(parse_deed(""));
    CHECK(deed_forms().starts_with("DOOR, list, open DOOR [REASON …], next"));
    CHECK(form_error("open") == "a door number is wanted; the form is: open DOOR [REASON …]");
    const auto why = parse_deed("open 3  the hinge is   loose");
    REQUIRE((why && *why));
    CHECK((*why)->reason == "the hinge is loose");
    CHECK(form_error("settle 3 4") == "there are words too many; the form is: settle DOOR");
    CHECK(form_error("open 3 " + std::string(300, 'x')) != "");
    CHECK(form_error("open 1000") != "");
    CHECK(form_error("move d") != "");
    CHECK(form_error("return d size=XL") != "");
    CHECK(form_error("confirm d$") == "a deposit's id is wanted; the form is: confirm DEPOSIT");
}

TEST_CASE("what staff type at a keypad, which has digits only") {
    const auto verb_of = [](std::string_view line) {
        const auto deed = parse_deed(line);
        return deed && *deed ? std::optional((*deed)->verb) : std::nullopt;
    };
    CHECK(verb_of("0") == deed_verb::next);
    CHECK(verb_of("0#0") == deed_verb::out);
    CHECK(verb_of("12#1") == deed_verb::open);
    CHECK(verb_of("12#2") == deed_verb::settle);
    CHECK(verb_of("999#3") == deed_verb::reclaim);
    CHECK((*parse_deed("999#3"))->compartment == 999);
    // a door and a code is a resident's, also where staff have signed in
    for (const auto* other : {"12#4", "12#0", "0#1", "1000#1", "12#", "#1", "12#12", "12#123456789", "12#x"}) {
        CHECK_FALSE(parse_deed(other));
    }
}

TEST_CASE("a roster names each number once, and what it may do") {
    const std::string good = R"([{"number":"4711","sub":"g-1","permits":["collect_intake","settle","settle"]},)"
                             R"({"number":"4712","permits":["open_any"],"suspended":true}])";
    const auto read = parse_members(boost::json::parse(good));
    REQUIRE(read.has_value());
    const roster r{3, *read};
    CHECK(r.find("4711")->permits.size() == 2);
    CHECK(r.find("4711")->may(permit::settle));
    CHECK_FALSE(r.find("4711")->may(permit::open_any));
    CHECK(r.find("4712")->suspended);
    CHECK(r.find("4713") == nullptr);
    CHECK(r.find_sub("g-1")->number == "4711");
    CHECK(r.find_sub("staff:4712")->number == "4712");
    CHECK(r.find_sub("4712")->number == "4712");
    CHECK(r.find_sub("") == nullptr);
    CHECK((*parse_members(members_json(*read)) == *read));
    CHECK(wrong("{}") != "");
    CHECK(wrong("[1]") != "");
    CHECK(wrong(R"([{"number":"471","permits":["settle"]}])") ==
          "staff[0]: number: 4 to 6 digits in quotes are wanted");
    CHECK(wrong(R"([{"number":4711,"permits":["settle"]}])") != "");
    CHECK(wrong(R"([{"number":"4711","permits":[]}])") == "staff[0]: permits: a list is wanted");
    CHECK(wrong(R"([{"number":"4711","permits":["rule"]}])") != "");
    CHECK(wrong(R"([{"number":"4711","permits":["move"],"suspended":1}])") != "");
    CHECK(wrong(R"([{"number":"4711","permits":["move"]},{"number":"4711","permits":["move"]}])") ==
          "staff[1]: its number or sub stands twice");
    CHECK(wrong(R"([{"number":"4711","sub":"4712","permits":["move"]},{"number":"4712","permits":["move"]}])") ==
          "staff[0]: its sub reads as another staff number");
}
