// What more than one room of the API shows, and how a door is opened for either.
#pragma once

#include <set>
#include <string>

#include "portal/server/app.hpp"
#include "portal/server/domain/cases.hpp"

namespace locker::portal {

[[nodiscard]] boost::json::object cabinet_view(app& a, const cabinet_record& c);

// A case's view with what its door does just now.
[[nodiscard]] boost::json::object with_door(app& a, boost::json::object view);

[[nodiscard]] boost::json::object inbox_view(app& a, const std::string& recipient);

// Decides what opens a door for this case now, and commits that. Body: `size`, `accessible`.
[[nodiscard]] result<door_plan> plan_for(app& a, case_record& c, const call& by);

// The same authority as a QR code for the cabinet's scanner: its network is down.
[[nodiscard]] http_response slip_for(app& a, case_record& c, const call& by);

// What came of it, for the page: the door's number, or what is to be done.
[[nodiscard]] http_response opened(app& a, const call& by, const case_record& c,
                                   const result<boost::json::object>& said);

// Tells of each change of a subject, until the other side goes.
[[nodiscard]] http_response event_stream(app& a, std::set<std::string> subjects);

}  // namespace locker::portal
