#include "portal/server/http/server.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace locker::portal {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto request_within = 20s;
constexpr auto idle_at_most = 60s;
constexpr auto write_within = 20s;
constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

using beast_request = http::request<http::string_body>;

std::string header(const beast_request& r, std::string_view name) {
    const auto at = r.find(boost::beast::string_view(name.data(), name.size()));
    return at == r.end() ? "" : std::string(at->value());
}

void read_cookies(std::string_view text, http_request& out) {
    while (!text.empty()) {
        const auto end = text.find(';');
        auto one = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        while (!one.empty() && one.front() == ' ') {
            one.remove_prefix(1);
        }
        if (const auto equals = one.find('='); equals != std::string_view::npos) {
            out.cookies.emplace(one.substr(0, equals), one.substr(equals + 1));
        }
    }
}

// False: its target is none.
bool read_target(std::string_view target, http_request& out) {
    const auto question = target.find('?');
    const auto path = url_decoded(target.substr(0, question), false);
    if (!path || path->empty() || path->front() != '/' || path->find('\0') != std::string::npos) {
        return false;
    }
    out.path = *path;
    auto rest = question == std::string_view::npos ? std::string_view() : target.substr(question + 1);
    while (!rest.empty()) {
        const auto end = rest.find('&');
        const auto one = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        const auto equals = one.find('=');
        const auto name = url_decoded(one.substr(0, equals), true);
        const auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                            : url_decoded(one.substr(equals + 1), true);
        if (!name || !value) {
            return false;
        }
        out.query[*name] = *value;
    }
    return true;
}

// Whom limits count as one: an IPv6 subscriber has 2^64 addresses (RFC 6177), an IPv4 one has one.
std::string network_of(const std::string& address) {
    boost::system::error_code none;
    const auto a = asio::ip::make_address(address, none);
    if (none || !a.is_v6()) {
        return address;
    }
    if (a.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, a.to_v6()).to_string();
    }
    return asio::ip::network_v6(a.to_v6(), 64).canonical().to_string();
}

// What every answer carries (OWASP ASVS 14.4).
template <typename Fields>
void add_security(Fields& to, const http_server::options& o) {
    to.set("Content-Security-Policy",
           fmt::format(
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
               "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {}",
               o.framed ? "http://127.0.0.1:*" : "'none'"));
    to.set("X-Content-Type-Options", "nosniff");
    to.set("Referrer-Policy", "no-referrer");
    to.set("Cross-Origin-Opener-Policy", "same-origin");
    to.set("Cross-Origin-Resource-Policy", "same-origin");
    to.set("Permissions-Policy", "camera=(), geolocation=(), microphone=()");
    if (o.secure) {
        to.set("Strict-Transport-Security", "max-age=31536000");
    }
}

}  // namespace

std::optional<std::string> url_decoded(std::string_view text, bool plus_is_space) {
    const auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' && plus_is_space ? ' ' : text[i];
            continue;
        }
        if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
    return out;
}

http_server::http_server(asio::io_context& io, options given, http_handler handler)
    : io_(io), options_(std::move(given)), handler_(std::move(handler)), acceptor_(io) {
    const tcp::endpoint where(asio::ip::make_address(options_.address), options_.port);
    acceptor_.open(where.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(where);
    acceptor_.listen();
}

void http_server::start() {
    asio::co_spawn(io_, accept(), asio::detached);
}

void http_server::stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

asio::awaitable<void> http_server::accept() {
    while (acceptor_.is_open()) {
        auto [error, socket] = co_await acceptor_.async_accept(nothrow);
        if (error) {
            if (!acceptor_.is_open()) {
                co_return;
            }
            asio::steady_timer pause(io_, 100ms);  // no descriptor is left, say
            co_await pause.async_wait(nothrow);
            continue;
        }
        asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
    }
}

asio::awaitable<void> http_server::serve(tcp::socket socket) {
    boost::system::error_code unknown;
    const auto peer = socket.remote_endpoint(unknown);
    if (unknown) {
        co_return;
    }
    const std::string address = peer.address().to_string();
    auto& mine = by_address_[address];
    const bool full = connections_ >= connections_most || (!options_.behind_proxy && mine >= connections_of_one);
    if (!full) {
        ++connections_;
        ++mine;
        try {
            co_await converse(socket);
        } catch (const std::exception& e) {
            spdlog::error("event=connection_failed why={}", e.what());
        }
        --connections_;
        if (--by_address_[address] <= 0) {
            by_address_.erase(address);
        }
    } else if (mine == 0) {
        by_address_.erase(address);
    }
}

asio::awaitable<void> http_server::converse(tcp::socket& socket) {
    boost::system::error_code unknown;
    const std::string peer = socket.remote_endpoint(unknown).address().to_string();
    socket.set_option(tcp::no_delay(true), unknown);
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer(header_bytes + body_bytes);
    for (bool first = true;; first = false) {
        http::request_parser<http::string_body> parser;
        parser.header_limit(header_bytes);
        parser.body_limit(body_bytes);
        stream.expires_after(first ? request_within : idle_at_most);
        const auto [error, size] = co_await http::async_read(stream, buffer, parser, nothrow);
        (void)size;
        const bool too_large = error == http::error::body_limit || error == http::error::header_limit;
        if (error && !too_large) {
            co_return;  // gone, late, or no HTTP
        }
        http_response answer;
        bool keep = false;
        unsigned version = 11;
        bool head = false;
        if (too_large) {
            answer = refused({413, "malformed", "内容太大。 The request is too large."});
        } else {
            const auto& r = parser.get();
            version = r.version();
            keep = r.keep_alive();
            head = r.method() == http::verb::head;
            http_request request;
            request.method = head ? "GET" : std::string(r.method_string());
            request.body = r.body();
            request.host = header(r, "Host");
            request.origin = header(r, "Origin");
            request.content_type = header(r, "Content-Type");
            request.csrf = header(r, "X-CSRF");
            // The scheme's name in any case: RFC 7235 §2.1.
            if (const auto given = header(r, "Authorization");
                boost::beast::iequals(std::string_view(given).substr(0, 7), "Bearer ")) {
                request.bearer = given.substr(7);
            }
            request.background = header(r, "X-Background") == "1";
            request.gzip = header(r, "Accept-Encoding").find("gzip") != std::string::npos;
            request.address = peer;
            if (options_.behind_proxy) {
                const auto forwarded = header(r, "X-Forwarded-For");
                const auto last = forwarded.find_last_of(", ");
                request.address = forwarded.empty() ? peer : forwarded.substr(last == std::string::npos ? 0 : last + 1);
            }
            request.address = network_of(request.address);
            read_cookies(header(r, "Cookie"), request);
            if (read_target(std::string_view(r.target().data(), r.target().size()), request)) {
                stream.expires_never();  // an opening takes what it takes; the handler has its own limits
                answer = co_await handler_(std::move(request));
            } else {
                answer = refused({400, "malformed", "地址不正确。 That address is malformed."});
            }
        }
        if (answer.stream) {
            http::response<http::empty_body> begin(http::status::ok, version);
            begin.set(http::field::content_type, answer.type);
            begin.set(http::field::cache_control, "no-store");
            begin.set("X-Accel-Buffering", "no");  // nginx would keep events until they are many
            begin.keep_alive(false);
            add_security(begin, options_);
            http::response_serializer<http::empty_body> serializer(begin);
            stream.expires_after(write_within);
            const auto [failed, sent] = co_await http::async_write_header(stream, serializer, nothrow);
            (void)sent;
            if (failed) {
                co_return;
            }
            const stream_writer write = [&stream](std::string piece) -> asio::awaitable<bool> {
                stream.expires_after(write_within);
                const auto [gone, count] = co_await asio::async_write(stream, asio::buffer(piece), nothrow);
                (void)count;
                stream.expires_never();
                co_return !gone;
            };
            co_await answer.stream(write);
            co_return;
        }
        http::response<http::string_body> r(static_cast<http::status>(answer.status), version);
        r.set(http::field::content_type, answer.type);
        r.set(http::field::cache_control, "no-store");
        add_security(r, options_);
        for (const auto& [name, value] : answer.headers) {
            if (name == "Set-Cookie") {
                r.insert(name, value);
            } else {
                r.set(name, value);
            }
        }
        r.body() = std::move(answer.body);
        r.keep_alive(keep);
        r.prepare_payload();
        stream.expires_after(write_within);
        if (head) {
            http::response<http::empty_body> only(r.base());
            const auto [failed, sent] = co_await http::async_write(stream, only, nothrow);
            (void)sent;
            if (failed || !keep) {
                co_return;
            }
            continue;
        }
        const auto [failed, sent] = co_await http::async_write(stream, r, nothrow);
        (void)sent;
        if (failed || !keep) {
            stream.socket().shutdown(tcp::socket::shutdown_send, unknown);
            co_return;
        }
    }
}

}  // namespace locker::portal
