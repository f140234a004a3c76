#include "hal/boards/profile.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

using locker::board_profile;
using locker::parse_profile;

namespace {

bool complains(const std::string& text, const std::string& about) {
    const auto result = parse_profile(text);
    const auto* mistakes = std::get_if<std::vector<std::string>>(&result);
    return mistakes != nullptr && std::any_of(mistakes->begin(), mistakes->end(),
                                              [&](const std::string& m) { return m.find(about) != std::string::npos; });
}

const std::string good = R"(name = "x"
title = "X"
source = "its data sheet"
relays = 8
inputs = 8
[line]
baud = 9600
timeout_ms = 150
gap_characters = 0
[pulse]
kind = "flash-coil"
base = 0x0200
unit_ms = 100
max_units = 30
)";

std::string with(std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
}

}  // namespace

TEST_CASE("profiles: every one that is built in is whole, has a source and a name of its own") {
    std::set<std::string> names;
    for (const auto& built_in : locker::builtin_profile_texts()) {
        CAPTURE(built_in.file);
        const auto result = parse_profile(built_in.text);
        const auto* p = std::get_if<board_profile>(&result);
        REQUIRE(p != nullptr);
        CHECK(names.insert(p->name).second);
        CHECK(!p->source.empty());
        CHECK(p->relays >= 1);
        CHECK(p->longest_pulse_ms() <= 5000);  // no lock bears more
    }
    CHECK(names.count("waveshare-8ch-d") == 1);
}

TEST_CASE("profiles: a good one is read to the letter") {
    const auto result = parse_profile(good);
    const auto* p = std::get_if<board_profile>(&result);
    REQUIRE(p != nullptr);
    CHECK(p->pulse_base == 0x0200);
    CHECK(p->timeout_ms == 150);
}

TEST_CASE("profiles: each kind of pulse wants its own keys and no others") {
    const auto registers = with("kind = \"flash-coil\"", "kind = \"flash-registers\"\nstride = 5");
    const auto read = parse_profile(registers);
    REQUIRE(std::get_if<board_profile>(&read) != nullptr);
    CHECK(std::get<board_profile>(read).pulse == locker::pulse_kind::flash_registers);
    CHECK(std::get<board_profile>(read).pulse_stride == 5);
    CHECK(complains(with("kind = \"flash-coil\"", "kind = \"flash-registers\""), "pulse.stride"));
    CHECK(complains(with("kind = \"flash-coil\"", "kind = \"on-off\"\nstride = 5"), "pulse.stride"));
    CHECK(complains(with("kind = \"flash-coil\"", "kind = \"command-register\"\ncommand = 1"), "pulse.command"));
    const auto plain = parse_profile(with("kind = \"flash-coil\"", "kind = \"on-off\""));
    REQUIRE(std::get_if<board_profile>(&plain) != nullptr);
    CHECK(std::get<board_profile>(plain).all_off_coil == -1);
}

TEST_CASE("profiles: no channel reaches a coil that stands for all relays, nor an address that wraps") {
    CHECK(complains(with("base = 0x0200", "base = 0xFFFF"), "beyond 65535"));
    CHECK(complains(with("base = 0x0200", "base = 0x0200\nall_off_coil = 0x0207"), "all_off_coil"));
    CHECK(complains(with("base = 0x0200", "base = 0x0200\nall_off_coil = 7"), "all_off_coil"));
    CHECK(
        complains("name = \"x\"\ntitle = \"X\"\nsource = \"s\"\nrelays = 8\ninputs = 0\n[line]\nbaud = 9600\n"
                  "timeout_ms = 150\ngap_characters = 0\n[pulse]\nkind = \"on-off\"\nbase = 0xF8\nunit_ms = 1\n"
                  "max_units = 1000\n",
                  "all relays"));
}

TEST_CASE("profiles: each mistake is named") {
    CHECK(complains("name = ", ""));
    CHECK(complains(with("relays = 8", "relays = 0"), "relays"));
    CHECK(complains(with("relays = 8", "relays = \"8\""), "relays"));
    CHECK(complains(with("inputs = 8", "inputs = 99"), "inputs"));
    CHECK(complains(with("source = \"its data sheet\"\n", ""), "source"));
    CHECK(complains(with("kind = \"flash-coil\"", "kind = \"hold\""), "kind"));
    CHECK(complains(with("gap_characters = 0", "gap_characters = 0\ncolour = 1"), "colour"));
}
