#include "tests/component/scripted_peer.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace peer {
namespace {

using clock = std::chrono::steady_clock;

struct due_answer {
    clock::time_point at;
    bytes raw;
};

}  // namespace

std::uint16_t crc(const bytes& body) {
    unsigned sum = 0xFFFF;
    for (const std::uint8_t b : body) {
        sum ^= b;
        for (int i = 0; i < 8; ++i) {
            const bool carry = (sum & 1U) != 0;
            sum >>= 1U;
            if (carry) {
                sum ^= 0xA001U;
            }
        }
    }
    return static_cast<std::uint16_t>(sum);
}

bytes rtu(bytes body) {
    const std::uint16_t sum = crc(body);
    body.push_back(static_cast<std::uint8_t>(sum & 0xFFU));
    body.push_back(static_cast<std::uint8_t>(sum >> 8U));
    return body;
}

scripted_peer::scripted_peer(kind how, script answers) : how_(how), answers_(std::move(answers)) {
    if (how == kind::pty) {
        std::array<char, 128> name{};
        if (openpty(&fd_, &slave_, name.data(), nullptr, nullptr) != 0) {
            throw std::runtime_error("no pseudo-terminal");
        }
        termios raw{};
        tcgetattr(slave_, &raw);
        cfmakeraw(&raw);
        tcsetattr(slave_, TCSANOW, &raw);
        device_ = name.data();
    } else {
        fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in here{};
        here.sin_family = AF_INET;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof here;
        auto* address = reinterpret_cast<sockaddr*>(&here);
        if (bind(fd_, address, size) != 0 || listen(fd_, 4) != 0 || getsockname(fd_, address, &size) != 0) {
            throw std::runtime_error("no listening socket");
        }
        port_ = ntohs(here.sin_port);
    }
    thread_ = std::thread([this] { run(); });
}

scripted_peer::~scripted_peer() {
    stop_ = true;
    thread_.join();
    for (const int fd : {fd_, slave_}) {
        if (fd >= 0) {
            close(fd);
        }
    }
}

std::vector<question> scripted_peer::heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
}

void scripted_peer::pull() {
    stop_ = true;
    thread_.join();
    close(fd_);
    fd_ = -1;
    if (slave_ >= 0) {
        close(slave_);
        slave_ = -1;
    }
    thread_ = std::thread([] {});
}

void scripted_peer::run() {
    if (how_ == kind::pty) {
        serve(fd_);
        return;
    }
    while (!stop_) {
        pollfd p{fd_, POLLIN, 0};
        if (poll(&p, 1, 5) == 1) {
            const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
            serve(fd);
            close(fd);
        }
    }
}

void scripted_peer::serve(int fd) {
    bytes buffer;
    std::vector<due_answer> due;
    while (!stop_) {
        const auto now = clock::now();
        for (auto at = due.begin(); at != due.end();) {
            if (at->at <= now) {
                (void)!write(fd, at->raw.data(), at->raw.size());
                at = due.erase(at);
            } else {
                ++at;
            }
        }
        pollfd p{fd, POLLIN, 0};
        if (poll(&p, 1, 1) != 1) {
            continue;
        }
        std::array<std::uint8_t, 256> chunk{};
        const auto count = read(fd, chunk.data(), chunk.size());
        if (count <= 0) {
            return;
        }
        buffer.insert(buffer.end(), chunk.begin(), chunk.begin() + count);
        for (;;) {
            question q;
            q.arrived = clock::now();
            if (how_ == kind::pty) {
                // FC0F and FC10 say how many bytes of data they carry.
                const bool many = buffer.size() > 6 && (buffer[1] == 0x0F || buffer[1] == 0x10);
                const std::size_t frame = many ? 9U + buffer[6] : 8U;
                if (buffer.size() < frame) {
                    break;
                }
                q.body.assign(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(frame) - 2);
                buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(frame));
            } else {
                if (buffer.size() < 7 || buffer.size() < 6U + buffer[5]) {
                    break;
                }
                q.transaction = static_cast<std::uint16_t>((buffer[0] << 8U) | buffer[1]);
                q.body.assign(buffer.begin() + 6, buffer.begin() + 6 + buffer[5]);
                buffer.erase(buffer.begin(), buffer.begin() + 6 + buffer[5]);
            }
            {
                const std::lock_guard lock(mutex_);
                heard_.push_back(q);
            }
            for (const auto& a : answers_(q)) {
                due.push_back({q.arrived + a.after, a.raw});
            }
        }
    }
}

bytes model::reply(const question& q) const {
    const std::uint8_t function = q.body.at(1);
    if (function == 1) {
        return {address, 1, 1, 0};
    }
    if (function == 2) {
        return {address, 2, 1, inputs.load()};
    }
    if (function == 3) {
        bytes out{address, 3, 16};
        out.resize(19);
        out[4 + 2 * 2] = 1;  // relay 3 is on
        return out;
    }
    return {q.body.begin(), q.body.begin() + 6};  // FC05, FC06: the echo; FC0F, FC10: address and count
}

}  // namespace peer
