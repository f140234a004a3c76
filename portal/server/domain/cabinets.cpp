#include "portal/server/domain/cabinets.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <stdexcept>

#include "portal/server/domain/cases.hpp"
#include "protocol/json.hpp"

namespace locker::portal {
namespace {

constexpr std::size_t words_most = 120;

cabinet_record record_of(const soci::row& r) {
    return {r.get<std::string>(0),
            r.get<std::string>(1),
            r.get<std::string>(2),
            r.get<std::string>(3),
            static_cast<std::uint64_t>(r.get<long long>(4)),
            r.get<std::string>(5),
            r.get<long long>(6),
            r.get<long long>(7)};
}

result<void> check_words(const cabinet_record& what) {
    if (what.name.empty() || what.name.size() > words_most || what.place.size() > words_most ||
        what.help.size() > words_most) {
        return problem{400, "malformed",
                       "名称不能为空，且不超过 120 字节。 A name is wanted; no text beyond 120 bytes."};
    }
    return {};
}

}  // namespace

result<void> add_cabinet(office& o, const cabinet_record& what, const key256& key) {
    if (!is_name(what.id)) {
        return problem{400, "malformed",
                       "编号只能用字母、数字、_ 和 -，最多 64 个。 The id: 1 to 64 of A-Z a-z 0-9 _ - are wanted."};
    }
    if (auto good = check_words(what); !good) {
        return good;
    }
    if (was_cabinet(o, what.id)) {
        return problem{409, "taken", "该编号已存在或曾经使用过。 There is such a cabinet already, or there was one."};
    }
    const std::string sealed = o.safe.seal("cabinet-key", to_hex(key));
    const long long now = o.now();
    o.db.sql()
        << "INSERT INTO cabinets (id, name, place, help, sealed_key, sequence, roster, roster_digest, created_at) "
           "VALUES (:i, :n, :p, :h, :k, 0, 0, '', :t)",
        soci::use(what.id), soci::use(what.name), soci::use(what.place), soci::use(what.help), soci::use(sealed),
        soci::use(now);
    return {};
}

result<void> rekey_cabinet(office& o, const std::string& id, const key256& key) {
    if (!find_cabinet(o, id)) {
        return problem{404, "unknown_cabinet", "没有此柜子。 There is no such cabinet."};
    }
    const std::string sealed = o.safe.seal("cabinet-key", to_hex(key));
    transaction t(o.db.sql());
    o.db.sql() << "UPDATE cabinets SET sealed_key = :k WHERE id = :i", soci::use(sealed), soci::use(id);
    audit(o, "cabinet", "new key", id);
    t.commit();
    return {};
}

result<void> rename_cabinet(office& o, const cabinet_record& what) {
    if (!find_cabinet(o, what.id)) {
        return problem{404, "unknown_cabinet", "没有此柜子。 There is no such cabinet."};
    }
    if (auto good = check_words(what); !good) {
        return good;
    }
    o.db.sql() << "UPDATE cabinets SET name = :n, place = :p, help = :h WHERE id = :i", soci::use(what.name),
        soci::use(what.place), soci::use(what.help), soci::use(what.id);
    return {};
}

namespace {

// Its cases end or go on over the counter, its deposits are over.
void close_cases(office& o, const std::string& id, const std::string& who) {
    for (auto d : live_deposits(o, id)) {
        d.state = "reclaimed";
        save(o, d);
    }
    std::vector<std::string> going_on(10'000);
    o.db.sql() << "SELECT id FROM cases WHERE cabinet = :i AND state NOT IN ('done', 'cancelled', 'at_counter')",
        soci::use(id), soci::into(going_on);
    for (const auto& one : going_on) {
        auto c = find_case(o, one);
        if (!c || advance(o, *c, case_step::cancel, who)) {
            continue;
        }
        const bool returned = c->state == case_state::returning || c->state == case_state::ready;
        (void)advance(o, *c, returned ? case_step::taken_back : case_step::taken, who);
        (void)to_the_counter(o, *c, who,
                             "此柜已撤除，请到窗口办理。 That cabinet is gone; please come to the counter.");
    }
}

}  // namespace

result<void> remove_cabinet(office& o, const std::string& id, bool anyway, const std::string& who) {
    if (!find_cabinet(o, id)) {
        return problem{404, "unknown_cabinet", "没有此柜子。 There is no such cabinet."};
    }
    // A case that was begun and for which nothing lies there, or can be put there, ends with its cabinet.
    const long long now = o.now();
    long long live = 0;
    o.db.sql() << "SELECT (SELECT COUNT(*) FROM cases WHERE cabinet = :i AND state NOT IN ('done', 'cancelled', "
                  "'awaiting_papers')) + (SELECT COUNT(*) FROM deposits WHERE cabinet = :j AND (state IN ('reserved', "
                  "'deposited', 'confirmed') OR (state = 'asked' AND grant_until > :t)) AND NOT EXISTS (SELECT 1 FROM "
                  "cases c WHERE c.id = deposits.case_id AND c.state NOT IN ('done', 'cancelled', "
                  "'awaiting_papers')))",
        soci::use(id), soci::use(id), soci::use(now), soci::into(live);
    if (live != 0 && !anyway) {
        return problem{
            409, "wrong_state",
            fmt::format("还有 {0} 件未办结，或柜内还有材料。 {0} cases are not finished there, or papers lie "
                        "there.",
                        live)};
    }
    close_cases(o, id, who);
    // No code is made for it any more: its key goes.
    o.db.sql() << "UPDATE cabinets SET removed_at = :t, sealed_key = '' WHERE id = :i", soci::use(now), soci::use(id);
    o.db.sql() << "DELETE FROM stays WHERE cabinet = :i", soci::use(id);
    return {};
}

bool was_cabinet(office& o, const std::string& id) {
    long long known = 0;
    o.db.sql() << "SELECT COUNT(*) FROM cabinets WHERE id = :i", soci::use(id), soci::into(known);
    return known != 0;
}

std::optional<cabinet_record> find_cabinet(office& o, const std::string& id) {
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << "SELECT id, name, place, help, sequence, head, ledger, counted_until FROM cabinets "
                               "WHERE id = :i AND removed_at = 0",
         soci::use(id));
    for (const auto& r : rows) {
        return record_of(r);
    }
    return std::nullopt;
}

std::vector<cabinet_record> all_cabinets(office& o) {
    std::vector<cabinet_record> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare
         << "SELECT id, name, place, help, sequence, head, ledger, counted_until FROM cabinets WHERE removed_at = "
            "0 ORDER BY id");
    for (const auto& r : rows) {
        out.push_back(record_of(r));
    }
    return out;
}

void restart_at(office& o, const std::string& cabinet, std::uint64_t sequence) {
    const auto s = static_cast<long long>(sequence);
    transaction t(o.db.sql());
    o.db.sql() << "UPDATE cabinets SET sequence = :s, head = '', ledger = ledger + 1, roster_digest = '', "
                  "counted_until = heard_until WHERE id = :i",
        soci::use(s), soci::use(cabinet);
    // It may have forgotten which codes were ended, and would look for others than are shown: it is told again.
    o.db.sql() << "UPDATE deposits SET revoke_to = first_issue WHERE cabinet = :i AND first_issue > 0 AND state IN "
                  "('deposited', 'confirmed')",
        soci::use(cabinet);
    audit(o, "cabinet", "another ledger", cabinet);
    t.commit();
}

secret256 key_of(office& o, const std::string& cabinet) {
    std::string sealed;
    o.db.sql() << "SELECT sealed_key FROM cabinets WHERE id = :i", soci::use(cabinet), soci::into(sealed);
    auto hex = o.db.sql().got_data() ? o.safe.open("cabinet-key", sealed) : std::nullopt;
    auto bytes = hex ? from_hex(*hex) : std::nullopt;
    const auto key = bytes ? as_key(*bytes) : std::nullopt;
    if (!key) {
        throw std::runtime_error("the key of cabinet " + cabinet +
                                 " cannot be opened: [keys] data is not the one it was sealed with");
    }
    wipe({reinterpret_cast<std::uint8_t*>(hex->data()), hex->size()});
    wipe(*bytes);
    return secret256(*key);
}

boost::json::object provisioning(office& o, const cabinet_record& what, const broker_account& broker) {
    using boost::json::array;
    using boost::json::object;
    return {{"form", "cloud-locker-provisioning/1"},
            {"cabinet", object{{"id", what.id}, {"name", what.name}, {"place", what.place}, {"help", what.help}}},
            {"cabinet_key", to_hex(key_of(o, what.id))},
            {"issuers", object{{"version", 1},
                               {"keys", array{object{{"kty", "OKP"},
                                                     {"crv", "Ed25519"},
                                                     {"kid", o.issuer.kid},
                                                     {"x", to_base64url(ed25519_public(o.issuer.seed))},
                                                     {"acts", array{"deposit", "collect", "open", "move", "settle",
                                                                    "revoke", "staff", "roster"}}}}}}},
            {"broker", object{{"uri", broker.uri}, {"username", broker.username}, {"password", broker.password}}}};
}

std::string broker_account_command(const broker_account& broker) {
    return fmt::format("mosquitto_passwd /etc/mosquitto/passwd {}   # asks for the password: {}", broker.username,
                       broker.password);
}

std::string broker_acl(const broker_account& broker, const std::string& cabinet) {
    return fmt::format(
        "user {0}\ntopic write locker/v1/{1}/#\ntopic read locker/v1/{1}/command/#\ntopic read "
        "locker/v1/{1}/status\ntopic read locker/v1/{1}/cabinet\ntopic read locker/v1/{1}/alarm/#\n# Home Assistant's "
        "own prefix, unless lockerd.toml names another:\ntopic write homeassistant/device/locker-{1}/config\ntopic "
        "read homeassistant/status\n",
        broker.username, cabinet);
}

}  // namespace locker::portal
