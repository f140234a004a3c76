#include "daemon/runtime/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace locker {

void start_log() {
    auto logger = spdlog::stderr_logger_st("lockerd");
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

void log(log_level level, std::string_view line) {
    switch (level) {
        case log_level::info:
            spdlog::info("{}", line);
            break;
        case log_level::warning:
            spdlog::warn("{}", line);
            break;
        case log_level::error:
            spdlog::error("{}", line);
            break;
    }
}

}  // namespace locker
