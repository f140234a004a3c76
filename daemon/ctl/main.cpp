// lockerctl: what installers and ops use on the board.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <optional>

#include "daemon/app/config.hpp"
#include "daemon/ctl/client.hpp"
#include "daemon/ctl/commission/commission.hpp"
#include "daemon/ctl/completion.hpp"
#include "daemon/ctl/ledger_view.hpp"
#include "daemon/ctl/mint.hpp"
#include "daemon/ctl/views.hpp"
#include "protocol/error.hpp"
#include "protocol/timestamp.hpp"

namespace {

using boost::json::object;

constexpr int exit_refused = 1;  // lockerd said no, or the chain is broken
constexpr int exit_failed = 2;   // lockerd does not answer, a file cannot be read
constexpr int exit_config = 78;  // as lockerd --check-config

struct options {
    std::string socket = "/run/lockerd/control.sock";
    bool json = false;
};

std::string text(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : "";
}

object snapshot_of(const options& o) {
    return locker::ask(o.socket, {{"do", "status"}}).at("result").as_object();
}

// JSON for scripts, else the table.
template <typename View>
int show_view(const options& o, const boost::json::value& what, View view) {
    std::cout << (o.json ? serialize(what) + "\n" : view());
    return 0;
}

int terminal_columns() {
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int show_status(const options& o) {
    const auto snapshot = snapshot_of(o);
    return show_view(o, snapshot,
                     [&] { return locker::picture(snapshot, terminal_columns(), ::isatty(STDOUT_FILENO) != 0); });
}

int show_health(const options& o) {
    const auto locks = locker::ask(o.socket, {{"do", "health"}}).at("result").as_array();
    return show_view(o, locks, [&] { return locker::health_table(locks); });
}

// Opens a door for maintenance: by a staff code that may, or a grant, or two grants where two persons are asked for.
struct open_wish {
    int door = 0;
    std::string reason;
    std::string staff;
    std::vector<std::string> grants;
};

std::string one_line(const object& event) {
    return fmt::format("{}  {:>6}  {:<24} {}", text(event, "time"), std::stoull(text(event, "sequence")),
                       text(event, "type").substr(7), serialize(event.at("data")));
}

int watch_events(const options& o) {
    locker::watch(
        o.socket, [] {},
        [&](const std::string& line) {
            std::cout << (o.json ? line : one_line(boost::json::parse(line).as_object())) << std::endl;
        });
    std::cerr << "lockerctl: lockerd has closed the connection\n";
    return exit_failed;
}

// What a person at the cabinet would read.
std::string told(const object& answer) {
    if (!answer.at("ok").as_bool()) {
        return text(answer.at("error").as_object(), "message");
    }
    const auto& result = answer.at("result").as_object();
    if (result.contains("opening")) {
        const auto door = result.at("compartment").as_int64();
        return fmt::format("{0} 号柜门已打开，用后请关好。\nDoor {0} is open. Please shut it afterwards.", door);
    }
    if (result.contains("second_grant_within_s")) {
        return "请另一位工作人员在 2 分钟内出示二维码。\nA second person shows their grant within 2 minutes.";
    }
    if (result.contains("signed_out")) {
        return "已退出。 Signed out.";
    }
    if (const auto* count = result.if_contains("suspected")) {
        return fmt::format("待查柜门 {0}。 {0} compartments are suspected now; deposits that are known go on.",
                           count->as_int64());
    }
    if (const auto* renewed = result.if_contains("renewed")) {
        return fmt::format("{0} 号锁重新记录。 The lock of door {0} is learnt anew.", renewed->as_int64());
    }
    if (const auto* lifted = result.if_contains("lifted")) {
        const auto number = text(result, "staff");
        return lifted->as_bool()
                   ? fmt::format("工号 {0} 已恢复。 Staff number {0} may sign in again; a locked-out keypad stays so.",
                                 number)
                   : fmt::format("工号 {0} 未被停用。 Staff number {0} was not suspended.", number);
    }
    if (result.contains("suspended")) {
        return fmt::format("工号 {0} 可以登录。 Staff number {0} may sign in.", text(result, "staff"));
    }
    if (const auto* from = result.if_contains("from")) {
        return fmt::format(
            "{0} 已由 {1} 号柜改为 {2} 号柜；{1} 号柜待查。\n"
            "{0} lies behind door {2} now, no more behind {1}, which is suspected until it is settled.",
            text(result, "deposit"), from->as_int64(), result.at("compartment").as_int64());
    }
    if (const auto* version = result.if_contains("version")) {
        return fmt::format("已更新至第 {0} 版。 Version {0} is in force.", version->as_int64());
    }
    if (const auto* before = result.if_contains("before")) {
        return fmt::format("{0} 之前签发的凭证已全部作废。 All grants issued before {0} are revoked.",
                           std::string(before->as_string()));
    }
    if (const auto* issue = result.if_contains("issue_min")) {
        return fmt::format("{0} 的旧取件码已作废（现用第 {1} 次起）。 Codes of {0} before issue {1} are revoked.",
                           text(result, "deposit"), issue->to_number<std::int64_t>());
    }
    if (const auto* state = result.if_contains("state")) {
        return fmt::format("{0}：已确认。 {0}: {1}.", text(result, "deposit"), std::string(state->as_string()));
    }
    if (const auto* list = result.if_contains("worklist")) {
        return text(list->as_object(), "message");
    }
    return result.empty() ? "已完成。 Done." : serialize(result);
}

int show(const options& o, const object& answer) {
    std::cout << (o.json ? serialize(answer) : told(answer)) << std::endl;
    return answer.at("ok").as_bool() ? 0 : exit_refused;
}

// What a grant says, unverified: lockerd verifies it. Nothing: it is none.
std::optional<object> claims_of(const std::string& token) {
    const auto first = token.find('.');
    const auto second = first == std::string::npos ? first : token.find('.', first + 1);
    const auto bytes = second == std::string::npos
                           ? std::nullopt
                           : locker::from_base64url(token.substr(first + 1, second - first - 1));
    boost::system::error_code error;
    const auto v = bytes ? boost::json::parse(std::string(bytes->begin(), bytes->end()), error) : boost::json::value();
    return error || !v.is_object() ? std::nullopt : std::optional(v.as_object());
}

// A grant opens what it names: it must be this door, for maintenance, and say why.
std::string unfit(const std::string& token, int door) {
    const auto claims = claims_of(token);
    if (!claims) {
        return "that is no grant";
    }
    const auto* cmp = claims->if_contains("cmp");
    if (text(*claims, "act") != "open" || cmp == nullptr || *cmp != door) {
        return fmt::format("that grant is for act {} at door {}; one with act open for door {} is wanted",
                           text(*claims, "act"), cmp == nullptr ? "none" : serialize(*cmp), door);
    }
    return text(*claims, "reason").empty()
               ? "that grant says no reason; mint it with one: the ledger takes it from there"
               : "";
}

int maintenance_open(const options& o, open_wish wish) {
    for (const auto& grant : wish.grants) {
        if (const auto why = unfit(grant, wish.door); !why.empty()) {
            std::cerr << "lockerctl: " << why << "\n";
            return exit_refused;
        }
    }
    if (wish.grants.empty() && wish.reason.find_first_not_of(' ') == std::string::npos) {
        std::cerr << "lockerctl: --reason is wanted: it stands in the ledger\n";
        return exit_refused;
    }
    locker::conversation with(o.socket);
    if (!wish.grants.empty()) {
        for (std::size_t i = 0; i < wish.grants.size(); ++i) {
            const auto answer = with.ask({{"do", "enter"}, {"text", wish.grants[i]}, {"via", "scanner"}});
            const int code = show(o, answer);
            const auto* result = answer.if_contains("result");
            const bool waits =
                result != nullptr && result->is_object() && result->get_object().contains("second_grant_within_s");
            if (code != 0 || i + 1 == wish.grants.size()) {
                return code == 0 && waits ? exit_refused : code;  // nothing is open yet
            }
        }
    }
    if (wish.staff.empty()) {
        if (::isatty(STDIN_FILENO) != 0) {
            std::cerr << "工号 # 动态码 Staff number # code: " << std::flush;
        }
        std::getline(std::cin, wish.staff);
    }
    if (wish.staff.empty()) {
        std::cerr << "lockerctl: a staff code is wanted, number # code, or a grant by --grant\n";
        return exit_refused;
    }
    const auto in = with.ask({{"do", "enter"}, {"text", wish.staff}, {"via", "socket"}});
    if (!in.at("ok").as_bool()) {
        return show(o, in);
    }
    const int code = show(
        o, with.ask({{"do", "enter"}, {"text", fmt::format("open {} {}", wish.door, wish.reason)}, {"via", "socket"}}));
    (void)with.ask({{"do", "enter"}, {"text", "out"}, {"via", "socket"}});
    return code;
}

int enter(const options& o, const std::string& what, const std::string& via) {
    object request{{"do", "enter"}, {"text", what}};
    if (!via.empty()) {
        request["via"] = via;
    }
    return show(o, locker::ask(o.socket, request));
}

// Line by line over one connection, as a keypad would: the session lives as long as it.
int staff_session(const options& o) {
    const bool terminal = ::isatty(STDIN_FILENO) != 0;
    locker::conversation with(o.socket);
    int code = 0;
    const auto prompt = [&](std::string_view text) {
        if (terminal) {
            std::cout << text << std::flush;
        }
    };
    constexpr std::string_view sign_in = "工号 # 动态码 Staff number # code: ";
    bool signed_in = false;
    prompt(sign_in);
    for (std::string line; std::getline(std::cin, line);) {
        if (line.find_first_not_of(" \t\r") != std::string::npos) {
            const auto answer = with.ask({{"do", "enter"}, {"text", line}, {"via", "socket"}});
            code = show(o, answer);
            const auto* result = answer.if_contains("result");
            signed_in =
                signed_in || (result != nullptr && result->is_object() && result->get_object().contains("staff"));
            if (result != nullptr && result->is_object() && result->get_object().contains("signed_out")) {
                break;
            }
        }
        prompt(!signed_in ? sign_in
                          : "list, next, DOOR, reclaim DOOR, settle DOOR, return DEPOSIT, confirm DEPOSIT, move "
                            "DEPOSIT DOOR, out > ");
    }
    return code;
}

int check_config(const std::string& file, bool json) {
    const auto read = locker::read_config(file);
    const auto* errors = std::get_if<std::vector<locker::config_error>>(&read);
    if (json) {
        boost::json::array list;
        if (errors != nullptr) {
            for (const auto& e : *errors) {
                list.push_back(object{{"line", e.line}, {"key", e.key}, {"what", e.what}});
            }
        }
        std::cout << serialize(object{{"ok", errors == nullptr}, {"errors", list}}) << "\n";
    } else if (errors == nullptr) {
        std::cout << file << ": good\n";
        for (const auto& w : std::get<locker::settings>(read).warnings) {
            std::cout << "warning: " << w << "\n";
        }
    } else {
        for (const auto& e : *errors) {
            std::cout << locker::shown(file, e) << "\n";
        }
    }
    return errors == nullptr ? 0 : exit_config;
}

struct log_options {
    std::string database;
    std::uint64_t from = 1;
    locker::row_filter only;
    bool follow = false;
    std::string format = "jsonl";
};

locker::row_source source_of(const options& o, const log_options& l) {
    return l.database.empty() ? locker::rows_from_socket(o.socket) : locker::rows_from_file(l.database);
}

int log_verify(const options& o, const log_options& l) {
    const bool terminal = ::isatty(STDERR_FILENO) != 0;
    const auto head = l.database.empty() ? locker::head_from_socket(o.socket) : locker::head_from_file(l.database);
    const auto v = locker::verify(source_of(o, l), head, [&](std::uint64_t rows) {
        if (terminal) {
            std::cerr << "\r" << rows << " rows …" << std::flush;
        }
    });
    if (terminal) {
        std::cerr << "\r";
    }
    if (o.json) {
        std::cout << serialize(object{{"ok", v.wrong.empty()},
                                      {"rows", v.rows},
                                      {"first", v.first},
                                      {"last", v.last},
                                      {"head", locker::to_hex(v.head)},
                                      {"wrong", v.wrong}})
                  << "\n";
    } else if (v.wrong.empty()) {
        std::cout << fmt::format("{} rows, {} to {}: the chain holds. Head {}\n", v.rows, v.first, v.last,
                                 locker::to_hex(v.head));
    } else {
        std::cout << "the chain is broken: " << v.wrong << "\n";
    }
    return v.wrong.empty() ? 0 : exit_refused;
}

enum class row_form { text, json_lines, csv };

void print_row(const locker::ledger_row& row, row_form form) {
    switch (form) {
        case row_form::text:
            std::cout << fmt::format("{}  {:>6}  {:<24} {}\n", locker::format_time(row.wall_ms), row.sequence, row.type,
                                     row.data);
            break;
        case row_form::json_lines:
            std::cout << locker::row_json(row) << "\n";
            break;
        case row_form::csv:
            std::cout << locker::row_csv(row);
            break;
    }
}

int log_print(const options& o, const log_options& l, row_form form) {
    const auto source = source_of(o, l);
    if (form == row_form::csv) {
        std::cout << locker::csv_header();
    }
    std::uint64_t next = l.from;
    const auto print = [&](const locker::ledger_row& row) {
        if (row.sequence >= next) {
            next = row.sequence + 1;
            if (locker::fits(row, l.only)) {
                print_row(row, form);
            }
        }
    };
    const auto until_head = [&] {
        for (auto rows = source(next); !rows.empty(); rows = source(next)) {
            std::for_each(rows.begin(), rows.end(), print);
        }
        std::cout << std::flush;
    };
    if (l.follow && !l.database.empty()) {
        std::cerr << "lockerctl: --follow wants a lockerd that runs, not a file\n";
        return exit_failed;
    }
    if (!l.follow) {
        until_head();
    } else {
        // Told first, then read: no row falls between the two.
        locker::watch(o.socket, until_head, [&](const std::string&) { until_head(); });
        std::cerr << "lockerctl: lockerd has closed the connection\n";
        return exit_failed;
    }
    return 0;
}

void add_mint(CLI::App& app, int& code) {
    auto* mint = app.add_subcommand("mint", "Make codes, grants and keys from key files (for integrators and tests)");
    mint->require_subcommand(1);

    static std::string key;
    static std::string deposit;
    static std::int64_t issue = 0;
    auto* mint_code = mint->add_subcommand("code", "A one-time pickup code");
    mint_code->add_option("--key", key, "The cabinet's key file")->required();
    mint_code->add_option("--deposit", deposit, "The deposit's id")->required();
    mint_code->add_option("--issue", issue, "Issue number, from 0")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}))
        ->capture_default_str();
    mint_code->callback([&code] {
        std::cout << locker::mint_code(key, deposit, static_cast<std::uint64_t>(issue)) << "\n";
        code = 0;
    });

    static locker::grant_wish wish;
    auto* grant = mint->add_subcommand("grant", "A signed grant (JWT)");
    grant->add_option("--key", wish.key_file, "The issuer's private JWK file")->required();
    grant->add_option("--cabinet", wish.cabinet, "The cabinet's id")->required();
    grant->add_option("--act", wish.act, "deposit, collect, open, move, settle, revoke, staff, roster or keys")
        ->required();
    grant->add_option("--issue-min", wish.issue_min, "revoke: the deposit's first issue that is still good");
    grant->add_option("--version", wish.version, "roster, keys: the document's version; it only grows");
    grant->add_option("--document", wish.document, "roster: a file with the list of staff; keys: one with the ring");
    grant->add_option("--epoch", wish.epoch,
                      "From the cabinet's status; needed over MQTT, left out at the cabinet's front");
    grant->add_option("--life", wish.life_s, "Seconds until it expires: at most 60 over MQTT, 86400 at the front")
        ->capture_default_str();
    grant->add_option("--deposit", wish.deposit, "dep: the deposit's id");
    grant->add_option("--kind", wish.kind, "intake or return");
    grant->add_option("--case", wish.case_id, "The case's pseudonym");
    grant->add_option("--size", wish.size, "S, M or L");
    grant->add_flag("--accessible", wish.accessible, "An accessible compartment is wanted");
    grant->add_option("--compartment", wish.compartment, "cmp: the number on the door");
    grant->add_option("--sub", wish.sub, "The person's pseudonym");
    grant->add_option("--reason", wish.reason, "Why");
    grant->callback([&code] {
        std::cout << locker::mint_grant_token(wish) << "\n";
        code = 0;
    });

    static std::string staff_number;
    auto* staff = mint->add_subcommand("staff-code", "What a staff member types now: number # TOTP");
    staff->add_option("--key", key, "The cabinet's key file")->required();
    staff->add_option("--number", staff_number, "4 to 6 digits")->required();
    staff->callback([&code] {
        std::cout << locker::mint_staff_code(key, staff_number) << "\n";
        code = 0;
    });

    static std::string folder;
    static std::string file;
    auto* cabinet_key = mint->add_subcommand("cabinet-key", "A cabinet key alone, for the rotation of one");
    cabinet_key->add_option("file", file, "Where; must not exist yet")->required();
    cabinet_key->callback([&code] {
        locker::mint_cabinet_key(file);
        code = 0;
    });

    static std::string kid = "portal-1";
    auto* keys = mint->add_subcommand("keys", "A cabinet key, an issuer key and its ring, a root key, in new files");
    keys->add_option("folder", folder, "Where")->required();
    keys->add_option("--kid", kid, "The issuer key's id")->capture_default_str();
    keys->callback([&code] {
        locker::mint_keys(folder, kid);
        std::cout << fmt::format(
            "for the cabinet: {0}/cabinet.key  {0}/issuers.json  {0}/root.json\n"
            "for the portal:  {0}/cabinet.key  {0}/issuer.jwk\n"
            "in a safe:       {0}/root.jwk\n",
            folder);
        code = 0;
    });
}

int run(int argc, char** argv) {
    CLI::App app{
        "lockerctl: look at a cabinet, enter codes at it, check its configuration and its ledger.\n"
        "Exit codes: 0 done, 1 refused or the ledger is broken, 2 lockerd does not answer or a file cannot be read,\n"
        "78 the configuration is wrong, 100 and above the command line."};
    options o;
    int code = 0;
    app.set_version_flag("--version", LOCKER_VERSION);
    app.add_option("--socket", o.socket, "lockerd's control socket")
        ->envname("LOCKERCTL_SOCKET")
        ->capture_default_str();
    app.add_flag("--json", o.json, "Output for scripts");
    app.require_subcommand(1);
    app.add_subcommand("status", "The cabinet's front as a picture, the ledger's head, alarms")->callback([&] {
        code = show_status(o);
    });
    bool suspected = false;
    auto* doors = app.add_subcommand("doors", "Every compartment in a line, with the reason of a suspicion");
    doors->add_flag("--suspected", suspected, "Only those that staff should look into");
    doors->callback([&] {
        const auto snapshot = snapshot_of(o);
        auto list = snapshot.at("compartments").as_array();
        if (suspected) {
            list.erase(std::remove_if(list.begin(), list.end(),
                                      [](const auto& c) { return !c.as_object().contains("suspicion"); }),
                       list.end());
        }
        code = show_view(o, list, [&] { return locker::doors_table(list); });
    });
    app.add_subcommand("deposits", "What lies in the cabinet, or is on its way")->callback([&] {
        const auto snapshot = snapshot_of(o);
        code = show_view(o, snapshot.at("deposits"), [&] { return locker::deposits_table(snapshot); });
    });
    int renewed = 0;
    auto* health = app.add_subcommand("health", "How each lock ages: openings, latency, retries, jams, wear");
    health
        ->add_option("--renewed", renewed, "This door's lock was mended or changed: what was learnt of it is forgotten")
        ->check(CLI::Range(1, 999));
    health->callback([&] {
        code = renewed == 0 ? show_health(o)
                            : show(o, locker::ask(o.socket, {{"do", "renewed"}, {"compartment", renewed}}));
    });
    static open_wish wish;
    auto* open =
        app.add_subcommand("open",
                           "Open a door for maintenance, by staff's authority; where the configuration asks for "
                           "two persons, by two grants");
    open->add_option("door", wish.door, "The number on the door")->required()->check(CLI::Range(1, 999));
    open->add_option("--reason", wish.reason, "Why; it stands in the ledger. A grant says its own");
    auto* by_staff = open->add_option("--staff", wish.staff, "A staff code; else it is asked for");
    open->add_option("--grant", wish.grants, "Instead: a grant with act open; twice where two persons are wanted")
        ->excludes(by_staff)
        ->expected(1, 2);
    open->callback([&] { code = maintenance_open(o, wish); });
    app.add_subcommand("watch", "Events as they are recorded")->callback([&] { code = watch_events(o); });

    std::string file = "/etc/cloud-locker/lockerd.toml";
    auto* check = app.add_subcommand("check-config", "Check a configuration file: all its mistakes at once");
    check->add_option("file", file, "The file")->capture_default_str();
    check->callback([&] { code = check_config(file, o.json); });

    static locker::commission_options c;
    bool verify = false;
    auto* commission = app.add_subcommand(
        "commission",
        "Take a cabinet into service: find its boards, learn its wiring lock by lock, write its configuration. lockerd "
        "must be stopped. Stopped and called again, it goes on where it was");
    commission->add_option("--config", c.config, "The configuration: read, and written")->capture_default_str();
    commission->add_option("--device", c.device, "The line, for a configuration without one: a serial device …");
    commission->add_option("--tcp", c.tcp, "… or host:port");
    commission->add_option("--baud", c.baud, "Of that device")->capture_default_str();
    commission->add_option("--parity", c.parity, "Of that device")
        ->check(CLI::IsMember({"none", "even", "odd"}))
        ->capture_default_str();
    commission->add_option("--cabinet", c.cabinet, "The cabinet's id, for a configuration that does not exist yet");
    commission->add_option("--broker", c.broker, "The broker's URI, for the same");
    commission->add_option("--first", c.first, "First address asked")->check(CLI::Range(1, 247))->capture_default_str();
    commission->add_option("--last", c.last, "Last address asked")->check(CLI::Range(1, 247))->capture_default_str();
    commission->add_option("--doors", c.doors, "How many there are, if known: relays that move nothing count then")
        ->check(CLI::Range(1, 999));
    commission->add_option("--pulse-max", c.pulse_max, "No lock is pulsed for longer, ms: from its data sheet")
        ->check(CLI::Range(100, 1000))
        ->capture_default_str();
    commission->add_option("--profiles", c.profiles, "A folder with profiles of more boards")
        ->check(CLI::ExistingDirectory);
    commission->add_flag("--unattended", c.unattended, "Ask nothing: doors are numbered in the order of their relays");
    commission->add_flag("--force", c.force, "Leave out doors of the configuration that were not found");
    commission->add_flag("--anew", c.anew, "Forget what a run that was stopped has learnt");
    commission->add_flag("--verify", verify,
                         "Walk a cabinet in service instead: lockerd runs, each vacant door is opened once");
    commission->add_option("--staff", c.staff, "--verify: a staff code or a grant; else it is asked for");
    commission->callback([&] {
        c.json = o.json;
        c.socket = o.socket;
        code = verify ? locker::verify_wiring(c) : locker::commission(c);
    });

    std::string what;
    std::string via;
    auto* entry =
        app.add_subcommand("enter", "What a keypad or scanner would send: a code, \"door # code\", or a grant");
    entry->add_option("text", what, "\"123 456 789\", \"7#123456789\", or a grant")->required();
    entry->add_option("--via", via, "keypad, scanner or socket; default: scanner for a grant, keypad for all else")
        ->check(CLI::IsMember({"keypad", "scanner", "socket"}));
    entry->callback([&] { code = enter(o, what, via); });

    app.add_subcommand("staff", "Sign in with a staff code and work door by door; ends with \"out\" or the input's end")
        ->callback([&] { code = staff_session(o); });
    std::string number;
    auto* lift = app.add_subcommand("lift", "End the suspension that wrong codes brought upon a staff number");
    lift->add_option("number", number, "4 to 6 digits")->required();
    lift->callback([&] { code = show(o, locker::ask(o.socket, {{"do", "lift"}, {"staff", number}})); });
    std::string reason;
    auto* suspect = app.add_subcommand("suspect-all",
                                       "Call every compartment suspected, after a board was replaced or a database "
                                       "restored: staff settle them door by door");
    suspect->add_option("--reason", reason, "Why; it stands in the ledger")->required();
    suspect->callback([&] { code = show(o, locker::ask(o.socket, {{"do", "suspect"}, {"reason", reason}})); });

    log_options l;
    auto* log = app.add_subcommand("log", "The ledger");
    log->require_subcommand(1);
    log->add_option("--database", l.database, "Read this file instead, of a lockerd that is stopped");
    log->fallthrough();
    log->add_subcommand("verify", "Recompute the whole chain")->callback([&] { code = log_verify(o, l); });
    auto* show = log->add_subcommand("show", "Rows as text");
    show->add_flag("--follow", l.follow, "Go on with rows as they are recorded");
    show->callback([&] { code = log_print(o, l, o.json ? row_form::json_lines : row_form::text); });
    auto* all = log->add_subcommand("export", "Rows for other programs");
    all->add_option("--format", l.format, "jsonl or csv")
        ->check(CLI::IsMember({"jsonl", "csv"}))
        ->capture_default_str();
    all->callback([&] { code = log_print(o, l, l.format == "csv" ? row_form::csv : row_form::json_lines); });
    for (auto* sub : {show, all}) {
        sub->add_option("--from", l.from, "First sequence")->check(CLI::PositiveNumber)->capture_default_str();
        sub->add_option("--to", l.only.to, "Last sequence")->check(CLI::PositiveNumber);
        sub->add_option("--type", l.only.type, "Rows of this type, or that begin with it: opening, door.forced");
        sub->add_option("--door", l.only.door, "Rows about this door")->check(CLI::Range(1, 999));
        sub->add_option("--deposit", l.only.deposit, "Rows about this deposit");
        sub->add_option("--since", l.only.since, "Not before: RFC 3339, 2026-11-24T08:00:00Z");
    }
    add_mint(app, code);
    std::string shell = "bash";
    auto* completion = app.add_subcommand("completion", "A completion script, for: eval \"$(lockerctl completion)\"");
    completion->add_option("shell", shell, "bash")->check(CLI::IsMember({"bash"}))->capture_default_str();
    completion->callback([&] { std::cout << locker::bash_completion(app); });
    for (auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        sub->fallthrough();  // --json and --socket after the command, too
    }
    CLI11_PARSE(app, argc, argv);
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& e) {
        std::cerr << "lockerctl: " << e.what() << "\n";
        return exit_failed;
    }
}
