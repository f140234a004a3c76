// A request as handlers see it, and what they answer.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "portal/server/domain/problem.hpp"

namespace locker::portal {

struct http_request {
    std::string method;
    std::string path;                          // decoded, without the query
    std::map<std::string, std::string> query;  // decoded
    std::string body;
    std::string address;  // whose it is: of the socket, or as a trusted proxy says
    std::string host;
    std::string origin;
    std::string content_type;
    bool background = false;  // the page asks by itself, nobody has touched it
    std::string csrf;
    std::string bearer;  // of an Authorization header (RFC 6750)
    std::map<std::string, std::string, std::less<>> cookies;
    bool gzip = false;
};

// Writes one piece of a stream; false: the other side has gone.
using stream_writer = std::function<boost::asio::awaitable<bool>(std::string)>;

struct http_response {
    int status = 200;
    std::string type = "application/json; charset=utf-8";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    std::function<boost::asio::awaitable<void>(stream_writer)> stream;  // instead of a body: server-sent events
};

[[nodiscard]] inline http_response ok(const boost::json::value& v, int status = 200) {
    http_response r;
    r.status = status;
    r.body = boost::json::serialize(v);
    return r;
}

// {"error":{"code","message"}}
[[nodiscard]] inline http_response refused(const problem& p) {
    return ok(boost::json::object{{"error", boost::json::object{{"code", p.code}, {"message", p.message}}}}, p.status);
}

}  // namespace locker::portal
