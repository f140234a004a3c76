#include "hal/sim/transport.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <set>

namespace sim {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using clock = std::chrono::steady_clock;
using std::chrono::microseconds;

speed_t speed_of(int baud) {
    switch (baud) {
        case 1200:
            return B1200;
        case 2400:
            return B2400;
        case 4800:
            return B4800;
        case 19200:
            return B19200;
        case 38400:
            return B38400;
        case 115200:
            return B115200;
        default:
            return B9600;
    }
}

// How long a request is, as far as its first bytes tell; 0: not yet known.
std::size_t request_length(const bytes& b) {
    if (b.size() < 2) {
        return 0;
    }
    if (b[1] == 0x0F || b[1] == 0x10) {
        return b.size() < 7 ? 0 : static_cast<std::size_t>(b[6]) + 9;
    }
    return 8;
}

class pty_line final : public transport {
public:
    pty_line(asio::io_context& io, config c, serve s)
        : io_(io),
          config_(std::move(c)),
          serve_(std::move(s)),
          master_(io),
          idle_(io),
          heard_(io),
          busy_until_(clock::now()) {
        plug();
    }
    ~pty_line() override { unplug(); }

    void plug() override {
        if (master_.is_open()) {
            return;
        }
        int master = -1;
        int slave = -1;
        std::array<char, 128> name{};
        if (openpty(&master, &slave, name.data(), nullptr, nullptr) != 0) {
            throw std::runtime_error("no pseudo-terminal");
        }
        termios raw{};
        tcgetattr(slave, &raw);
        cfmakeraw(&raw);
        cfsetspeed(&raw, speed_of(config_.baud));
        tcsetattr(slave, TCSANOW, &raw);
        slave_ = slave;  // held, so that the master does not see a hang-up between two openings
        std::filesystem::remove(config_.device);
        std::filesystem::create_symlink(name.data(), config_.device);
        master_.assign(master);
        buffer_.clear();
        read();
    }

    void unplug() override {
        if (!master_.is_open()) {
            return;
        }
        error_code ignored;
        master_.close(ignored);
        ::close(slave_);
        std::filesystem::remove(config_.device);
    }

    [[nodiscard]] std::string where() const override { return config_.device; }

private:
    microseconds on_wire(std::size_t count) const {
        return microseconds(static_cast<std::int64_t>(count) * 10 * 1'000'000 / config_.baud);
    }
    microseconds silence() const { return microseconds(config_.baud > 19200 ? 1750 : 35 * 1'000'000LL / config_.baud); }

    void read() {
        master_.async_read_some(asio::buffer(chunk_), [this](error_code error, std::size_t count) {
            if (error) {
                return;  // unplugged
            }
            buffer_.insert(buffer_.end(), chunk_.begin(), chunk_.begin() + static_cast<std::ptrdiff_t>(count));
            take();
            read();
        });
    }

    void take() {
        const std::size_t wanted = request_length(buffer_);
        idle_.cancel();
        if (wanted == 0 || buffer_.size() < wanted) {
            // A frame that stays incomplete is noise: the silence after it ends it.
            idle_.expires_after(std::chrono::milliseconds(20));
            idle_.async_wait([this](error_code error) {
                if (!error) {
                    buffer_.clear();
                }
            });
            return;
        }
        const bytes frame(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(wanted));
        const bool more = buffer_.size() > wanted;
        buffer_.clear();
        termios now{};
        const bool right_speed = tcgetattr(slave_, &now) == 0 && cfgetospeed(&now) == speed_of(config_.baud);
        const auto arrived = clock::now();
        const bool too_close = more || arrived < busy_until_ + silence();
        bytes body(frame.begin(), frame.end() - 2);
        const std::uint16_t crc = crc16(body);
        const bool intact = frame[wanted - 2] == (crc & 0xFFU) && frame[wanted - 1] == (crc >> 8U);
        if (!right_speed || too_close || !intact) {
            return;  // no board can tell a frame from it
        }
        // A board acts when it has heard the last bit.
        busy_until_ = arrived + on_wire(wanted);
        heard_.expires_at(busy_until_);
        heard_.async_wait([this, body = std::move(body)](error_code error) {
            if (!error && master_.is_open()) {
                answer(body);
            }
        });
    }

    void answer(const bytes& body) {
        const served s = serve_(body[0], bytes(body.begin() + 1, body.end()));
        auto at = busy_until_;
        if (!s.pdu || body[0] == 0) {
            return;  // silence; a broadcast is never answered
        }
        bytes answer{body[0]};
        answer.insert(answer.end(), s.pdu->begin(), s.pdu->end());
        const std::uint16_t sum = static_cast<std::uint16_t>(crc16(answer) ^ (s.wrong_crc ? 0x5555U : 0U));
        answer.push_back(static_cast<std::uint8_t>(sum & 0xFFU));
        answer.push_back(static_cast<std::uint8_t>(sum >> 8U));
        if (s.collided) {  // one sends a bit behind the other, and both pull the line
            unsigned carried = 1;
            for (auto& byte : answer) {
                const unsigned sent = byte;
                byte = static_cast<std::uint8_t>(sent & (sent << 1U | carried));
                carried = sent >> 7U;
            }
        }
        for (int i = 0; i < s.garbage; ++i) {
            answer.insert(answer.begin(), static_cast<std::uint8_t>(0xA5 + i));
        }
        at += microseconds(s.turnaround_us) + std::chrono::milliseconds(s.late_ms) + on_wire(answer.size());
        if (s.late_ms == 0) {
            busy_until_ = at;
        }
        auto timer = std::make_shared<asio::steady_timer>(io_, at);
        timer->async_wait([this, timer, answer](error_code error) {
            if (!error && master_.is_open()) {
                error_code ignored;
                asio::write(master_, asio::buffer(answer), ignored);
            }
        });
    }

    asio::io_context& io_;
    config config_;
    serve serve_;
    asio::posix::stream_descriptor master_;
    asio::steady_timer idle_;
    asio::steady_timer heard_;
    int slave_ = -1;
    std::array<std::uint8_t, 256> chunk_{};
    bytes buffer_;
    clock::time_point busy_until_;
};

class tcp_line final : public transport {
public:
    tcp_line(asio::io_context& io, const config& c, serve s)
        : io_(io), port_(c.port), serve_(std::move(s)), acceptor_(io) {
        plug();
    }

    void plug() override {
        if (acceptor_.is_open()) {
            return;
        }
        const asio::ip::tcp::endpoint here(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port_));
        acceptor_.open(here.protocol());
        acceptor_.set_option(asio::socket_base::reuse_address(true));
        acceptor_.bind(here);
        acceptor_.listen();
        port_ = acceptor_.local_endpoint().port();
        accept();
    }
    void unplug() override {
        error_code ignored;
        acceptor_.close(ignored);
        for (const auto& s : sessions_) {
            s->socket.close(ignored);
        }
        sessions_.clear();
    }
    [[nodiscard]] std::string where() const override { return fmt::format("127.0.0.1:{}", port_); }

private:
    struct session {
        explicit session(asio::io_context& io) : socket(io) {}
        asio::ip::tcp::socket socket;
        std::array<std::uint8_t, 7> header{};
        bytes body;
    };
    using ptr = std::shared_ptr<session>;

    void accept() {
        auto s = std::make_shared<session>(io_);
        acceptor_.async_accept(s->socket, [this, s](error_code error) {
            if (error) {
                return;
            }
            s->socket.set_option(asio::ip::tcp::no_delay(true));
            sessions_.insert(s);
            read(s);
            accept();
        });
    }

    void read(const ptr& s) {
        asio::async_read(s->socket, asio::buffer(s->header), [this, s](error_code error, std::size_t) {
            const std::size_t length = static_cast<std::size_t>((s->header[4] << 8U) | s->header[5]);
            if (error || length < 2 || length > 254) {
                sessions_.erase(s);
                return;
            }
            s->body.resize(length - 1);
            asio::async_read(s->socket, asio::buffer(s->body), [this, s](error_code e, std::size_t) {
                if (e) {
                    sessions_.erase(s);
                    return;
                }
                answer(s);
                read(s);
            });
        });
    }

    void answer(const ptr& s) {
        const served r = serve_(s->header[6], s->body);
        if (!r.pdu || r.collided) {  // the gateway hears no frame
            return;
        }
        const std::size_t length = r.pdu->size() + 1;
        auto out =
            std::make_shared<bytes>(bytes{s->header[0], s->header[1], 0, 0, static_cast<std::uint8_t>(length >> 8U),
                                          static_cast<std::uint8_t>(length & 0xFFU), s->header[6]});
        out->insert(out->end(), r.pdu->begin(), r.pdu->end());
        if (r.wrong_crc) {
            (*out)[2] = 0x55;  // TCP has no checksum of its own: a broken protocol id is the like
        }
        auto timer = std::make_shared<asio::steady_timer>(
            io_, microseconds(r.turnaround_us) + std::chrono::milliseconds(r.late_ms));
        timer->async_wait([s, out, timer](error_code error) {
            if (!error && s->socket.is_open()) {
                error_code ignored;
                asio::write(s->socket, asio::buffer(*out), ignored);
            }
        });
    }

    asio::io_context& io_;
    int port_;
    serve serve_;
    asio::ip::tcp::acceptor acceptor_;
    std::set<ptr> sessions_;
};

}  // namespace

std::unique_ptr<transport> make_pty(asio::io_context& io, const config& c, serve s) {
    return std::make_unique<pty_line>(io, c, std::move(s));
}

std::unique_ptr<transport> make_tcp(asio::io_context& io, const config& c, serve s) {
    return std::make_unique<tcp_line>(io, c, std::move(s));
}

}  // namespace sim
