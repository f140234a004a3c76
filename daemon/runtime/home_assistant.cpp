#include "daemon/runtime/home_assistant.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

#include "protocol/topic.hpp"

namespace locker {
namespace {

using boost::json::array;
using boost::json::object;

// Home Assistant's templates are Jinja2. What is compared stands in the contract's own words.
// Every alarm of the contract, as people call it.
struct alarm_name {
    std::string_view kind;
    std::string_view says;
    std::string_view device_class = "problem";
};
constexpr std::array<alarm_name, 14> alarms{{{"forced", "柜门被强开 Door forced", "safety"},
                                             {"held_open", "柜门久开 Door held open"},
                                             {"jammed", "柜门卡住 Door jammed"},
                                             {"suspected", "柜格待查 Compartment suspected"},
                                             {"worn", "锁具磨损 Lock worn"},
                                             {"board_lost", "控制板失联 Board lost"},
                                             {"lockout", "输码锁定 Codes locked out"},
                                             {"guessing", "有人试码 Guessing of codes"},
                                             {"clock_untrusted", "时钟不可信 Clock untrusted"},
                                             {"storage", "存储故障 Storage"},
                                             {"ledger", "台账异常 Ledger"},
                                             {"overdue", "逾期未取 Overdue"},
                                             {"tamper", "柜体被打开 Cabinet tampered with", "tamper"},
                                             {"mains", "市电中断 Mains lost"}}};

constexpr std::string_view online = "{{ 'online' if value_json.online else 'offline' }}";
constexpr std::string_view door_seen = "{{ 'offline' if value_json.door == 'unknown' else 'online' }}";

class device {
public:
    explicit device(const core::cabinet_config& config) : config_(config), t_(config.id) {}

    [[nodiscard]] object components() {
        add("online", "binary_sensor", "在线 Online", t_.status(), "{{ 'ON' if value_json.online else 'OFF' }}",
            {{"device_class", "connectivity"}});
        components_["online"].as_object().erase("availability");  // it is what tells that all others are not to be had
        components_["online"].as_object().erase("availability_mode");
        for (const auto& c : config_.compartments) {
            add_door(c);
        }
        for (const auto& alarm : alarms) {
            add_alarm(alarm);
        }
        for (const std::string_view size : {"S", "M", "L"}) {
            add(fmt::format("vacant_{}", size), "sensor", fmt::format("空柜 Vacant {}", size), t_.cabinet(),
                fmt::format("{{{{ value_json.vacancies.{} }}}}", size),
                {{"state_class", "measurement"}, {"icon", "mdi:locker"}});
        }
        add_figures();
        return std::move(components_);
    }

private:
    void add(const std::string& key, std::string_view platform, const std::string& name, const std::string& topic,
             std::string_view value, object more) {
        more["platform"] = platform;
        more["unique_id"] = fmt::format("locker-{}-{}", config_.id, key);
        more["name"] = name;
        more["state_topic"] = topic;
        more["value_template"] = value;
        more.emplace("availability", array{object{{"topic", t_.status()}, {"value_template", online}}});
        more["availability_mode"] = "all";
        components_[key] = std::move(more);
    }

    void add_door(const core::compartment_config& c) {
        const auto topic = t_.compartment(c.number);
        if (c.contact != core::contact_kind::none) {  // else nobody sees it
            add(fmt::format("door_{}", c.number), "binary_sensor", fmt::format("柜门 Door {}", c.number), topic,
                "{{ 'ON' if value_json.door == 'open' else 'OFF' }}",
                {{"device_class", "door"},
                 {"availability", array{object{{"topic", t_.status()}, {"value_template", online}},
                                        object{{"topic", topic}, {"value_template", door_seen}}}}});
        }
        add(fmt::format("use_{}", c.number), "sensor", fmt::format("用途 Use {}", c.number), topic,
            "{{ value_json.use }}",
            {{"device_class", "enum"}, {"options", array{"vacant", "reserved", "occupied", "suspected", "disabled"}}});
        add(fmt::format("lock_{}", c.number), "binary_sensor", fmt::format("锁故障 Lock trouble {}", c.number), topic,
            "{{ 'OFF' if value_json.lock == 'ok' else 'ON' }}",
            {{"device_class", "problem"}, {"entity_category", "diagnostic"}});
        add(fmt::format("wear_{}", c.number), "sensor", fmt::format("锁磨损 Lock wear {}", c.number), t_.metrics(),
            fmt::format("{{{{ value_json.locks | selectattr('compartment', 'eq', {}) | map(attribute='wear') | first | "
                        "default(None) }}}}",
                        c.number),
            {{"unit_of_measurement", "%"}, {"state_class", "measurement"}, {"entity_category", "diagnostic"}});
    }

    void add_alarm(const alarm_name& alarm) {
        // "forced/3" and "storage" alike: each with a slash behind its kind.
        add(fmt::format("alarm_{}", alarm.kind), "binary_sensor", std::string(alarm.says), t_.cabinet(),
            fmt::format("{{{{ 'ON' if ' {}/' in ' ' ~ (value_json.alarms | join('/ ')) ~ '/' else 'OFF' }}}}",
                        alarm.kind),
            {{"device_class", alarm.device_class}});
    }

    void add_figure(std::string_view key, const std::string& name, const std::string& topic, std::string_view value,
                    object more) {
        more["entity_category"] = "diagnostic";
        add(std::string(key), "sensor", name, topic, value, std::move(more));
    }

    void add_figures() {
        add("alarms", "sensor", "告警数 Alarms", t_.cabinet(), "{{ value_json.alarms | length }}",
            {{"state_class", "measurement"},
             {"json_attributes_topic", t_.cabinet()},
             {"json_attributes_template", "{{ {'alarms': value_json.alarms} | tojson }}"}});
        add_figure("started", "启动 Started", t_.status(), "{{ value_json.since if value_json.online else None }}",
                   {{"device_class", "timestamp"}});
        add_figure("unpublished", "待发事件 Events waiting", t_.metrics(), "{{ value_json.unpublished }}",
                   {{"state_class", "measurement"}});
        add_figure("slowest_commit", "最慢写入 Slowest commit", t_.metrics(),
                   "{{ value_json.store.slowest_commit_us / 1000 }}",
                   {{"device_class", "duration"}, {"unit_of_measurement", "ms"}, {"state_class", "measurement"}});
        add_figure("free", "剩余空间 Free space", t_.metrics(), "{{ value_json.store.medium.free_mb }}",
                   {{"device_class", "data_size"}, {"unit_of_measurement", "MiB"}, {"state_class", "measurement"}});
        add_figure("life_used", "存储寿命 Storage life used", t_.metrics(),
                   "{{ value_json.store.medium.life_used_percent | default(None) }}",
                   {{"unit_of_measurement", "%"}, {"state_class", "measurement"}});
        add_figure("bus_failures", "总线失败 Bus failures", t_.metrics(),
                   "{{ value_json.bus.values() | map(attribute='failures') | sum }}",
                   {{"state_class", "total_increasing"}});
    }

    const core::cabinet_config& config_;
    topics t_;
    object components_;
};

}  // namespace

home_assistant_document home_assistant_device(const core::cabinet_config& config, std::string_view shown) {
    auto components = device(config).components();
    object all;
    for (const auto& [key, component] : components) {
        all[key] = component.at("platform");
    }
    boost::system::error_code error;
    const auto known = boost::json::parse(shown, error);
    if (known.is_object()) {
        for (const auto& [key, platform] : known.get_object()) {
            if (platform.is_string() && !components.contains(key)) {
                components[key] = object{{"platform", platform}};
                all[key] = platform;
            }
        }
    }
    object about{{"identifiers", array{fmt::format("locker-{}", config.id)}},
                 {"name", config.name},
                 {"manufacturer", "cloud-locker"},
                 {"model", fmt::format("云柜 Cloud locker, {} compartments", config.compartments.size())},
                 {"sw_version", config.version}};
    if (!config.place.empty()) {
        about["suggested_area"] = config.place;
    }
    return {serialize(object{{"device", std::move(about)},
                             {"origin", object{{"name", "cloud-locker"}, {"sw_version", config.version}}},
                             {"qos", 1},
                             {"components", std::move(components)}}),
            serialize(all)};
}

}  // namespace locker
