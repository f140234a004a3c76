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
#include "daemon/ctl/care.hpp"
#include "daemon/ctl/client.hpp"
#include "daemon/ctl/commission/commission.hpp"
#include "daemon/ctl/completion.hpp"
#include "daemon/ctl/entries.hpp"
#include "daemon/ctl/ledger_view.hpp"
#include "daemon/ctl/mint_command.hpp"
#include "daemon/ctl/provision.hpp"
#include "daemon/ctl/retire.hpp"
#include "daemon/ctl/views.hpp"
#include "protocol/error.hpp"
#include "protocol/timestamp.hpp"

namespace {

using boost::json::object;
using locker::exit_config;
using locker::exit_failed;
using locker::exit_refused;
using locker::options;
using locker::text;

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

// The first word of the command line that is no command where one is wanted; empty: there is none.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
    const CLI::App* at = &app;
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        const auto* option = word.starts_with("-") ? at->get_option_no_throw(word) : nullptr;
        if (word.starts_with("-")) {
            i += option != nullptr && option->get_items_expected_max() > 0 ? 1 : 0;
            continue;
        }
        const auto subs = at->get_subcommands([&](const CLI::App* s) { return s->get_name() == word; });
        if (subs.empty()) {
            return at->get_require_subcommand_min() > 0 ? word : "";
        }
        at = subs.front();
    }
    return "";
}

int run(int argc, char** argv) {
    CLI::App app{
        "lockerctl: look at a cabinet, enter codes at it, check its configuration and its ledger.\n"
        "Exit codes: 0 done, 1 refused or the ledger is broken, 2 lockerd does not answer or a file cannot be read,\n"
        "78 the configuration is wrong, 130 interrupted, 100 and above the command line."};
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
                            : locker::show(o, locker::ask(o.socket, {{"do", "renewed"}, {"compartment", renewed}}));
    });
    static locker::open_wish wish;
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
    open->callback([&] { code = locker::maintenance_open(o, wish); });
    app.add_subcommand("watch", "Events as they are recorded")->callback([&] { code = watch_events(o); });

    std::string file = "/etc/cloud-locker/lockerd.toml";
    auto* check = app.add_subcommand("check-config", "Check a configuration file: all its mistakes at once");
    check->add_option("file", file, "The file")->capture_default_str();
    check->callback([&] { code = check_config(file, o.json); });

    std::string bundle;
    std::string folder = "/etc/cloud-locker";
    auto* provision =
        app.add_subcommand("provision", "Write what the portal's enrolment gave: keys, ring, the broker's account");
    provision->add_option("bundle", bundle, "The file")->required();
    provision->add_option("--folder", folder, "Where lockerd's configuration and keys go")->capture_default_str();
    bool again = false;
    provision->add_flag(
        "--replace", again,
        "The cabinet has a new key: key, ring and broker's password are replaced, what was there is kept as "
        "*.before; lockerd.toml stays as it is");
    provision->callback([&] { code = locker::provision(bundle, folder, again); });

    static locker::commission_options c;
    bool verify = false;
    auto* commission = app.add_subcommand(
        "commission",
        "Take a cabinet into service: find its boards, learn its wiring lock by lock, write its configuration. lockerd "
        "must be stopped. Stopped and called again, it goes on where it was");
    commission->add_option("--config", c.config, "The configuration: read, and written")->capture_default_str();
    commission->add_option("--device", c.device, "The line, for a configuration without one: a serial device …");
    commission->add_option("--tcp", c.tcp, "… or host:port");
    commission->add_option("--baud", c.baud, "Of that device")
        ->check(CLI::IsMember({1200, 2400, 4800, 9600, 19200, 38400, 115200}))
        ->capture_default_str();
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
    commission
        ->add_option("--cool-down", c.cool_down,
                     "How long a coil rests after a pulse, ms, where [lock] says nothing: from its data sheet")
        ->check(CLI::Range(0, 60'000))
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
    entry->callback([&] { code = locker::enter(o, what, via); });

    app.add_subcommand("staff", "Sign in with a staff code and work door by door; ends with \"out\" or the input's end")
        ->callback([&] { code = locker::staff_session(o); });
    std::string number;
    auto* lift = app.add_subcommand("lift", "End the suspension that wrong codes brought upon a staff number");
    lift->add_option("number", number, "4 to 6 digits")->required();
    lift->callback([&] { code = locker::show(o, locker::ask(o.socket, {{"do", "lift"}, {"staff", number}})); });
    std::string reason;
    auto* suspect = app.add_subcommand("suspect-all",
                                       "Call every compartment suspected, after a board was replaced or a database "
                                       "restored: staff settle them door by door");
    suspect->add_option("--reason", reason, "Why; it stands in the ledger")->required();
    suspect->callback([&] { code = locker::show(o, locker::ask(o.socket, {{"do", "suspect"}, {"reason", reason}})); });

    int opened = 0;
    auto* emergency = app.add_subcommand(
        "emergency",
        "A door was opened with its mechanical key: recorded, and the compartment suspected until staff settle it");
    emergency->add_option("door", opened, "The number on the door")->required()->check(CLI::Range(1, 999));
    emergency->add_option("--reason", reason, "Who, and why; it stands in the ledger")->required();
    bool emptied = false;
    emergency->add_flag("--emptied", emptied, "What lay in it was handed over by hand: its deposit ends as reclaimed");
    emergency->callback([&] {
        code = locker::show(
            o, locker::ask(o.socket,
                           {{"do", "mechanical"}, {"compartment", opened}, {"emptied", emptied}, {"reason", reason}}));
    });

    log_options l;
    auto* log = app.add_subcommand("log", "The ledger");
    log->require_subcommand(1);
    log->add_option("--database", l.database, "Read this file instead, of a lockerd that is stopped");
    log->fallthrough();
    log->add_subcommand("verify", "Recompute the whole chain")->callback([&] { code = log_verify(o, l); });
    auto* examined = log->add_subcommand(
        "examined",
        "Somebody has found out why the ledger does not hold: its alarm ends. `verify` goes on telling the truth");
    examined->add_option("--reason", reason, "What was found; it stands in the ledger")->required();
    examined->callback([&] {
        code = locker::show(o, locker::ask(o.socket, {{"do", "examined"}, {"reason", reason}}));
    });
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
    locker::add_care(app, o, code);
    locker::add_retire(app, o, code);
    locker::add_mint(app, code);
    std::string shell = "bash";
    auto* completion = app.add_subcommand("completion", "A completion script, for: eval \"$(lockerctl completion)\"");
    completion->add_option("shell", shell, "bash")->check(CLI::IsMember({"bash"}))->capture_default_str();
    completion->callback([&] { std::cout << locker::bash_completion(app); });
    for (auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        sub->fallthrough();  // --json and --socket after the command, too
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::RequiredError& e) {
        const auto typed = unknown_command(app, argc, argv);
        if (typed.empty()) {
            return app.exit(e);
        }
        std::cerr << "lockerctl: " << typed << ": there is no such command; `lockerctl --help` lists them\n";
        return e.get_exit_code();
    } catch (const CLI::ParseError& e) {
        return app.exit(e);
    }
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
