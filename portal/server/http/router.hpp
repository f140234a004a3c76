// Who may ask what: routes with their access, sessions, CSRF, limits. Handlers see only what has passed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "portal/server/domain/limiter.hpp"
#include "portal/server/domain/office.hpp"
#include "portal/server/domain/staff.hpp"
#include "portal/server/http/message.hpp"

namespace locker::portal {

enum class access : std::uint8_t {
    anyone,
    resident,
    staff,
    admin,
    figures,  // programs that read sums by the configuration's token; administrators, too
};

// Parts of the path in place of {…}, the body's members, and who asks.
struct call {
    const http_request& request;
    std::vector<std::string> parts;
    boost::json::object body;
    std::string person;   // access::resident
    staff_account staff;  // access::staff and admin
    [[nodiscard]] std::string who() const { return staff.number.empty() ? person : "staff:" + staff.number; }
    // A member of the body that is a text; empty: there is none.
    [[nodiscard]] std::string text(std::string_view member) const;
    [[nodiscard]] bool flag(std::string_view member) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view member) const;
};

using handler = std::function<boost::asio::awaitable<http_response>(call&)>;

class router {
public:
    // `origin`: of the pages, "https://locker.example"; empty: whatever the Host header says.
    router(office& desk, limiter& limits, std::string origin);

    void on(std::string_view method, std::string_view pattern, access who, handler what);
    [[nodiscard]] boost::asio::awaitable<http_response> handle(const http_request& r);

    // ---- sessions: a cookie each for residents and staff, so that one browser may be both.
    struct begun {
        std::string cookie;
        std::string csrf;
    };
    [[nodiscard]] begun begin_session(const std::string& role, const std::string& subject);
    void end_session(const http_request& r, const std::string& role);
    // Whoever else is signed in as the same: a phone was lost.
    void end_other_sessions(const http_request& r, const std::string& role, const std::string& subject);
    [[nodiscard]] std::string ended_cookie(const std::string& role) const;
    // The session's csrf token and subject; nothing: there is none.
    struct session {
        std::string subject;
        std::string csrf;
    };
    [[nodiscard]] std::optional<session> find_session(const http_request& r, const std::string& role);

private:
    struct route {
        std::string method;
        std::vector<std::string> pattern;
        access who;
        handler what;
    };
    [[nodiscard]] std::optional<problem> refuse(const http_request& r, const route& to, call& c);
    [[nodiscard]] std::optional<problem> authenticate(const http_request& r, access who, call& c);
    [[nodiscard]] bool own_origin(const http_request& r) const;

    office& desk_;
    limiter& limits_;
    std::string origin_;
    std::vector<route> routes_;
};

}  // namespace locker::portal
