#include "portal/server/domain/catalogue.hpp"

#include <iconv.h>

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <charconv>
#include <optional>
#include <sstream>

#include "protocol/json.hpp"

namespace locker::portal {
namespace {

constexpr std::size_t services_most = 500;
constexpr std::size_t papers_most = 20;
constexpr std::size_t note_bytes = 1000;

paper read_paper(section& s) {
    paper p;
    p.name = s.text("name", true).value_or("");
    p.name_en = s.text("name_en", false).value_or(p.name);
    p.original = s.flag("original", false);
    s.no_others();
    return p;
}

service read_service(section& s) {
    service out;
    out.id = s.text("id", true).value_or("");
    if (!out.id.empty() && !is_name(out.id)) {
        s.wrong("id", "1 to 64 of A-Z a-z 0-9 _ - are wanted: it stands in addresses");
    }
    out.name = s.text("name", true).value_or("");
    out.name_en = s.text("name_en", false).value_or(out.name);
    out.note = s.text("note", false, note_bytes).value_or("");
    out.note_en = s.text("note_en", false, note_bytes).value_or(out.note);
    out.size = static_cast<box_size>(s.choice("size", {"S", "M", "L"}, false).value_or(0));
    out.days = static_cast<int>(s.number("days", false, 0, 365).value_or(0));
    for (auto& p : s.tables("paper")) {
        out.papers.push_back(read_paper(p));
    }
    if (out.papers.size() > papers_most) {
        s.wrong("paper", fmt::format("at most {} are wanted", papers_most));
    }
    s.no_others();
    return out;
}

// One line's cells; a cell in quotes may hold commas, quotes doubled and line ends.
std::optional<std::vector<std::string>> next_row(std::string_view& text, int& line) {
    std::vector<std::string> out(1);
    bool quoted = false;
    std::size_t i = 0;
    for (; i < text.size(); ++i) {
        const char c = text[i];
        line += c == '\n' ? 1 : 0;
        if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
            out.back() += text[++i];
        } else if (c == '"' && (quoted || out.back().empty())) {
            quoted = !quoted;
        } else if (!quoted && c == ',') {
            out.emplace_back();
        } else if (!quoted && c == '\n') {
            ++i;
            break;
        } else if (quoted || c != '\r') {
            out.back() += c;
        }
    }
    text.remove_prefix(i);
    return quoted ? std::nullopt : std::optional(out);
}

std::string quoted(const std::string& text) {
    return "\"" + [&] {
        std::string out;
        for (const char c : text) {
            out += c == '"' || c == '\\' ? std::string{'\\', c} : c == '\n' ? "\\n" : std::string(1, c);
        }
        return out;
    }() + "\"";
}

// As it is, if it is UTF-8; else as Excel in China saves it, GB 18030.
std::string as_utf8(std::string_view text) {
    const auto converted = [&](const char* from) -> std::optional<std::string> {
        const iconv_t how = ::iconv_open("UTF-8", from);
        if (how == reinterpret_cast<iconv_t>(-1)) {
            return std::nullopt;
        }
        std::string in(text);
        std::string out(4 * in.size() + 4, '\0');
        char* source = in.data();
        char* target = out.data();
        std::size_t left = in.size();
        std::size_t space = out.size();
        const auto done = ::iconv(how, &source, &left, &target, &space);
        ::iconv_close(how);
        if (done == static_cast<std::size_t>(-1)) {
            return std::nullopt;
        }
        out.resize(out.size() - space);
        return out;
    };
    if (auto same = converted("UTF-8")) {
        return *same;
    }
    return converted("GB18030").value_or(std::string(text));
}

// A cell of a service's later row may be left empty.
bool differs(const std::string& later, const std::string& first) {
    return !later.empty() && later != first;
}

std::optional<bool> yes_or_no(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (text == "yes" || text == "是") {
        return true;
    }
    return text.empty() || text == "no" || text == "否" ? std::optional(false) : std::nullopt;
}

}  // namespace

std::variant<services, std::vector<config_error>> parse_catalogue(std::string_view toml_text) {
    toml::table parsed;
    try {
        parsed = toml::parse(toml_text);
    } catch (const toml::parse_error& e) {
        return std::vector<config_error>{{static_cast<int>(e.source().begin.line), "", std::string(e.description())}};
    }
    std::vector<config_error> errors;
    section root(&parsed, "", 0, errors);
    services out;
    for (auto& s : root.tables("service")) {
        auto one = read_service(s);
        if (find(out, one.id) != nullptr) {
            s.wrong("id", fmt::format("service \"{}\" stands twice", one.id));
        }
        out.push_back(std::move(one));
    }
    root.no_others();
    if (out.empty() && errors.empty()) {
        errors.push_back({0, "service", "at least one [[service]] is wanted"});
    }
    if (out.size() > services_most) {
        errors.push_back({0, "service", fmt::format("at most {} are wanted", services_most)});
    }
    if (!errors.empty()) {
        return errors;
    }
    return out;
}

std::variant<std::string, std::vector<config_error>> catalogue_from_csv(std::string_view given) {
    const std::string utf8 = as_utf8(given);
    std::string_view text = utf8;
    const std::vector<std::string> header{"id", "name", "name_en", "size", "days", "paper", "paper_en", "original"};
    std::vector<config_error> errors;
    if (text.starts_with("\xEF\xBB\xBF")) {  // as spreadsheets begin a file
        text.remove_prefix(3);
    }
    int line = 1;
    const auto first = next_row(text, line);
    if (!first || *first != header) {
        return std::vector<config_error>{{1, "", fmt::format("the first line must be {}", fmt::join(header, ","))}};
    }
    std::string out;
    std::string id;
    std::vector<std::string> service;  // the first row of this id
    while (!text.empty()) {
        const int at = line;
        const auto row = next_row(text, line);
        if (!row) {
            errors.push_back({at, "", "a quote that is opened here is never closed"});
            break;
        }
        const auto& r = *row;
        if (r.size() == 1 && r[0].empty()) {
            continue;
        }
        if (r.size() != header.size()) {
            errors.push_back({at, "", fmt::format("{} cells are wanted, there are {}", header.size(), r.size())});
            continue;
        }
        int days = 0;
        const auto [end, error] = std::from_chars(r[4].data(), r[4].data() + r[4].size(), days);
        if (!r[4].empty() && (error != std::errc{} || end != r[4].data() + r[4].size())) {
            errors.push_back({at, "days", fmt::format("\"{}\": a number is wanted", r[4])});
        }
        const auto original = yes_or_no(r[7]);
        if (!original) {
            errors.push_back({at, "original", fmt::format("\"{}\": yes or no is wanted, 是 or 否", r[7])});
        }
        if (r[0] == id && (differs(r[1], service[1]) || differs(r[3], service[3]) || differs(r[4], service[4]))) {
            errors.push_back({at, "id", fmt::format("\"{}\" has another name, size or days some lines above", id)});
        }
        if (r[0] != id) {
            service = r;
            id = r[0];
            out +=
                fmt::format("[[service]]\nid = {}\nname = {}\nname_en = {}\nsize = {}\ndays = {}\n", quoted(r[0]),
                            quoted(r[1]), quoted(r[2].empty() ? r[1] : r[2]), quoted(r[3].empty() ? "S" : r[3]), days);
        }
        if (!r[5].empty()) {
            out += fmt::format("[[service.paper]]\nname = {}\nname_en = {}\noriginal = {}\n", quoted(r[5]),
                               quoted(r[6].empty() ? r[5] : r[6]), original.value_or(false));
        }
    }
    if (!errors.empty()) {
        return errors;
    }
    return out;
}

std::string listed(const std::vector<config_error>& mistakes) {
    std::string all;
    for (const auto& e : mistakes) {
        all += fmt::format("{}: {}{}{}\n", e.line, e.key, e.key.empty() ? "" : ": ", e.what);
    }
    return all;
}

result<std::int64_t> set_catalogue(office& o, const std::string& toml_text, const std::string& who) {
    const auto parsed = parse_catalogue(toml_text);
    if (const auto* wrong = std::get_if<std::vector<config_error>>(&parsed)) {
        return problem{400, "malformed", "目录有误。 The catalogue has mistakes:\n" + listed(*wrong)};
    }
    const long long now = o.now();
    long long version = 0;
    transaction t(o.db.sql());
    o.db.sql() << "SELECT COALESCE(MAX(version), 0) + 1 FROM catalogue", soci::into(version);
    o.db.sql() << "INSERT INTO catalogue (version, content, who, created_at) VALUES (:v, :c, :w, :n)",
        soci::use(version), soci::use(toml_text), soci::use(who), soci::use(now);
    audit(o, who, "catalogue changed", "");
    t.commit();
    return std::int64_t{version};
}

std::vector<catalogue_record> catalogue_history(office& o) {
    std::vector<catalogue_record> out;
    const soci::rowset<soci::row> rows =
        (o.db.sql().prepare << "SELECT version, who, created_at FROM catalogue ORDER BY version DESC LIMIT 50");
    for (const auto& r : rows) {
        out.push_back({r.get<long long>(0), r.get<std::string>(1), r.get<long long>(2), ""});
    }
    return out;
}

std::optional<catalogue_record> catalogue_of(office& o, const std::string& version) {
    long long number = 0;
    const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
    if (error != std::errc{} || end != version.data() + version.size()) {
        return std::nullopt;
    }
    catalogue_record out;
    long long created = 0;
    o.db.sql() << "SELECT content, who, created_at FROM catalogue WHERE version = :v", soci::use(number),
        soci::into(out.text), soci::into(out.who), soci::into(created);
    if (!o.db.sql().got_data()) {
        return std::nullopt;
    }
    out.version = number;
    out.created_ms = created;
    return out;
}

bool was_service(office& o, const std::string& id) {
    const std::string named = '"' + id + '"';
    long long known = 0;
    o.db.sql() << "SELECT COUNT(*) FROM catalogue WHERE content LIKE '%' || :n || '%'", soci::use(named),
        soci::into(known);
    return is_name(id) && known != 0;
}

const service* find(const services& all, std::string_view id) {
    const auto at = std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.id == id; });
    return at == all.end() ? nullptr : &*at;
}

boost::json::object shown(const service& s) {
    boost::json::array papers;
    for (const auto& p : s.papers) {
        papers.push_back(boost::json::object{{"zh", p.name}, {"en", p.name_en}, {"original", p.original}});
    }
    return {{"id", s.id},
            {"name", boost::json::object{{"zh", s.name}, {"en", s.name_en}}},
            {"note", boost::json::object{{"zh", s.note}, {"en", s.note_en}}},
            {"size", name(s.size)},
            {"days", s.days},
            {"papers", papers}};
}

}  // namespace locker::portal
