#include "tests/unit/core/bench.hpp"

#include <algorithm>

#include "protocol/code.hpp"
#include "protocol/timestamp.hpp"

namespace test_bench {

std::optional<std::string> memory_store::find(std::string_view kind, std::string_view key) const {
    if (unreadable) {
        throw archive_error("told to fail");
    }
    const auto k = kinds.find(std::string(kind));
    if (k == kinds.end()) {
        return std::nullopt;
    }
    const auto v = k->second.find(std::string(key));
    return v == k->second.end() ? std::nullopt : std::optional(v->second);
}

std::vector<std::pair<std::string, std::string>> memory_store::all(std::string_view kind) const {
    const auto k = kinds.find(std::string(kind));
    if (k == kinds.end()) {
        return {};
    }
    return {k->second.begin(), k->second.end()};
}

std::vector<ledger_row> memory_store::rows(std::uint64_t from, std::uint64_t to, std::uint64_t limit) const {
    std::vector<ledger_row> out;
    if (unreadable) {
        throw archive_error("told to fail");
    }
    for (const auto& row : ledger) {
        if (row.sequence >= from && row.sequence <= to && out.size() < limit) {
            out.push_back(row);
        }
    }
    return out;
}

commit_error memory_store::commit(const transaction& tx) {
    if (fail != commit_error::none) {
        return fail;
    }
    ++commits;
    hints += tx.hint ? 1 : 0;
    for (const auto& w : tx.writes) {
        if (w.value) {
            kinds[w.kind][w.key] = *w.value;
        } else {
            kinds[w.kind].erase(w.key);
        }
    }
    for (const auto& w : tx.writes) {
        if (w.until != 0) {
            until[{w.kind, w.key}] = w.until;
        }
    }
    for (const auto& p : tx.prunes) {
        std::erase_if(kinds[p.kind], [&](const auto& row) {
            const auto at = until.find({p.kind, row.first});
            return at != until.end() && at->second < p.before;
        });
    }
    std::erase_if(ledger, [&](const auto& row) { return row.sequence <= tx.forget_through; });
    ledger.insert(ledger.end(), tx.rows.begin(), tx.rows.end());
    return commit_error::none;
}

bench::bench(options o) {
    config.id = "c1";
    config.name = "Test";
    config.version = "test";
    config.help = "12345";
    config.boards = {"A"};
    config.rules.verify = o.verify;
    clock_trusted = o.clock_trusted;
    for (int n = 1; n <= o.doors; ++n) {
        compartment_config c;
        c.number = n;
        c.contact = o.contact;
        c.contact_channel = n - 1;
        config.compartments.push_back(c);
        inputs |= 1U << static_cast<unsigned>(n - 1);
    }
    key256 cabinet_key{};
    cabinet_key.fill(0x42);
    config.cabinet_keys = {secret256(cabinet_key)};
    const key256 seed = *as_key(*from_hex(issuer_seed_hex));
    issuer_key issuer{"portal", ed25519_public(seed), {}};
    for (const auto* act : {"deposit", "collect", "open", "settle", "move", "revoke", "staff"}) {
        issuer.acts.push_back(*grant_act_from(act));
    }
    config.ring.keys = {issuer};
    config.root =
        issuer_key{"root", ed25519_public(*as_key(*from_hex(root_seed_hex))), {grant_act::roster, grant_act::keys}};
    reacts = [this](int n) { door(n, true); };
    start();
}

void bench::start() {
    epoch = "epoch-" + std::to_string(++starts_);
    core = std::make_unique<cabinet>(config, disk);
    run(started{epoch, boot, clock_trusted});
    run(broker_up{});
    run(inputs_report{0, inputs, now.mono_ms});
    pass(1100);  // doors rest
}

void bench::reboot() {
    boot = "boot-" + std::to_string(++boots_);
    now.mono_ms = 5000;
    start();
}

void bench::pass(std::int64_t ms) {
    const std::int64_t end = now.mono_ms + ms;
    while (core->wake_at() <= end) {
        const std::int64_t step = std::max<std::int64_t>(0, core->wake_at() - now.mono_ms);
        now.mono_ms += step;
        now.wall_ms += step;
        const auto before = core->wake_at();
        run(tick{});
        if (core->wake_at() <= before && core->wake_at() <= now.mono_ms) {
            throw std::logic_error("the core asks for a tick again and again");
        }
    }
    now.wall_ms += end - now.mono_ms;
    now.mono_ms = end;
}

void bench::door(int number, bool open) {
    const std::uint32_t bit = 1U << static_cast<unsigned>(number - 1);
    inputs = open ? inputs & ~bit : inputs | bit;
    run(inputs_report{0, inputs, now.mono_ms});
}

void bench::board(int index, bool present) {
    run(board_report{index, present});
    if (present) {
        run(inputs_report{index, inputs, now.mono_ms});
    }
}

void bench::feed(const input& in) {
    run(in);
}

// Effects may bring inputs about (a pulse its report): they wait their turn, as posts to an event loop do.
void bench::run(const input& in) {
    waiting_.push_back(in);
    if (running_) {
        return;
    }
    running_ = true;
    while (!waiting_.empty()) {
        const input next = waiting_.front();
        waiting_.erase(waiting_.begin());
        auto out = core->step(now, next);
        while (out.size() == 1 && std::holds_alternative<commit>(out.front())) {
            const auto tx = std::get<commit>(out.front()).tx;
            const auto error = disk.commit(tx);
            if (error == commit_error::none) {
                for (const auto& row : tx.rows) {
                    events.push_back(row.type);
                }
            }
            out = core->step(now, commit_done{error});
        }
        for (const auto& e : out) {
            execute(e);
        }
    }
    running_ = false;
}

void bench::execute(const effect& e) {
    if (const auto* p = std::get_if<publish>(&e)) {
        published.push_back(*p);
        if (p->retain) {
            retained[p->topic] = p->payload;
        }
        if (p->topic.find("/reply/") != std::string::npos) {
            last_answer = boost::json::parse(p->payload).as_object();
            if (wanted_id_ == std::string(last_answer.at("id").as_string())) {
                reply_ = last_answer;
            }
        }
    } else if (const auto* order = std::get_if<pulse>(&e)) {
        pulses.push_back(order->order);
        if (line_answers) {
            run(pulse_report{order->order.opening, order->order.attempt, line_says});
            if (line_says == pulse_result::done && reacts) {
                reacts(order->order.compartment);
            }
        }
    } else if (const auto* a = std::get_if<entry_answer>(&e)) {
        last_answer = boost::json::parse(a->reply).as_object();
        reply_ = last_answer;
    }
}

boost::json::object bench::command(std::string_view name, boost::json::object args, std::string token, std::string id) {
    wanted_id_ = id.empty() ? "id-" + std::to_string(++ids_) : id;
    reply_ = {};
    boost::json::object m{{"id", wanted_id_},
                          {"expires_at", format_time(now.wall_ms + 30'000)},
                          {"reply_to", "locker/v1/c1/reply/test"},
                          {"args", std::move(args)}};
    if (!token.empty()) {
        m["grant"] = token;
    }
    run(message{"locker/v1/c1/command/" + std::string(name), serialize(m), false, "", ""});
    return reply_;
}

boost::json::object bench::enter(std::string text) {
    const auto via = looks_like_grant(text) ? entry_via::scanner : entry_via::keypad;
    return enter(std::move(text), via);
}

boost::json::object bench::enter(std::string text, entry_via via, std::uint64_t terminal) {
    reply_ = {};
    run(entry{++entries_, via, std::move(text), terminal});
    return reply_;
}

std::string bench::grant(boost::json::object claims, bool with_epoch) {
    return signed_by("portal", issuer_seed_hex, std::move(claims), with_epoch);
}

std::string bench::signed_by(std::string_view kid, std::string_view seed_hex, boost::json::object claims,
                             bool with_epoch) {
    const std::int64_t now_s = now.wall_ms / 1000;
    boost::json::object all{
        {"aud", "c1"}, {"jti", "jti-" + std::to_string(++ids_)}, {"iat", now_s}, {"exp", now_s + 60}};
    if (with_epoch) {
        all["epoch"] = epoch;
    }
    for (const auto& claim : claims) {
        all[claim.key()] = claim.value();
    }
    return mint_grant(all, {std::string(kid), *as_key(*from_hex(seed_hex))});
}

std::string bench::staff_code(std::string_view number, std::int64_t steps) const {
    const auto key = staff_key(config.cabinet_keys.front(), number);
    std::string totp = std::to_string(totp6(key, now.wall_ms / 1000 / totp_period_s + steps));
    totp.insert(0, 6 - totp.size(), '0');
    return std::string(number) + "#" + totp;
}

boost::json::object bench::staff(boost::json::array members) {
    return command(
        "roster", {},
        signed_by("root", root_seed_hex, {{"act", "roster"}, {"version", ++rosters_}, {"staff", std::move(members)}}));
}

std::string bench::code(std::string_view deposit, std::uint64_t issue) const {
    return pickup_code(deposit_key(config.cabinet_keys.front(), deposit), issue);
}

int bench::put_in(const std::string& deposit, std::string_view kind) {
    const auto reply = open({{"act", "deposit"}, {"dep", deposit}, {"kind", kind}});
    if (!ok(reply)) {
        throw std::logic_error("put_in: " + serialize(reply));
    }
    const int n = static_cast<int>(reply.at("result").at("compartment").as_int64());
    pass(3000);
    door(n, false);
    pass(1000);
    return n;
}

boost::json::object bench::last_event(std::string_view type) const {
    for (auto row = disk.ledger.rbegin(); row != disk.ledger.rend(); ++row) {
        if (row->type == type) {
            return boost::json::parse(row->data).as_object();
        }
    }
    return {};
}

int bench::count(std::string_view type) const {
    return static_cast<int>(std::count(events.begin(), events.end(), type));
}

boost::json::object bench::compartment(int number) const {
    return boost::json::parse(retained.at("locker/v1/c1/compartment/" + std::to_string(number))).as_object();
}

boost::json::object jwk(std::string_view kid, std::string_view seed_hex, boost::json::array acts) {
    return {{"kty", "OKP"},
            {"crv", "Ed25519"},
            {"kid", kid},
            {"x", to_base64url(ed25519_public(*as_key(*from_hex(seed_hex))))},
            {"acts", std::move(acts)}};
}

boost::json::object ring(bench& b, int version, boost::json::array keys, const boost::json::object& more_claims) {
    boost::json::object claims{{"act", "keys"}, {"version", version}, {"keys", std::move(keys)}};
    for (const auto& e : more_claims) {
        claims[e.key()] = e.value();
    }
    return b.command("keys", {}, b.signed_by("root", root_seed_hex, claims));
}

}  // namespace test_bench
