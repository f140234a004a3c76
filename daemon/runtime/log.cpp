#include "daemon/runtime/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>

#include "hal/system/journal.hpp"

namespace locker {
namespace {

// Where the journal keeps our lines they get fields; time, process and unit it knows by itself.
class journal_sink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
protected:
    void sink_it_(const spdlog::details::log_msg& m) override {
        const std::string_view line(m.payload.data(), m.payload.size());
        const int priority = m.level >= spdlog::level::err ? 3 : m.level == spdlog::level::warn ? 4 : 6;  // syslog(3)
        if (dropped_ > 0 &&
            journal_.send(journal_entry("lockerd", 4, fmt::format("event=log_dropped lines={}", dropped_))) ==
                journal::answer::taken) {
            dropped_ = 0;
        }
        switch (journal_.send(journal_entry("lockerd", priority, line))) {
            case journal::answer::taken:
                break;
            case journal::answer::full:
                ++dropped_;
                break;
            case journal::answer::gone:
                std::fprintf(stderr, "<%d>%.*s\n", priority, static_cast<int>(line.size()), line.data());
                break;
        }
    }
    void flush_() override {}

private:
    journal journal_;
    std::uint64_t dropped_ = 0;
};

}  // namespace

void start_log() {
    std::shared_ptr<spdlog::logger> logger;
    if (journal::is_stderr()) {
        logger = std::make_shared<spdlog::logger>("lockerd", std::make_shared<journal_sink>());
    } else {
        logger = spdlog::stderr_logger_st("lockerd");
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    }
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
