// What more than one room of the API shows, and how a door is opened for either.
#pragma once

#include <set>
#include <string>

#include "portal/server/app.hpp"
#include "portal/server/domain/cases.hpp"

namespace locker::portal {

[[nodiscard]] boost::json::object cabinet_view(app& a, const cabinet_record& c);

// A case with its place and what its door does just now: in a list; and by itself, with its history.
[[nodiscard]] boost::json::object listed_view(app& a, const case_record& c, const std::optional<deposit_record>& d,
                                              const std::optional<cabinet_record>& at);
[[nodiscard]] boost::json::object case_view(app& a, const case_record& c);
// … as this resident may see it: whoever collects for another sees what that takes, and no more.
[[nodiscard]] boost::json::object case_view(app& a, const case_record& c, const std::string& person);

[[nodiscard]] boost::json::object inbox_view(app& a, const std::string& recipient);

// Decides what opens a door for this case now, commits that, and asks the cabinet. Body: `size`, `accessible`. For the
// page: the door's number, or what is to be done.
[[nodiscard]] boost::asio::awaitable<http_response> open_door(app& a, case_record c, const call& by);

// The same authority as a QR code for the cabinet's scanner: its network is down.
[[nodiscard]] http_response slip_for(app& a, case_record& c, const call& by);

// Tells of each change of a subject, until the other side goes.
[[nodiscard]] http_response event_stream(app& a, const std::string& who, std::set<std::string> subjects);

}  // namespace locker::portal
