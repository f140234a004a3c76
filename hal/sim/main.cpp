// lockersim: a cabinet for everyone without one. Boards answer Modbus as the hardware does, latches let go, doors
// swing, people push them shut, and every fault can be switched on while it runs.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <iostream>

#include "hal/sim/board.hpp"
#include "hal/sim/cabinet.hpp"
#include "hal/sim/config.hpp"
#include "hal/sim/control.hpp"
#include "hal/sim/transport.hpp"

namespace {

namespace asio = boost::asio;
using boost::json::object;

class simulator {
public:
    simulator(asio::io_context& io, const sim::config& c)
        : doors_(c), tick_(io), start_(std::chrono::steady_clock::now()) {
        for (const auto& b : c.boards) {
            boards_.emplace_back(b);
        }
        const auto serve = [this](int address, const sim::bytes& pdu) { return answer(address, pdu); };
        // The socket first: whoever holds it holds the line, too.
        control_ = std::make_unique<sim::control>(io, c.socket, [this](const object& o) { return obey(o); });
        line_ = c.device.empty() ? sim::make_tcp(io, c, serve) : sim::make_pty(io, c, serve);
        tick();
    }
    [[nodiscard]] std::string where() const { return line_->where(); }

private:
    [[nodiscard]] std::int64_t now() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start_).count();
    }
    void advance() {
        const std::int64_t t = now();
        doors_.advance(t,
                       [&](int board, int relay) { return boards_[static_cast<std::size_t>(board)].coil(relay, t); });
    }
    void tick() {
        advance();
        tick_.expires_after(std::chrono::milliseconds(20));
        tick_.async_wait([this](auto error) {
            if (!error) {
                tick();
            }
        });
    }

    [[nodiscard]] std::vector<bool> coils(std::size_t board) const {
        std::vector<bool> on;
        for (int r = 0; r < boards_[board].config().relays; ++r) {
            on.push_back(boards_[board].coil(r, now()));
        }
        return on;
    }
    [[nodiscard]] static std::int64_t monotonic_us() {
        return std::chrono::duration_cast<std::chrono::microseconds>(
                   std::chrono::steady_clock::now().time_since_epoch())
            .count();
    }

    sim::served answer(int address, const sim::bytes& pdu) {
        advance();
        sim::served out;
        if (pulled_) {
            return out;
        }
        int answers = 0;
        for (std::size_t i = 0; i < boards_.size(); ++i) {
            auto& b = boards_[i];
            if (b.config().address != address) {
                continue;
            }
            const auto earlier = out.pdu;
            const auto was_on = coils(i);
            out.pdu = b.answer(pdu, now(), [&](int channel) { return doors_.input(static_cast<int>(i), channel); });
            const auto is_on = coils(i);
            for (auto& d : doors_.doors()) {
                const auto relay = static_cast<std::size_t>(d.wired.relay);
                if (d.wired.board == static_cast<int>(i) && is_on[relay] && !was_on[relay]) {
                    d.energised_us = monotonic_us();
                }
            }
            answers += out.pdu ? 1 : 0;
            out.pdu = out.pdu ? out.pdu : earlier;
            out.collided = answers > 1;
            out.turnaround_us = b.config().turnaround_us;
            out.late_ms = b.late_ms;
            out.wrong_crc = b.wrong_crc;
            out.garbage = b.garbage;
        }
        return out;
    }

    sim::door& door_of(const object& o) {
        const auto* number = o.if_contains("door");
        auto* d = number == nullptr ? nullptr : doors_.find(static_cast<int>(number->as_int64()));
        if (d == nullptr) {
            throw std::runtime_error("door: no such number");
        }
        return *d;
    }
    sim::board& board_of(const object& o) {
        const auto* address = o.if_contains("board");
        for (auto& b : boards_) {
            if (address != nullptr && b.config().address == address->as_int64()) {
                return b;
            }
        }
        throw std::runtime_error("board: no such address");
    }

    object status() {
        boost::json::array doors;
        for (const auto& d : doors_.doors()) {
            doors.push_back(object{{"door", d.wired.number},
                                   {"open", d.open},
                                   {"latched", d.latched},
                                   {"openings", d.openings},
                                   {"moved_us", d.moved_ms < 0 ? -1 : since_us_ + d.moved_ms * 1000},
                                   {"energised_us", d.energised_us},
                                   {"content", d.content},
                                   {"jam", d.jammed},
                                   {"cut", d.cut},
                                   {"weld", d.welded},
                                   {"self_shut_ms", d.self_shut_ms}});
        }
        boost::json::array boards;
        for (std::size_t i = 0; i < boards_.size(); ++i) {
            auto& b = boards_[i];
            boost::json::array on;
            for (int r = 0; r < b.config().relays; ++r) {
                if (b.coil(r, now())) {
                    on.push_back(r + 1);
                }
            }
            boards.push_back(object{{"board", b.config().address},
                                    {"requests", b.requests()},
                                    {"pulses", b.pulses()},
                                    {"coils_on", on},
                                    {"silent", b.silent},
                                    {"crc", b.wrong_crc},
                                    {"late_ms", b.late_ms},
                                    {"echo", b.wrong_echo},
                                    {"lost_reply", b.deaf_after_action},
                                    {"garbage", b.garbage}});
        }
        return {{"ok", true}, {"line", line_->where()}, {"doors", doors}, {"boards", boards}};
    }

    void fault(const object& o) {
        const std::string kind = boost::json::value_to<std::string>(o.at("kind"));
        const bool on = !o.contains("on") || o.at("on").as_bool();
        const auto ms = o.contains("ms") ? o.at("ms").as_int64() : 0;
        if (kind == "jam") {
            door_of(o).jammed = on;
        } else if (kind == "cut") {
            door_of(o).cut = on;
        } else if (kind == "slow") {
            door_of(o).slower_ms = on ? (ms > 0 ? ms : 200) : 0;
        } else if (kind == "bounce") {
            door_of(o).self_shut_ms = on ? (ms > 0 ? ms : 500) : 0;
        } else if (kind == "weld") {
            auto& d = door_of(o);
            d.welded = on;
            boards_[static_cast<std::size_t>(d.wired.board)].weld(d.wired.relay, on);
        } else if (kind == "silent") {
            board_of(o).silent = on;
        } else if (kind == "crc") {
            board_of(o).wrong_crc = on;
        } else if (kind == "echo") {
            board_of(o).wrong_echo = on;
        } else if (kind == "lost_reply") {
            board_of(o).deaf_after_action = on;
        } else if (kind == "garbage") {
            board_of(o).garbage = on ? 5 : 0;
        } else if (kind == "late") {
            board_of(o).late_ms = on ? static_cast<int>(ms > 0 ? ms : 200) : 0;
        } else if (kind == "pull") {
            pulled_ = on;
        } else if (kind == "unplug") {
            if (on) {
                line_->unplug();
            } else {
                line_->plug();
            }
        } else {
            throw std::runtime_error(
                "kind: jam, cut, bounce, slow, weld (door), silent, crc, echo, lost_reply, garbage, late (board), pull "
                "or "
                "unplug (line)");
        }
    }

    // An input that belongs to no door: mains, a tamper switch.
    void set_input(const object& o) {
        const auto& b = board_of(o);
        const auto channel = o.at("channel").as_int64();
        if (channel < 1 || channel > b.config().inputs) {
            throw std::runtime_error(
                fmt::format("channel: board {} has inputs 1 to {}", b.config().address, b.config().inputs));
        }
        doors_.drive(static_cast<int>(&b - boards_.data()), static_cast<int>(channel) - 1,
                     !o.contains("on") || o.at("on").as_bool());
    }

    object obey(const object& o) {
        advance();
        const std::string what = boost::json::value_to<std::string>(o.at("do"));
        if (what == "status") {
            return status();
        }
        if (what == "push") {
            doors_.push_shut(door_of(o));
        } else if (what == "pull") {
            doors_.pull_open(door_of(o));
        } else if (what == "put" || what == "take") {
            auto& d = door_of(o);
            if (!d.open) {
                throw std::runtime_error(fmt::format("door {} is shut", d.wired.number));
            }
            const std::string had = d.content;
            d.content = what == "put" ? boost::json::value_to<std::string>(o.at("content")) : "";
            return {{"ok", true}, {"content", had}};
        } else if (what == "fault") {
            fault(o);
        } else if (what == "power") {
            board_of(o).power_cycle();
        } else if (what == "input") {
            set_input(o);
        } else {
            throw std::runtime_error("do: status, push, pull, put, take, fault, power or input");
        }
        return {{"ok", true}};
    }

    std::vector<sim::board> boards_;
    sim::cabinet doors_;
    bool pulled_ = false;
    asio::steady_timer tick_;
    std::chrono::steady_clock::time_point start_;
    std::int64_t since_us_ = monotonic_us() - now() * 1000;  // monotonic, of millisecond 0
    std::unique_ptr<sim::transport> line_;
    std::unique_ptr<sim::control> control_;
};

int run(const sim::config& c) {
    asio::io_context io(1);
    simulator s(io, c);
    asio::signal_set stop(io, SIGINT, SIGTERM);
    stop.async_wait([&](auto, auto) { io.stop(); });
    std::cout << boost::json::serialize(object{{"line", s.where()}, {"socket", c.socket}}) << std::endl;
    io.run();
    return 0;
}

int client(const std::string& socket, const object& request) {
    const auto answer = sim::ask(socket, request);
    std::cout << boost::json::serialize(answer) << "\n";
    return answer.at("ok").as_bool() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "A simulated cabinet: relay boards on a Modbus line, locks, doors, contacts, people and faults.\n"
        "Without a command it runs; with one it speaks to the simulator that runs at --socket."};
    std::string file;
    std::string socket = "lockersim.sock";
    std::string device;
    int doors = 12;
    int port = 0;
    bool tcp = false;
    sim::config c;
    app.add_option("--socket", socket, "Control socket")->envname("LOCKERSIM_SOCKET")->capture_default_str();
    app.add_option("--config", file, "TOML file with boards and doors");
    app.add_option("--doors", doors, "Doors, wired in order over boards of eight")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    app.add_option("--device", device, "RTU: where the line appears, a link to a pseudo-terminal");
    app.add_flag("--tcp", tcp, "Modbus TCP on loopback instead of RTU");
    app.add_option("--port", port, "TCP port; 0: any free one")->capture_default_str();
    app.add_option("--baud", c.baud, "RTU line speed")->capture_default_str();
    app.add_option("--seed", c.seed, "Seed of all chance")->capture_default_str();
    app.add_option("--push-after", c.push_after_ms, "People push open doors shut after so many ms; 0: nobody does");

    object request;
    int door = 0;
    int board = 0;
    std::int64_t ms = 0;
    std::string kind;
    std::string content = "papers";
    bool off = false;
    app.require_subcommand(0, 1);
    app.add_subcommand("status", "Doors and boards as they are")->callback([&] { request = {{"do", "status"}}; });
    for (const auto* name : {"push", "pull", "take"}) {
        const std::string what = name;
        auto* sub = app.add_subcommand(what, what == "push"   ? "Push a door shut"
                                             : what == "pull" ? "Tear a door open by force"
                                                              : "Take out what lies behind an open door");
        sub->add_option("door", door, "The number on the door")->required();
        sub->callback([&request, &door, what] { request = {{"do", what}, {"door", door}}; });
    }
    auto* put = app.add_subcommand("put", "Put something behind an open door");
    put->add_option("door", door, "The number on the door")->required();
    put->add_option("content", content, "What")->capture_default_str();
    put->callback([&] { request = {{"do", "put"}, {"door", door}, {"content", content}}; });
    int channel = 0;
    auto* input = app.add_subcommand("input", "Drive an input that belongs to no door: mains, a tamper switch");
    input->add_option("board", board, "The board's address")->required();
    input->add_option("channel", channel, "Its input, from 1")->required();
    input->add_flag("--off", off, "No level");
    input->callback([&] { request = {{"do", "input"}, {"board", board}, {"channel", channel}, {"on", !off}}; });
    auto* fault = app.add_subcommand("fault", "Switch a fault on or off");
    fault->add_option("kind", kind, "jam cut bounce slow weld | silent crc echo lost_reply garbage late | pull unplug")
        ->required();
    fault->add_option("--door", door, "For faults of a door");
    fault->add_option("--board", board, "For faults of a board: its address");
    fault->add_option("--ms", ms, "For bounce, slow and late; 0: 500, 200 and 200")->check(CLI::Range(0, 60'000));
    fault->add_flag("--off", off, "Mend it");
    fault->callback([&] {
        request = {{"do", "fault"}, {"kind", kind}, {"on", !off}, {"door", door}, {"board", board}, {"ms", ms}};
    });
    CLI11_PARSE(app, argc, argv);

    try {
        if (!request.empty()) {
            return client(socket, request);
        }
        if (!file.empty()) {
            c = sim::read_config(file);
        } else {
            sim::wire_in_order(c, doors);
            c.device = tcp ? "" : device.empty() ? "lockersim.tty" : device;
            c.port = port;
        }
        if (c.socket.empty()) {
            c.socket = socket;
        }
        return run(c);
    } catch (const std::exception& e) {
        std::cerr << "lockersim: " << e.what() << "\n";
        return 2;
    }
}
