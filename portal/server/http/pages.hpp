// The built pages, held in memory: a few files that never change while we run.
#pragma once

#include <map>
#include <string>

#include "portal/server/http/message.hpp"

namespace locker::portal {

class pages {
public:
    // A folder that is missing gives a page that says so.
    explicit pages(const std::string& folder);
    [[nodiscard]] http_response serve(const http_request& r) const;

private:
    struct file {
        std::string type;
        std::string plain;
        std::string gzip;     // empty: not worth it
        bool hashed = false;  // its name changes with its content
    };
    std::map<std::string, file, std::less<>> files_;
};

}  // namespace locker::portal
