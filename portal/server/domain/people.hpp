// Residents: who a phone number is, signing in by a one-time code, what is kept of them and how it goes.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "portal/server/domain/office.hpp"

namespace locker::portal {

// "138 0013 8000", "+86138…", "+49…" → E.164; nothing: it is no phone number.
[[nodiscard]] std::optional<std::string> phone_number(std::string_view text);

// Whether messages are sent there.
[[nodiscard]] bool is_served(const rules& by, std::string_view phone);

// "138****8000": as pages show it.
[[nodiscard]] std::string masked(std::string_view phone);

// A code of six digits for this phone; it lives five minutes and five tries. Errors: too_many (one a minute, five an
// hour). Call within a transaction.
[[nodiscard]] result<std::string> issue_sign_in_code(office& o, const std::string& phone);

// The person's id; made at the first time. Errors: wrong_code, the same for a phone that no code was sent to.
[[nodiscard]] result<std::string> check_sign_in_code(office& o, const std::string& phone, const std::string& code);

// The person of a phone number, made if need be: somebody who may collect for another.
[[nodiscard]] std::string person_of(office& o, const std::string& phone);

// In full; nothing: there is no such person (any more).
[[nodiscard]] std::optional<std::string> phone_of(office& o, const std::string& person);

// All that is kept of a person (PIPL art. 45): phone, cases, notices, who looked.
[[nodiscard]] boost::json::object export_of(office& o, const std::string& person);

// The person goes; ended cases stay without a name. Errors: wrong_state while papers are on their way.
[[nodiscard]] result<void> forget(office& o, const std::string& person);

// Whatever is kept of a person goes, whoever asks. Within a transaction.
void erase_person(office& o, const std::string& person);

}  // namespace locker::portal
