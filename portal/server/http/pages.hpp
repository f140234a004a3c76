// The built pages, held in memory: a few files that never change while we run.
#pragma once

#include <map>
#include <string>

#include "portal/server/http/message.hpp"

namespace locker::portal {

// The dashboard at /ops/ speaks with the broker itself: what it is told of it, as ops.json.
struct dashboard_settings {
    std::string broker;      // "wss://broker.example:9001", as browsers reach it; empty: /mqtt of the page's own origin
    bool anonymous = false;  // the broker wants no account: for trials
};

class pages {
public:
    // A folder that is missing gives a page that says so.
    pages(const std::string& folder, dashboard_settings dashboard);
    [[nodiscard]] http_response serve(const http_request& r) const;

private:
    struct file {
        std::string type;
        std::string plain;
        std::string gzip;     // empty: not worth it
        bool hashed = false;  // its name changes with its content
    };
    [[nodiscard]] http_response of_dashboard(const http_request& r) const;
    [[nodiscard]] http_response sent(const file& what, const http_request& r) const;

    std::map<std::string, file, std::less<>> files_;
    dashboard_settings dashboard_;
};

}  // namespace locker::portal
