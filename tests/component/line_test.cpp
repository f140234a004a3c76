// The traps of libmodbus, each with a board that springs it.
#include "hal/line/modbus_line.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>

#include "tests/component/scripted_peer.hpp"

using namespace locker;
using namespace std::chrono_literals;
using peer::answer;
using peer::bytes;
using peer::question;
using peer::rtu;
using peer::scripted_peer;

namespace {

board_profile profile() {
    board_profile p;
    p.name = "test";
    p.relays = 8;
    p.inputs = 8;
    p.timeout_ms = 100;
    p.gap_characters = 5;
    p.pulse_base = 0x0200;
    p.all_off_coil = 0x00FF;
    p.pulse_unit_ms = 100;
    p.pulse_max_units = 30;
    return p;
}

line_settings serial(const scripted_peer& p) {
    line_settings s;
    s.name = "line";
    s.device = p.device();
    s.baud = 9600;
    return s;
}

line_settings tcp(const scripted_peer& p) {
    line_settings s;
    s.name = "line";
    s.host = "127.0.0.1";
    s.port = p.port();
    return s;
}

bytes mbap(const question& q, const bytes& body) {
    bytes out{static_cast<std::uint8_t>(q.transaction >> 8U), static_cast<std::uint8_t>(q.transaction & 0xFFU), 0, 0, 0,
              static_cast<std::uint8_t>(body.size())};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

// Reads until an answer passes; the number of questions that went unanswered before it.
int read_until_ok(modbus_line& line, modbus_line::peer& board, std::uint32_t& bits) {
    for (int misses = 0; misses < 20; ++misses) {
        if (!line.is_open() && !line.open()) {
            continue;
        }
        if (line.read(board, bits) == line_result::ok) {
            return misses;
        }
    }
    return -1;
}

}  // namespace

TEST_CASE("line: the frames of a read, a pulse and a drop, as the board's register list has them") {
    peer::model m;
    m.inputs = 0b10100101;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    const auto kind = profile();
    modbus_line line(serial(p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    std::uint32_t bits = 0;
    CHECK(line.read(board, bits) == line_result::ok);
    CHECK(bits == 0b10100101);
    CHECK(line.pulse(board, 3, 500) == line_result::ok);
    CHECK(line.drop_all(board) == line_result::ok);
    const auto heard = p.heard();
    REQUIRE(heard.size() == 3);
    CHECK(heard[0].body == bytes{1, 2, 0, 0, 0, 8});
    CHECK(heard[1].body == bytes{1, 5, 0x02, 0x03, 0, 5});
    CHECK(heard[2].body == bytes{1, 5, 0x00, 0xFF, 0, 0});
}

TEST_CASE("line: a pulse is never longer than the profile allows, and never endless") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    const auto kind = profile();
    modbus_line line(serial(p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    CHECK(line.pulse(board, 0, 3'600'000) == line_result::ok);
    CHECK(line.pulse(board, 0, 0) == line_result::ok);
    const auto heard = p.heard();
    REQUIRE(heard.size() == 2);
    CHECK(heard[0].body == bytes{1, 5, 2, 0, 0, 30});
    CHECK(heard[1].body == bytes{1, 5, 2, 0, 0, 1});
}

TEST_CASE("line: the frames of boards that are pulsed otherwise") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    auto kind = profile();
    kind.all_off_coil = -1;
    kind.pulse = pulse_kind::flash_registers;
    kind.pulse_base = 3;
    kind.pulse_stride = 5;
    modbus_line line(serial(p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    std::uint32_t relays = 0;
    CHECK(line.pulse(board, 2, 500) == line_result::ok);
    CHECK(line.drop_all(board) == line_result::ok);
    kind.pulse = pulse_kind::on_off;
    kind.pulse_base = 0;
    CHECK(line.pulse(board, 2, 500) == line_result::ok);
    CHECK(line.release(board, 2) == line_result::ok);
    kind.pulse = pulse_kind::command_register;
    kind.pulse_base = 1;
    kind.pulse_unit_ms = 1000;
    CHECK(line.pulse(board, 2, 2000) == line_result::ok);
    CHECK(line.read_relays(board, relays) == line_result::ok);
    CHECK(relays == 0b100);
    CHECK(line.drop_all(board) == line_result::ok);
    const auto heard = p.heard();
    REQUIRE(heard.size() == 21);
    CHECK(heard[0].body == bytes{1, 0x10, 0, 13, 0, 2, 4, 0, 2, 0, 5});
    CHECK(heard[1].body == bytes{1, 5, 0, 0, 0, 0});
    CHECK(heard[8].body == bytes{1, 5, 0, 7, 0, 0});
    CHECK(heard[9].body == bytes{1, 5, 0, 2, 0xFF, 0});
    CHECK(heard[10].body == bytes{1, 5, 0, 2, 0, 0});
    CHECK(heard[11].body == bytes{1, 6, 0, 3, 6, 2});
    CHECK(heard[12].body == bytes{1, 3, 0, 1, 0, 8});
    CHECK(heard[13].body == bytes{1, 6, 0, 1, 2, 0});
    CHECK(heard[20].body == bytes{1, 6, 0, 8, 2, 0});
}

TEST_CASE("line: a late answer is never taken for the next one's") {
    // The doors as they were travel late: by less than a drain, by more than a drain, into the resynchronisation.
    for (const auto late : {130ms, 190ms, 230ms, 330ms}) {
        CAPTURE(late.count());
        int asked = 0;
        peer::model m;
        m.inputs = 0x0F;
        scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
            const bytes now = rtu(m.reply(q));
            const bool first = q.body[1] == 2 && asked++ == 0;
            if (first) {
                m.inputs = 0xF0;  // what a question after this one must hear
            }
            return std::vector{answer{now, first ? late : 1ms}};
        });
        const auto kind = profile();
        modbus_line line(serial(p));
        modbus_line::peer board{1, &kind, 0, false};
        REQUIRE(line.open());
        std::uint32_t bits = 0;
        CHECK(line.read(board, bits) == line_result::silent);
        CHECK(read_until_ok(line, board, bits) >= 0);
        CHECK(bits == 0xF0);
        CHECK(line.read(board, bits) == line_result::ok);
        CHECK(bits == 0xF0);
    }
}

TEST_CASE("line: a late echo of one pulse does not confirm another") {
    int pulses = 0;
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) -> std::vector<answer> {
        if (q.body[1] == 5) {
            return ++pulses == 1 ? std::vector{answer{rtu(q.body), 150ms}} : std::vector<answer>{};
        }
        return {answer{rtu(m.reply(q)), 1ms}};
    });
    const auto kind = profile();
    modbus_line line(serial(p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    CHECK(line.pulse(board, 2, 500) == line_result::silent);
    CHECK(line.pulse(board, 2, 500) == line_result::silent);  // the very same frame: its own echo never came
}

TEST_CASE("line: a wrong echo leaves the pulse unconfirmed") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        bytes body = m.reply(q);
        if (q.body[1] == 5) {
            body[5] ^= 1U;
        }
        return std::vector{answer{rtu(body), 1ms}};
    });
    const auto kind = profile();
    modbus_line line(serial(p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    CHECK(line.pulse(board, 0, 500) == line_result::silent);
    CHECK(line.last_error() == "the echo differs from what was written");
    std::uint32_t bits = 0;
    CHECK(line.read(board, bits) == line_result::ok);
}

TEST_CASE("line: an exception says that nothing moved, on RTU and on TCP") {
    const auto kind = profile();
    const auto refuse = [](const question& q) {
        return bytes{q.body[0], static_cast<std::uint8_t>(q.body[1] | 0x80U), 2};
    };
    scripted_peer on_pty(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(refuse(q)), 1ms}};
    });
    scripted_peer on_tcp(scripted_peer::kind::tcp, [&](const question& q) {
        return std::vector{answer{mbap(q, refuse(q)), 1ms}};
    });
    for (const auto& settings : {serial(on_pty), tcp(on_tcp)}) {
        modbus_line line(settings);
        modbus_line::peer board{1, &kind, 0, false};
        REQUIRE(line.open());
        CHECK(line.pulse(board, 0, 500) == line_result::refused);
        std::uint32_t bits = 0;
        CHECK(line.read(board, bits) == line_result::refused);
        CHECK(line.is_open());
    }
}

TEST_CASE("line: an exception that does not say so leaves it open whether the relay moved") {
    const auto kind = profile();
    for (const auto code : bytes{4, 5, 6, 0x0B}) {
        scripted_peer p(scripted_peer::kind::tcp, [code](const question& q) {
            return std::vector{answer{mbap(q, {q.body[0], static_cast<std::uint8_t>(q.body[1] | 0x80U), code}), 1ms}};
        });
        modbus_line line(tcp(p));
        modbus_line::peer board{1, &kind, 0, false};
        REQUIRE(line.open());
        CHECK(line.pulse(board, 0, 500) == line_result::silent);
        CHECK(line.is_open());
    }
}

TEST_CASE("line: garbage, a wrong checksum, another board's answer: silence, and in step again afterwards") {
    const auto kind = profile();
    const auto spoil = [](int how, const bytes& body) {
        if (how == 0) {
            bytes noisy{0x55, 0xAA, 0x00};
            const bytes whole = rtu(body);
            noisy.insert(noisy.end(), whole.begin(), whole.end());
            return noisy;
        }
        if (how == 1) {
            bytes bad = rtu(body);
            bad.back() ^= 0xFFU;
            return bad;
        }
        bytes other = body;
        other[0] = 7;
        return rtu(other);
    };
    for (int how = 0; how < 3; ++how) {
        CAPTURE(how);
        int asked = 0;
        peer::model m;
        m.inputs = 0x3C;
        scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
            return std::vector{answer{asked++ == 0 ? spoil(how, m.reply(q)) : rtu(m.reply(q)), 1ms}};
        });
        modbus_line line(serial(p));
        modbus_line::peer board{1, &kind, 0, false};
        REQUIRE(line.open());
        std::uint32_t bits = 0;
        CHECK(line.read(board, bits) == line_result::silent);
        CHECK(line.read(board, bits) == line_result::ok);
        CHECK(bits == 0x3C);
    }
}

TEST_CASE("line: a device that goes away ends the call, closes the line, and is found again under its name") {
    peer::model m;
    const auto serve = [&](const question& q) { return std::vector{answer{rtu(m.reply(q)), 1ms}}; };
    auto p = std::make_unique<scripted_peer>(scripted_peer::kind::pty, serve);
    const auto kind = profile();
    modbus_line line(serial(*p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    std::uint32_t bits = 0;
    REQUIRE(line.read(board, bits) == line_result::ok);
    p->pull();
    const auto result = line.read(board, bits);
    CHECK((result == line_result::silent || result == line_result::not_sent));
    CHECK(!line.is_open());
    CHECK(line.pulse(board, 0, 500) == line_result::not_sent);
    CHECK(!line.open());
    CHECK(!line.last_error().empty());
}

TEST_CASE("line: one program at a time: a device that another has locked is refused, and taken when it is free") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 1ms}};
    });
    modbus_line line(serial(p));
    const int other = open(p.device().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(flock(other, LOCK_EX | LOCK_NB) == 0);
    CHECK(!line.open());
    CHECK(line.last_error().find("another program") != std::string::npos);
    close(other);
    REQUIRE(line.open());
    const int late = open(p.device().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK((late < 0 || flock(late, LOCK_EX | LOCK_NB) != 0));
    if (late >= 0) {
        close(late);
    }
}

TEST_CASE("line: the profile's silence stands between an answer and the next question") {
    peer::model m;
    scripted_peer p(scripted_peer::kind::pty, [&](const question& q) {
        return std::vector{answer{rtu(m.reply(q)), 0ms}};
    });
    auto kind = profile();
    kind.gap_characters = 12;  // 12.5 ms at 9600 baud
    modbus_line line(serial(p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    std::uint32_t bits = 0;
    for (int i = 0; i < 10; ++i) {
        REQUIRE(line.read(board, bits) == line_result::ok);
    }
    const auto heard = p.heard();
    for (std::size_t i = 1; i < heard.size(); ++i) {
        CHECK(heard[i].arrived - heard[i - 1].arrived >= 12ms);  // answers left at once: the rest is silence
    }
}

TEST_CASE("line: TCP: an answer with another question's number is not taken, the connection is made anew") {
    int asked = 0;
    peer::model m;
    m.inputs = 0x0F;
    scripted_peer p(scripted_peer::kind::tcp, [&](const question& q) {
        const bytes now = mbap(q, m.reply(q));
        const bool first = asked++ == 0;
        if (first) {
            m.inputs = 0xF0;
        }
        return std::vector{answer{now, first ? 150ms : 1ms}};
    });
    const auto kind = profile();
    modbus_line line(tcp(p));
    modbus_line::peer board{1, &kind, 0, false};
    REQUIRE(line.open());
    std::uint32_t bits = 0;
    CHECK(line.read(board, bits) == line_result::silent);
    CHECK(line.is_open());
    CHECK(read_until_ok(line, board, bits) >= 0);
    CHECK(bits == 0xF0);
}

TEST_CASE("line: TCP: nobody listens") {
    line_settings s;
    s.name = "line";
    s.host = "127.0.0.1";
    s.port = 1;
    modbus_line line(s);
    CHECK(!line.open());
    CHECK(!line.last_error().empty());
}
