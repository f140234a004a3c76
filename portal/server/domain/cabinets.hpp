// The cabinets that this portal serves: what each is called, its key, how far its events have been taken in.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "portal/server/domain/office.hpp"

namespace locker::portal {

struct cabinet_record {
    std::string id;
    std::string name;
    std::string place;
    std::string help;                   // a phone number for whoever stands before it
    std::uint64_t sequence = 0;         // of the last event that was taken in …
    std::string head{};                 // … and its hash; empty: not known
    std::int64_t ledger = 0;            // how many others it had before
    std::int64_t counted_until_ms = 0;  // what the one before told of is counted; this one may tell it again
};

// A new cabinet with a new key. Errors: malformed, taken.
[[nodiscard]] result<void> add_cabinet(office& o, const cabinet_record& what, const key256& key);
// Another key, for a database that was restored or a board that was lost; codes shown before end with the old one.
// Errors: unknown_cabinet.
[[nodiscard]] result<void> rekey_cabinet(office& o, const std::string& id, const key256& key);
// Its name, place and help number. Errors: malformed, unknown_cabinet.
[[nodiscard]] result<void> rename_cabinet(office& o, const cabinet_record& what);
// It is served no more; its id is not given again, since notices and cases of old name it. Cases that were begun end.
// `anyway`: it burned, say; what lies there is in nobody's hands, and all its cases go on over the counter. In the
// caller's transaction. Errors: unknown_cabinet, wrong_state (papers are on their way there, or lie there).
[[nodiscard]] result<void> remove_cabinet(office& o, const std::string& id, bool anyway, const std::string& who);
[[nodiscard]] std::optional<cabinet_record> find_cabinet(office& o, const std::string& id);
// Whether there is one of this id, or was.
[[nodiscard]] bool was_cabinet(office& o, const std::string& id);
[[nodiscard]] std::vector<cabinet_record> all_cabinets(office& o);

// Its ledger is another one, or begins later: events are taken in after this one. Told in the access log.
void restart_at(office& o, const std::string& cabinet, std::uint64_t sequence);

// For codes. Throws std::runtime_error when the data key does not open it: this is another installation's database.
[[nodiscard]] secret256 key_of(office& o, const std::string& cabinet);

// What `lockerctl provision` writes on the cabinet's board: keys, the ring of issuer keys, the broker's account.
struct broker_account {
    std::string uri;
    std::string username;
    std::string password;
};
[[nodiscard]] boost::json::object provisioning(office& o, const cabinet_record& what, const broker_account& broker);

// For Mosquitto: the command that makes the account, and the lines that bound it to its own topics.
[[nodiscard]] std::string broker_account_command(const broker_account& broker);
[[nodiscard]] std::string broker_acl(const broker_account& broker, const std::string& cabinet);

// What a cabinet says of itself just now; kept in memory, said again by the broker after a restart.
struct cabinet_now {
    bool online = false;
    std::string epoch;
    std::string version;
    boost::json::object metrics;
    std::int64_t heard_ms = 0;                        // when they were said last; 0: never
    boost::json::object facts;                        // topic `cabinet`
    std::map<int, boost::json::object> compartments;  // topic `compartment/<n>`
    std::map<std::string, boost::json::object> alarms;
};

}  // namespace locker::portal
