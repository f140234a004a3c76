// What pulses and contacts tell of a cabinet's wiring, without a line.
#include "daemon/ctl/commission/wiring.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace locker;

namespace {

std::vector<found_board> boards(int count, int relays = 4, int inputs = 4) {
    std::vector<found_board> out;
    for (int b = 0; b < count; ++b) {
        board_profile p;
        p.name = "p";
        p.relays = relays;
        p.inputs = inputs;
        p.pulse_max_units = 30;
        out.push_back({std::string(1, static_cast<char>('A' + b)), "line1", b + 1, p, ""});
    }
    return out;
}

moved_input moved(std::size_t board, int channel, bool rest = true, std::int64_t first = 120) {
    return {{board, channel}, rest, first, 15};
}

std::vector<std::string> kinds(const survey& s) {
    std::vector<std::string> out;
    for (const auto& f : s.findings()) {
        out.push_back(f.kind);
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

TEST_CASE("wiring: the input that moved, when, how long it chattered, and what it reads at rest") {
    const std::vector<std::uint32_t> rest{0b1111, 0b0001};
    const auto one = what_moved(rest, {{90, 0, 0b1011}, {95, 0, 0b1111}, {110, 0, 0b1011}});
    REQUIRE(one.size() == 1);
    CHECK(one[0] == moved_input{{0, 2}, true, 90, 20});
    const auto inverted = what_moved(rest, {{100, 1, 0b0101}});
    REQUIRE(inverted.size() == 1);
    CHECK(inverted[0] == moved_input{{1, 2}, false, 100, 0});
    const auto two = what_moved(rest, {{150, 0, 0b0111}, {80, 1, 0b0000}});
    REQUIRE(two.size() == 2);
    CHECK((two[0].where == board_channel{1, 0}));  // the earlier one is taken
    CHECK(what_moved(rest, {}).empty());
    CHECK(what_moved(rest, {{50, 0, 0b1111}}).empty());
}

TEST_CASE("wiring: pulses grow longer only for locks that moved nothing") {
    survey s(boards(1, 2), {100, 300}, 700, false);
    auto step = s.next();
    REQUIRE(step);
    CHECK((step->lock == 0 && step->length_ms == 100 && !step->last));
    s.saw(*step, {moved(0, 0)});
    step = s.next();
    REQUIRE(step);
    CHECK(step->lock == 1);
    s.saw(*step, {});
    step = s.next();
    REQUIRE(step);
    CHECK((step->lock == 1 && step->length_ms == 300 && step->last));
    s.saw(*step, {moved(0, 1)});
    CHECK_FALSE(s.next());
    CHECK(s.locks()[1].needed_ms == 300);
    CHECK(s.pulse_ms() == 500);  // half as long again, in steps of 100 ms
}

TEST_CASE("wiring: a board that counts in seconds is pulsed for seconds, or not at all") {
    auto list = boards(1, 1, 0);
    list[0].profile.pulse_unit_ms = 1000;
    list[0].profile.pulse_max_units = 1;
    survey s(list, {100, 300, 1000}, 1000, false);
    const auto step = s.next();
    REQUIRE(step);
    CHECK((step->length_ms == 1000 && step->last));
    s.saw(*step, {});
    CHECK_FALSE(s.next());
}

TEST_CASE("wiring: no pulse is longer than the longest that is allowed, whatever a board counts in") {
    auto list = boards(1, 1, 0);
    list[0].profile.pulse_unit_ms = 1000;
    survey s(list, {100, 300, 700}, 700, false);
    CHECK_FALSE(s.next());
}

TEST_CASE("wiring: a number that was mistyped is mended, and two change places") {
    survey s(boards(1), {100}, 1000, false);
    s.name_door(0, 12, false);
    s.name_door(1, 13, false);
    CHECK_FALSE(s.renumber("14"));
    CHECK(s.renumber("12=13") == "");
    CHECK(s.locks()[0].number == 13);
    CHECK(s.locks()[1].number == 12);
    CHECK(s.renumber("12=7") == "");
    CHECK(s.locks()[1].number == 7);
    for (const char* wrong : {"12=1", "=", "x=3", "13=", "13=1000", "13=0", "0=5", "13=1x"}) {
        CAPTURE(wrong);
        CHECK_FALSE(s.renumber(wrong).value_or("").empty());
    }
    CHECK(s.locks()[0].number == 13);
}

TEST_CASE("wiring: what moves something else the second time is not believed") {
    survey s(boards(1, 2), {100}, 700, true);
    s.saw(*s.next(), {moved(0, 0)});
    s.saw(*s.next(), {moved(0, 1)});
    auto step = s.next();
    REQUIRE((step && step->confirm && step->lock == 0));
    s.saw(*step, {moved(0, 0)});
    step = s.next();
    REQUIRE((step && step->confirm && step->lock == 1));
    SUBCASE("not the third time either") {
        s.saw(*step, {moved(0, 2)});
        step = s.next();  // anew
        REQUIRE((step && !step->confirm && step->lock == 1));
        s.saw(*step, {moved(0, 1)});
        step = s.next();
        REQUIRE((step && step->confirm));
        s.saw(*step, {moved(0, 3)});
    }
    SUBCASE("when it was another door that was late, it is") {
        s.saw(*step, {moved(0, 2)});
        s.saw(*s.next(), {moved(0, 1)});
        s.saw(*s.next(), {moved(0, 1)});
        CHECK_FALSE(s.next());
        s.settle(0);
        CHECK(s.locks()[1].number == 2);
        return;
    }
    CHECK_FALSE(s.next());
    s.settle(0);
    CHECK(s.locks()[0].number == 1);
    CHECK(s.locks()[1].number == 0);
    const auto found = kinds(s);
    CHECK(std::count(found.begin(), found.end(), "contested") == 1);
}

TEST_CASE("wiring: doors keep the numbers that the configuration has at their relays, lamps are no doors") {
    survey s(boards(1, 3), {100}, 700, false);
    s.leave_out({0, 2});
    s.known_before({0, 0}, 12);
    s.saw(*s.next(), {moved(0, 0)});
    s.saw(*s.next(), {moved(0, 1)});
    s.settle(2);
    REQUIRE(s.locks().size() == 2);
    CHECK(s.locks()[0].number == 12);
    CHECK(s.locks()[1].number == 1);
}

TEST_CASE("wiring: shared, inverted, crossed, loose, missing") {
    survey s(boards(2), {100}, 700, false);
    s.unstable({1, 3});
    const std::vector<std::vector<moved_input>> seen{{moved(0, 0)},
                                                     {moved(0, 2)},
                                                     {moved(0, 1, false)},
                                                     {moved(1, 0)},
                                                     {moved(1, 0)},
                                                     {},
                                                     {moved(1, 3)},  // the loose one alone: nothing
                                                     {moved(1, 1), moved(1, 2)}};
    for (const auto& m : seen) {
        s.saw(*s.next(), m);
    }
    s.settle(0);
    CHECK(s.locks()[0].number == 1);
    CHECK(s.locks()[5].number == 0);
    CHECK(s.locks()[7].number == 0);  // two inputs: perhaps two doors
    CHECK(kinds(s) == std::vector<std::string>{"crossed", "crossed", "crossed", "inverted", "nothing_moved",
                                               "nothing_moved", "several_inputs", "shared_input", "unstable_input",
                                               "unused_input"});
    CHECK(s.users({1, 0}) == 2);
    s.settle(7);  // just so many doors are missing
    CHECK(s.locks()[5].told_open);
    CHECK(s.locks()[5].number == 6);
    const auto now = kinds(s);
    CHECK(std::count(now.begin(), now.end(), "no_contact") == 2);
}

TEST_CASE("wiring: a stopped run goes on, and only with the same boards") {
    survey s(boards(1, 3), {100, 200}, 700, false);
    s.saw(*s.next(), {moved(0, 1, false)});
    s.name_door(0, 17, false);
    s.saw(*s.next(), {});
    survey again(boards(1, 3), {100, 200}, 700, false);
    REQUIRE(again.resume(s.journal("c1"), "c1"));
    CHECK(again.locks()[0].number == 17);
    CHECK(again.locks()[0].moved == s.locks()[0].moved);
    CHECK(again.next()->lock == 1);  // what moved nothing is tried once more
    const auto learnt = again.locks();
    CHECK_FALSE(again.resume(s.journal("c1"), "c2"));
    survey other(boards(2, 3), {100, 200}, 700, false);
    CHECK_FALSE(other.resume(s.journal("c1"), "c1"));
    for (const auto* broken : {"", "{}", "[1]", R"({"boards":[],"locks":[]})", "not JSON"}) {
        CHECK_FALSE(again.resume(broken, "c1"));
    }
    CHECK(again.locks() == learnt);
    again.saw({1, 200, true, false}, {});
    again.saw({2, 100, false, false}, {});
    again.saw({2, 200, true, false}, {});
    const auto step = again.next();  // a wire may have been changed since
    REQUIRE((step && step->lock == 0 && step->confirm));
    again.saw(*step, {moved(0, 2)});
    CHECK_FALSE(again.next()->confirm);
    CHECK(again.next()->lock == 0);
}

TEST_CASE("wiring: the configuration keeps all but boards, compartments and the pulse") {
    const std::string before =
        "# ours\n[cabinet]\nid = \"c1\"  # the id\n\n[lock]\npulse_ms = 500\ncool_down_ms = 3000\n\n[[bus]]\nname = "
        "\"line1\"\n"
        "device = \"/dev/ttyS1\"\n\n[[board]]\nname = \"old\"\naddress = 9\n\n[[compartment]]\nnumber = 1\n"
        "relay = { board = \"old\", channel = 1 }\n\n[mqtt]\nuri = \"mqtt://b\"\n";
    survey s(boards(1, 3), {100}, 700, false);
    s.saw(*s.next(), {moved(0, 2, false)});
    s.saw(*s.next(), {moved(0, 1)});
    s.saw(*s.next(), {moved(0, 1)});
    s.settle(0);
    const auto text = configured(before, s, "", {{1, {"L", true, 2}}});
    CHECK(text ==
          "# ours\n[cabinet]\nid = \"c1\"  # the id\n\n[lock]\npulse_ms = 200\ncool_down_ms = 3000\n\n[[bus]]\nname = "
          "\"line1\"\ndevice = \"/dev/ttyS1\"\n\n[mqtt]\nuri = \"mqtt://b\"\n"
          "\n[[board]]\nname = \"A\"\nbus = \"line1\"\naddress = 1\nprofile = \"p\"\n"
          "\n[[compartment]]\nnumber = 1\nsize = \"L\"\naccessible = true\nsupply = 2\nrelay = { board = \"A\", "
          "channel = 1 }\n"
          "contact = \"door\"\ninput = { board = \"A\", channel = 3 }\nclosed = \"off\"\n"
          "\n[[compartment]]\nnumber = 2\nrelay = { board = \"A\", channel = 2 }\ncontact = \"none\"\n"
          "\n[[compartment]]\nnumber = 3\nrelay = { board = \"A\", channel = 3 }\ncontact = \"none\"\n");
    const auto fresh = configured("[cabinet]\nid = \"c1\"\n", s, "\n[[bus]]\nname = \"line1\"\ntcp = \"h:1\"\n", {});
    CHECK(fresh.find("[lock]\npulse_ms = 200\n\n[[bus]]") != std::string::npos);
    CHECK(configured(text, s, "", {{1, {"L", true, 2}}}) == text);  // once more changes nothing
}
