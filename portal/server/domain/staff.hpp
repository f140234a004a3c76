// Grid workers and administrators: accounts, signing in by password and one-time code, which cabinets are theirs, and
// the roster by which a cabinet knows them.
#pragma once

#include <boost/json/array.hpp>
#include <optional>
#include <string>
#include <vector>

#include "portal/server/domain/office.hpp"

namespace locker::portal {

inline constexpr const char* every_cabinet = "*";

struct staff_account {
    std::string number;  // 4 to 6 digits
    std::string name;
    std::string role;                   // worker | admin
    std::vector<std::string> cabinets;  // by their ids; every_cabinet: all, those to come among them
    bool active = true;
};

struct new_staff {
    staff_account account;
    std::string password_hash;  // vault::hash_password, computed off the loop's thread
};

// The TOTP secret, base32, for the phone's authenticator: shown once. Errors: malformed, taken.
[[nodiscard]] result<std::string> add_staff(office& o, const new_staff& who);

// Name, role, cabinets, whether it is in force. Errors: unknown; last_admin.
[[nodiscard]] result<void> change_staff(office& o, const staff_account& who);
// A new password and a new authenticator's key: the phone was lost, the password forgotten. Errors: unknown.
[[nodiscard]] result<std::string> reset_staff(office& o, const std::string& number, const std::string& password_hash);

// Whether another of the staff made this account or gave it a new password since then, by the access log; whoever did
// may still know the password.
inline constexpr const char* audit_staff_added = "staff added";
inline constexpr const char* audit_staff_reset = "staff's password and authenticator reset";
[[nodiscard]] bool given_access_since(office& o, const std::string& number, std::int64_t since_ms);

[[nodiscard]] std::optional<staff_account> find_staff(office& o, const std::string& number);
[[nodiscard]] std::vector<staff_account> all_staff(office& o);

// Of an account in force; of none a hash that no password has, so that both take as long.
[[nodiscard]] std::string password_hash_of(office& o, const std::string& number);

// After the password was found right: the authenticator's code, each step once, one early or late.
[[nodiscard]] bool check_totp(office& o, const std::string& number, const std::string& code);

[[nodiscard]] bool may_work_at(const staff_account& who, const std::string& cabinet);

// What the cabinet's roster should say, when that is not what it was told last; protocol/CODES.md.
struct roster {
    std::int64_t version = 0;
    boost::json::array staff;
    std::string digest;
};
[[nodiscard]] std::optional<roster> roster_to_send(office& o, const std::string& cabinet);
void roster_taken(office& o, const std::string& cabinet, const roster& what);

}  // namespace locker::portal
