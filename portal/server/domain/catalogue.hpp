// The business that can be handled, and the papers that each needs: TOML that an office writes, or CSV from a
// spreadsheet.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hal/config/section.hpp"
#include "portal/server/domain/office.hpp"
#include "protocol/words.hpp"

namespace locker::portal {

struct paper {
    std::string name;
    std::string name_en;
    bool original = false;  // else a copy will do
};

struct service {
    std::string id;
    std::string name;
    std::string name_en;
    std::string note;
    std::string note_en;
    box_size size = box_size::small;  // of a compartment that holds its papers
    int days = 0;                     // it takes about so many working days; 0: not said
    std::vector<paper> papers;
};

using services = std::vector<service>;

// Every mistake at once, with its line.
[[nodiscard]] std::variant<services, std::vector<config_error>> parse_catalogue(std::string_view toml_text);

// RFC 4180, a header line, one row a paper: id,name,name_en,size,days,paper,paper_en,original. Rows of one id are one
// service. What it says as TOML, or every mistake with its line.
[[nodiscard]] std::variant<std::string, std::vector<config_error>> catalogue_from_csv(std::string_view text);

// One a line: "12: service[2].size: …".
[[nodiscard]] std::string listed(const std::vector<config_error>& mistakes);

// Puts one in force. Its version; errors: malformed, with every mistake's line.
[[nodiscard]] result<std::int64_t> set_catalogue(office& o, const std::string& toml_text, const std::string& who);

// One that was put in force, and when, by whom; newest first, at most fifty, without what they say.
struct catalogue_record {
    std::int64_t version = 0;
    std::string who;
    std::int64_t created_ms = 0;
    std::string text;
};
[[nodiscard]] std::vector<catalogue_record> catalogue_history(office& o);
// `version`: decimal. Nothing: there is none such.
[[nodiscard]] std::optional<catalogue_record> catalogue_of(office& o, const std::string& version);

// Whether any catalogue that was ever put in force had it.
[[nodiscard]] bool was_service(office& o, const std::string& id);
[[nodiscard]] const service* find(const services& all, std::string_view id);

[[nodiscard]] boost::json::object shown(const service& s);

}  // namespace locker::portal
