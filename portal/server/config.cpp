#include "portal/server/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "hal/config/key_files.hpp"
#include "protocol/json.hpp"

namespace locker::portal {
namespace {

bool is_time_of_day(std::string_view t) {
    const auto digit = [&](std::size_t i) { return t[i] >= '0' && t[i] <= '9'; };
    return t.size() == 5 && t[2] == ':' && digit(0) && digit(1) && digit(3) && digit(4) && t.substr(0, 2) < "24" &&
           t[3] < '6';
}

class reader {
public:
    reader(const toml::table& root, std::filesystem::path folder)
        : folder_(std::move(folder)), root_(&root, "", 0, errors_) {}

    std::variant<portal_settings, std::vector<config_error>> read() {
        read_http();
        read_storage();
        read_keys();
        read_mqtt();
        read_channels();
        read_notices();
        read_rules();
        read_limits();
        read_ops();
        root_.no_others();
        if (!errors_.empty()) {
            std::stable_sort(errors_.begin(), errors_.end(),
                             [](const auto& a, const auto& b) { return a.line < b.line; });
            return errors_;
        }
        return std::move(out_);
    }

private:
    std::string path(const std::string& given) const { return path_in(folder_, given); }

    std::string secret(section& s, std::string_view key, bool required) const {
        const auto file = key_file(s, key, required, folder_);
        if (!file) {
            return "";
        }
        auto line = read_secret_line(*file);
        if (!line) {
            s.wrong(key, line.error().what);
            return "";
        }
        return std::move(*line);
    }

    void read_http() {
        auto s = root_.table("http");
        const auto listen = s.text("listen", false).value_or("127.0.0.1:8080");
        const auto where = host_and_port(listen);
        if (!where) {
            s.wrong("listen", fmt::format("\"{}\": \"address:port\" is wanted, like 127.0.0.1:8080", listen));
        } else {
            out_.http.address = where->host;
            out_.http.port = static_cast<unsigned short>(where->port);
        }
        out_.origin = s.text("origin", true).value_or("");
        const auto host = out_.origin.starts_with("https://")  ? out_.origin.substr(8)
                          : out_.origin.starts_with("http://") ? out_.origin.substr(7)
                                                               : "";
        if (!out_.origin.empty() && (host.empty() || host.find('/') != std::string::npos)) {
            s.wrong("origin", "how phones reach the pages is wanted, without a path: \"https://locker.example\"");
        }
        out_.http.secure = out_.origin.starts_with("https://");
        out_.http.behind_proxy = s.flag("behind_proxy", false);
        out_.pages = path(s.text("pages", false, 4096).value_or("/usr/share/cloud-locker-portal/pages"));
        std::error_code none;
        if (s.has("pages") && !std::filesystem::exists(out_.pages + "/index.html", none)) {
            s.wrong("pages", fmt::format("{} has no index.html: the built pages are wanted", out_.pages));
        }
        s.no_others();
    }

    void read_storage() {
        auto s = root_.table("storage");
        out_.database = path(s.text("database", true, 4096).value_or("portal.db"));
        std::error_code none;
        const auto folder = std::filesystem::path(out_.database).parent_path();
        if (!std::filesystem::is_directory(folder, none)) {
            s.wrong("database", fmt::format("there is no folder {}", folder.string()));
        }
        s.no_others();
    }

    void read_keys() {
        auto s = root_.table("keys");
        if (const auto file = key_file(s, "data", true, folder_)) {
            if (const auto key = read_cabinet_key(*file)) {
                out_.data_key = *key;
            } else {
                s.wrong("data", key.error().what);
            }
        }
        if (const auto file = key_file(s, "issuer", true, folder_)) {
            if (auto key = read_signing_key(*file)) {
                out_.issuer = std::move(*key);
            } else {
                s.wrong("issuer", key.error().what);
            }
        }
        s.no_others();
    }

    void read_mqtt() {
        auto s = root_.table("mqtt");
        out_.link.uri = s.text("uri", true).value_or("");
        if (!out_.link.uri.empty() && !out_.link.uri.starts_with("mqtt://") && !out_.link.uri.starts_with("mqtts://")) {
            s.wrong("uri", "mqtt://host:port or mqtts://host:port is wanted");
        }
        out_.link.version = s.choice("version", {"5", "3.1.1"}, false).value_or(0) == 0 ? 5 : 4;
        out_.link.username = s.text("username", false).value_or("");
        out_.link.password = secret(s, "password_file", false);
        if (const auto file = s.text("ca_file", false, 4096)) {
            out_.link.ca_file = path(*file);
        }
        out_.link.name = s.text("name", false, 32).value_or("portal");
        if (!is_name(out_.link.name)) {
            s.wrong("name", "1 to 32 of A-Z a-z 0-9 _ - are wanted: it stands in topics");
        }
        out_.cabinets_broker.uri = s.text("cabinets_uri", false).value_or(out_.link.uri);
        s.no_others();
    }

    void read_channels() {
        std::set<std::string> names{"inbox"};
        for (auto& s : root_.tables("channel")) {
            channel_settings c;
            std::vector<std::string> mailboxes;
            c.name = s.text("name", true).value_or("");
            if (!c.name.empty() && (!is_name(c.name) || !names.insert(c.name).second)) {
                s.wrong("name", "1 to 64 of A-Z a-z 0-9 _ -, each once, not inbox, is wanted");
            }
            const auto kind =
                s.choice("kind", {"webhook", "wecom", "sms-aliyun", "sms-tencent", "voice-aliyun", "smtp"}, true)
                    .value_or(0);
            c.kind = static_cast<channel_kind>(kind);
            c.url = s.text("url", true, 1024).value_or("");
            const bool voice = c.kind == channel_kind::voice_aliyun;
            const bool sms = c.kind == channel_kind::sms_aliyun || c.kind == channel_kind::sms_tencent || voice;
            const bool mail = c.kind == channel_kind::smtp;
            const bool fits = mail ? c.url.starts_with("smtp://") || c.url.starts_with("smtps://")
                                   : c.url.starts_with("https://") || c.url.starts_with("http://127.0.0.1");
            if (!c.url.empty() && !fits) {
                s.wrong("url", mail ? "smtp://host:port or smtps://host:port is wanted"
                                    : "https:// is wanted; http:// goes to 127.0.0.1 alone");
            }
            c.secret = secret(s, "secret_file", sms);
            c.account = s.text("account", sms).value_or("");
            if (sms) {
                c.sign_name = s.text("sign_name", !voice).value_or("");
                for (const auto& [name, words] : notice_templates()) {
                    if (const auto id = s.text("template_" + name, false)) {
                        c.templates.emplace_back(name, *id);
                    }
                }
                if (c.kind == channel_kind::sms_tencent) {
                    c.app_id = s.text("app_id", true).value_or("");
                    c.region = s.text("region", false).value_or(c.region);
                }
            }
            if (mail) {
                c.from = s.text("from", true).value_or("");
                mailboxes = s.texts("to", true, 20);
                for (const auto& address : mailboxes) {
                    if (address.find('@') == std::string::npos ||
                        address.find_first_of("<>\r\n ") != std::string::npos) {
                        s.wrong("to", fmt::format("\"{}\": addresses like ops@example.org are wanted", address));
                    }
                }
                if (c.from.find('@') == std::string::npos) {
                    s.wrong("from", "an address like locker@example.org is wanted");
                }
            }
            s.no_others();
            // Each mailbox is a channel of its own: one that is slow, or wrong, does not make the others get it again.
            for (std::size_t i = 1; i < mailboxes.size(); ++i) {
                auto another = c;
                another.name = fmt::format("{}/{}", c.name, i + 1);
                another.to = mailboxes[i];
                out_.channels.push_back(std::move(another));
            }
            c.to = mailboxes.empty() ? "" : mailboxes.front();
            out_.channels.push_back(std::move(c));
        }
    }

    void read_notices() {
        auto s = root_.table("notices");
        const auto names = [&](std::string_view key, std::vector<std::string>& into) {
            if (!s.has(key)) {
                return;
            }
            into = s.texts(key, false, 8);
            for (const auto& name : into) {
                if (name != "inbox" && std::none_of(out_.channels.begin(), out_.channels.end(),
                                                    [&](const auto& c) { return c.name == name; })) {
                    s.wrong(key, fmt::format("there is no [[channel]] \"{}\"", name));
                }
                const bool group = std::any_of(out_.channels.begin(), out_.channels.end(), [&](const auto& c) {
                    return c.name == name && (c.kind == channel_kind::smtp || c.kind == channel_kind::wecom);
                });
                if (group && key != "team") {
                    s.wrong(key, fmt::format("channel \"{}\" reaches a group: it is for team", name));
                }
                const bool phones = std::any_of(out_.channels.begin(), out_.channels.end(), [&](const auto& c) {
                    return c.name == name &&
                           (c.kind == channel_kind::sms_aliyun || c.kind == channel_kind::sms_tencent ||
                            c.kind == channel_kind::voice_aliyun);
                });
                if (phones && key != "residents") {
                    s.wrong(key, fmt::format("channel \"{}\" calls phone numbers: those of residents alone are known",
                                             name));
                }
            }
            for (const auto& c : out_.channels) {  // a list of mailboxes stands for each of them
                const auto slash = c.name.find('/');
                if (slash != std::string::npos &&
                    std::find(into.begin(), into.end(), c.name.substr(0, slash)) != into.end()) {
                    into.push_back(c.name);
                }
            }
        };
        names("residents", out_.by.resident_channels);
        names("staff", out_.by.staff_channels);
        names("team", out_.by.team_channels);
        for (auto [key, into] : {std::pair{"quiet_from", &out_.by.quiet_from}, {"quiet_to", &out_.by.quiet_to}}) {
            *into = s.text(key, false).value_or(*into);
            if (!is_time_of_day(*into)) {
                s.wrong(key, fmt::format("\"{}\": a time of day like 22:00 is wanted", *into));
            }
        }
        out_.by.utc_offset_ms = s.number("utc_offset_minutes", false, -14 * 60, 14 * 60).value_or(480) * minute;
        out_.trial = s.flag("trial", false);
        out_.http.framed = out_.trial;
        if (out_.trial && out_.http.secure) {
            s.wrong("trial", "it shows every sign-in code to everybody: only with an origin of http://");
        }
        const bool codes_go = std::any_of(out_.channels.begin(), out_.channels.end(), [&](const auto& c) {
            const auto& names_of = out_.by.resident_channels;
            const bool by_template = c.kind != channel_kind::webhook;
            return std::find(names_of.begin(), names_of.end(), c.name) != names_of.end() &&
                   (!by_template || std::any_of(c.templates.begin(), c.templates.end(),
                                                [](const auto& t) { return t.first == "sign_in"; }));
        });
        const auto& to = out_.by.resident_channels;
        if (!out_.trial && std::all_of(to.begin(), to.end(), [](const auto& name) { return name == "inbox"; })) {
            s.wrong("residents", "a channel that reaches a phone is wanted: sign-in codes go there");
        } else if (!out_.trial && !codes_go) {
            s.wrong("residents", "none of these has a template_sign_in: nobody could sign in");
        }
        s.no_others();
    }

    void read_rules() {
        auto s = root_.table("retention");
        out_.by.keep_cases_ms = s.number("cases_days", false, 1, 3650).value_or(180) * day;
        out_.by.keep_audit_ms = s.number("audit_days", false, 30, 3650).value_or(400) * day;
        s.no_others();
    }

    // Where the dashboard's browser finds the broker, and who may read figures.
    void read_ops() {
        auto s = root_.table("ops");
        auto& d = out_.dashboard;
        d.broker = s.text("broker", false).value_or("");
        const bool socket = d.broker.starts_with("wss://") || d.broker.starts_with("ws://");
        if (!d.broker.empty() && (!socket || d.broker.find_first_of(" ;,'\"") != std::string::npos)) {
            s.wrong("broker",
                    "the broker's WebSocket listener is wanted, as browsers reach it: "
                    "\"wss://broker.example:9001\"; left out, it is origin/mqtt");
        }
        if (out_.http.secure && d.broker.starts_with("ws://")) {
            s.wrong("broker", "a page that came by https reaches no ws://: wss:// is wanted");
        }
        d.anonymous = s.flag("anonymous", false);
        out_.by.figures_token = secret(s, "figures_token", false);
        if (s.has("figures_token") && !out_.by.figures_token.empty() && out_.by.figures_token.size() < 20) {
            s.wrong("figures_token", "20 characters at least are wanted");
        }
        s.no_others();
    }

    void read_limits() {
        auto s = root_.table("limits");
        const auto count = [&s](std::string_view key, int otherwise, std::int64_t most) {
            return static_cast<int>(s.number(key, false, 1, most).value_or(otherwise));
        };
        if (s.has("country_codes")) {
            out_.by.country_codes = s.texts("country_codes", true, 50);
            for (const auto& code : out_.by.country_codes) {
                if (code.empty() || code.size() > 3 || code.find_first_not_of("0123456789") != std::string::npos) {
                    s.wrong("country_codes", fmt::format("\"{}\": 1 to 3 digits like 86 are wanted", code));
                }
            }
        }
        out_.by.codes_of_address = count("codes_of_address", out_.by.codes_of_address, 100'000);
        out_.by.requests_of_address = count("requests_of_address", out_.by.requests_of_address, 1000);
        s.no_others();
    }

    std::filesystem::path folder_;
    std::vector<config_error> errors_;
    section root_;
    portal_settings out_;
};

}  // namespace

std::variant<portal_settings, std::vector<config_error>> read_portal_config(const std::string& file) {
    const auto read = read_table(file);
    if (const auto* wrong = std::get_if<std::vector<config_error>>(&read)) {
        return *wrong;
    }
    return reader(std::get<toml::table>(read), std::filesystem::absolute(file).parent_path()).read();
}

}  // namespace locker::portal
