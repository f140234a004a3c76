#include "daemon/ctl/client.hpp"

#include <poll.h>

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <stdexcept>

namespace locker {

namespace asio = boost::asio;
using local = asio::local::stream_protocol;

namespace {

local::socket connect(asio::io_context& io, const std::string& path) {
    local::socket socket(io);
    boost::system::error_code error;
    socket.connect(local::endpoint(path), error);
    if (error) {
        throw std::runtime_error("no lockerd listens at " + path + " (" + error.message() +
                                 "); is it running, and may you open its socket?");
    }
    return socket;
}

// lockerd answers within its ten seconds, or it hangs.
constexpr int answer_within_ms = 15'000;

void wait_for_answer(local::socket& socket) {
    pollfd wanted{socket.native_handle(), POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&wanted, 1, answer_within_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        throw std::runtime_error("lockerd does not answer: it hangs, or the board is overloaded");
    }
}

std::string line_of(local::socket& socket, asio::streambuf& buffer) {
    boost::system::error_code error;
    asio::read_until(socket, buffer, '\n', error);
    if (error) {
        return {};
    }
    std::istream in(&buffer);
    std::string line;
    std::getline(in, line);
    return line;
}

}  // namespace

struct conversation::inner {
    asio::io_context io;
    local::socket socket;
    asio::streambuf buffer;
    explicit inner(const std::string& path) : socket(connect(io, path)) {}
};

conversation::conversation(const std::string& socket) : inner_(std::make_unique<inner>(socket)) {}
conversation::~conversation() = default;

boost::json::object conversation::ask(const boost::json::object& request) {
    boost::system::error_code error;
    asio::write(inner_->socket, asio::buffer(boost::json::serialize(request) + "\n"), error);
    if (!error) {
        wait_for_answer(inner_->socket);
    }
    const auto line = error ? std::string() : line_of(inner_->socket, inner_->buffer);
    if (line.empty()) {
        throw std::runtime_error("lockerd closed the connection without an answer");
    }
    return boost::json::parse(line).as_object();
}

boost::json::object ask(const std::string& path, const boost::json::object& request) {
    return conversation(path).ask(request);
}

void watch(const std::string& path, const std::function<void()>& begun,
           const std::function<void(const std::string&)>& each) {
    asio::io_context io;
    auto socket = connect(io, path);
    // The answer to the second says that the first was heard.
    asio::write(socket, asio::buffer(std::string("{\"do\":\"watch\"}\n{\"do\":\"log\",\"from\":1,\"limit\":1}\n")));
    asio::streambuf buffer;
    bool heard = false;
    for (std::string line = line_of(socket, buffer); !line.empty(); line = line_of(socket, buffer)) {
        if (!heard && boost::json::parse(line).as_object().contains("ok")) {
            heard = true;
            begun();
        } else {
            each(line);
        }
    }
}

}  // namespace locker
