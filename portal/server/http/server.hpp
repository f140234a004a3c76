// HTTP/1.1 by Boost.Beast: connections, bounds, time limits, security headers. TLS ends before us, in the proxy.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <map>
#include <string>

#include "portal/server/http/message.hpp"

namespace locker::portal {

using http_handler = std::function<boost::asio::awaitable<http_response>(http_request)>;

class http_server {
public:
    struct options {
        std::string address = "127.0.0.1";
        unsigned short port = 8080;
        bool behind_proxy = false;  // X-Forwarded-For is believed: its last entry is whom our proxy saw
        bool framed = false;        // other pages of this machine may show ours: a demo's
        bool secure = false;        // pages are reached by https: browsers are told to insist
    };
    // Throws boost::system::system_error when the address cannot be had.
    http_server(boost::asio::io_context& io, options given, http_handler handler);

    void start();
    void stop();
    [[nodiscard]] unsigned short port() const { return acceptor_.local_endpoint().port(); }

    static constexpr std::size_t body_bytes = 512 * 1024;
    static constexpr std::size_t header_bytes = 16 * 1024;
    static constexpr int connections_most = 2000;
    static constexpr int connections_of_one = 200;  // address; not behind a proxy

private:
    boost::asio::awaitable<void> accept();
    boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
    boost::asio::awaitable<void> converse(boost::asio::ip::tcp::socket& socket);

    boost::asio::io_context& io_;
    options options_;
    http_handler handler_;
    boost::asio::ip::tcp::acceptor acceptor_;
    int connections_ = 0;
    std::map<std::string, int> by_address_;
};

// "%E4%B8%AD+x" → its bytes; nothing: it is no such text.
[[nodiscard]] std::optional<std::string> url_decoded(std::string_view text, bool plus_is_space);

}  // namespace locker::portal
