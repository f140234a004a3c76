#include "hal/sim/control.hpp"

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <stdexcept>

namespace sim {

namespace asio = boost::asio;
using boost::system::error_code;
using local = asio::local::stream_protocol;

namespace {
constexpr std::size_t line_max = 64 * 1024;
}

struct control::inner {
    struct session {
        explicit session(local::socket s) : socket(std::move(s)), buffer(line_max) {}
        local::socket socket;
        asio::streambuf buffer;
    };
    local::acceptor acceptor;
    std::string path;
    act doing;

    inner(asio::io_context& io, const std::string& p, act a) : acceptor(io), path(p), doing(std::move(a)) {
        error_code nobody;
        local::socket other(io);
        other.connect(local::endpoint(path), nobody);
        if (!nobody) {
            throw std::runtime_error("socket " + path + " belongs to a simulator that runs; end it, or name another");
        }
        std::filesystem::remove(path);
        acceptor.open();
        acceptor.bind(local::endpoint(path));
        acceptor.listen();
        accept();
    }
    void accept() {
        acceptor.async_accept([this](error_code error, local::socket socket) {
            if (error) {
                return;
            }
            read(std::make_shared<session>(std::move(socket)));
            accept();
        });
    }
    void read(const std::shared_ptr<session>& s) {
        asio::async_read_until(s->socket, s->buffer, '\n', [this, s](error_code error, std::size_t) {
            if (error) {
                return;
            }
            std::istream in(&s->buffer);
            std::string line;
            std::getline(in, line);
            boost::json::object answer;
            try {
                answer = doing(boost::json::parse(line).as_object());
            } catch (const std::exception& e) {
                answer = {{"ok", false}, {"error", e.what()}};
            }
            error_code ignored;
            asio::write(s->socket, asio::buffer(boost::json::serialize(answer) + "\n"), ignored);
            read(s);
        });
    }
};

control::control(asio::io_context& io, const std::string& path, act a)
    : inner_(std::make_unique<inner>(io, path, std::move(a))) {}

control::~control() {
    std::error_code ignored;
    std::filesystem::remove(inner_->path, ignored);
}

boost::json::object ask(const std::string& path, const boost::json::object& request) {
    asio::io_context io;
    local::socket socket(io);
    error_code error;
    socket.connect(local::endpoint(path), error);
    if (error) {
        throw std::runtime_error("no simulator answers at " + path + ": " + error.message());
    }
    asio::write(socket, asio::buffer(boost::json::serialize(request) + "\n"));
    asio::streambuf buffer(line_max);
    asio::read_until(socket, buffer, '\n');
    std::istream in(&buffer);
    std::string line;
    std::getline(in, line);
    return boost::json::parse(line).as_object();
}

}  // namespace sim
