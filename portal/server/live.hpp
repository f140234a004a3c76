// What changes, told to whoever watches: pages over server-sent events, loops that wait for work. One thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <set>
#include <string>

namespace locker::portal {

class watcher {
public:
    watcher(const boost::asio::any_io_executor& executor, std::set<std::string> subjects)
        : subjects_(std::move(subjects)), wake_(executor) {}

    // The subjects that have changed since the last call; empty: nothing within that time.
    [[nodiscard]] boost::asio::awaitable<std::set<std::string>> changes(std::chrono::milliseconds at_most);

private:
    friend class bell;
    std::set<std::string> subjects_;
    std::set<std::string> changed_;
    boost::asio::steady_timer wake_;
};

class bell {
public:
    explicit bell(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

    // Tells later, when whatever is being committed has been.
    void ring(const std::string& subject);
    [[nodiscard]] std::shared_ptr<watcher> watch(std::set<std::string> subjects);

private:
    boost::asio::any_io_executor executor_;
    std::set<std::weak_ptr<watcher>, std::owner_less<>> watchers_;
};

}  // namespace locker::portal
