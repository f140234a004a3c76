// locker-portal's configuration: one TOML file, read and validated once and completely. docs/portal.md lists the keys.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "hal/config/section.hpp"
#include "portal/server/cabinet_link.hpp"
#include "portal/server/channels.hpp"
#include "portal/server/domain/office.hpp"
#include "portal/server/http/pages.hpp"
#include "portal/server/http/server.hpp"

namespace locker::portal {

struct portal_settings {
    std::string database;
    std::string pages;   // folder with the built pages
    std::string origin;  // "https://locker.example": how phones reach them
    http_server::options http;
    secret256 data_key;
    signing_key issuer;
    link_settings link;
    broker_account cabinets_broker;  // what a cabinet is told of the broker when it is enrolled; its password is new
    rules by;
    std::vector<channel_settings> channels;
    dashboard_settings dashboard;
    bool trial = false;  // an inbox page shows every notice: for trials, never with real people
};

[[nodiscard]] std::variant<portal_settings, std::vector<config_error>> read_portal_config(const std::string& file);

}  // namespace locker::portal
