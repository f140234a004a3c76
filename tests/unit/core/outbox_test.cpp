// Events leave in order, at least once, through any outage.
#include <doctest/doctest.h>
#include <algorithm>

#include "tests/unit/core/bench.hpp"

using namespace test_bench;

namespace {

std::vector<std::uint64_t> sequences(const test_bench::bench& b, std::size_t from = 0) {
    std::vector<std::uint64_t> out;
    for (std::size_t i = from; i < b.published.size(); ++i) {
        if (b.published[i].sequence != 0) {
            out.push_back(b.published[i].sequence);
        }
    }
    return out;
}

}  // namespace

TEST_CASE("what the broker did not acknowledge is sent again after it is back, in order") {
    bench b;
    b.put_in("d1");  // events 1 … 6
    CHECK(sequences(b) == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
    for (const std::uint64_t n : {1U, 2U, 4U}) {  // 3 stays open: the mark stops before it
        b.feed(event_acknowledged{n});
    }
    b.feed(broker_down{});
    auto mark = b.published.size();
    (void)b.command("disable", {{"compartment", 3}, {"reason", "x"}});
    CHECK(sequences(b, mark).empty());
    mark = b.published.size();
    b.feed(broker_up{});
    CHECK(sequences(b, mark) == std::vector<std::uint64_t>{3, 4, 5, 6, 7});
}

TEST_CASE("the mark survives a start as of the last commit; no event is lost") {
    bench b;
    b.put_in("d1");
    for (std::uint64_t n = 1; n <= 6; ++n) {
        b.feed(event_acknowledged{n});
    }
    const auto mark = b.published.size();
    b.start();
    const auto sent = sequences(b, mark);
    REQUIRE(!sent.empty());
    CHECK(sent.back() == 7);
    for (std::size_t i = 1; i < sent.size(); ++i) {
        CHECK(sent[i] == sent[i - 1] + 1);
    }
}

TEST_CASE("what a contact told just before the broker's acknowledgement is not left lying") {
    bench b;
    const int n = b.put_in("d1");
    b.start();
    b.feed(tick{});  // nothing is due
    REQUIRE(b.core->wake_at() > b.now.mono_ms);
    b.inputs ^= 1U << static_cast<unsigned>(n - 1);
    b.now.mono_ms += 100;
    b.core->see(b.now, inputs_report{0, b.inputs, b.now.mono_ms});
    CHECK(b.core->facts_wait());
    b.feed(event_acknowledged{1});
    CHECK_FALSE(b.core->facts_wait());
    CHECK(b.core->wake_at() <= b.now.mono_ms + b.config.rules.forced_after);
}

TEST_CASE("no more than the window is in flight") {
    bench b;
    b.feed(broker_down{});
    for (int i = 0; i < 20; ++i) {
        (void)b.command("disable", {{"compartment", 3}, {"reason", "x"}});
        (void)b.command("enable", {{"compartment", 3}, {"reason", "x"}});
    }
    const auto mark = b.published.size();
    b.feed(broker_up{});
    CHECK(sequences(b, mark).size() == 16);
    b.feed(event_acknowledged{1});
    CHECK(sequences(b, mark).size() == 17);
}

TEST_CASE("our own messages that come back late are not answered, a stale will is, and so is what the broker kept") {
    bench b;
    b.published.clear();
    const std::string status = "locker/v1/c1/status";
    message echo;
    echo.topic = status;
    echo.payload = R"({"online":true,"epoch":"an-earlier-one"})";
    b.feed(echo);
    echo.topic = "locker/v1/c1/alarm/jammed/1";
    b.feed(echo);
    CHECK(b.published.empty());
    echo.retained = true;
    b.feed(echo);
    CHECK(b.published.size() == 1);  // an alarm of an earlier run goes
    CHECK(b.retained.at("locker/v1/c1/alarm/jammed/1").empty());
    message will;
    will.topic = status;
    will.payload = R"({"online":false})";
    b.feed(will);
    CHECK(b.published.size() == 2);
    CHECK(b.retained.at(status).find("true") != std::string::npos);
}

TEST_CASE("an alarm's since does not move while the clock stands below its floor: nothing is said again and again") {
    bench b;
    REQUIRE(ok(b.open({{"act", "open"}, {"cmp", 1}})));
    b.pass(4 * minute);
    for (int i = 0; i < 10; ++i) {
        (void)b.enter(b.code("none", 0));
    }
    REQUIRE(b.count("door.held_open") == 1);
    b.now.wall_ms -= 3 * day;
    b.feed(tick{});
    b.pass(1000);
    CHECK(b.count("clock.stepped") == 1);
    b.published.clear();
    for (int i = 0; i < 5; ++i) {
        b.now.mono_ms += 7;
        b.feed(tick{});
    }
    CHECK(b.published.empty());
}

TEST_CASE(
    "an alarm of an earlier run, that the broker kept, ends: it is told with the subscriptions, before the connection "
    "is up") {
    bench b;
    b.feed(broker_down{});
    b.published.clear();
    b.feed(message{"locker/v1/c1/alarm/storage", R"({"since":"2026-01-01T00:00:00.000Z"})", true, "", ""});
    CHECK(b.published.empty());
    b.feed(broker_up{});
    const auto ended = std::count_if(b.published.begin(), b.published.end(), [](const auto& m) {
        return m.topic == "locker/v1/c1/alarm/storage" && m.payload.empty() && m.retain;
    });
    CHECK(ended == 1);
}

TEST_CASE("a row that a damaged disk altered is told to nobody, and holds up none after it") {
    bench b;
    b.feed(broker_down{});
    b.put_in("one");
    const auto damaged = b.disk.ledger.back().sequence;
    b.disk.ledger.back().data = "\x01 no JSON";
    b.put_in("two");
    const auto head = b.disk.ledger.back().sequence;
    b.published.clear();
    b.feed(broker_up{});
    std::vector<std::uint64_t> told;
    for (std::size_t seen = 0; seen < b.published.size(); ++seen) {
        const auto sequence = b.published[seen].sequence;
        if (sequence != 0) {
            told.push_back(sequence);
            b.feed(event_acknowledged{sequence});
        }
    }
    CHECK(std::find(told.begin(), told.end(), damaged) == told.end());
    REQUIRE(!told.empty());
    CHECK(told.back() == head);
    CHECK(b.core->view().d.m.published == head);
    const auto again = b.command("replay", {{"from", damaged - 1}, {"to", damaged + 1}});
    REQUIRE(ok(again));
    CHECK(again.at("result").at("events").as_array().size() == 2);
}
