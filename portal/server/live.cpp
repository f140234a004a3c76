#include "portal/server/live.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace locker::portal {

boost::asio::awaitable<std::set<std::string>> watcher::changes(std::chrono::milliseconds at_most) {
    if (changed_.empty()) {
        wake_.expires_after(at_most);
        co_await wake_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return std::exchange(changed_, {});
}

void bell::ring(const std::string& subject) {
    boost::asio::post(executor_, [this, subject] {
        for (auto at = watchers_.begin(); at != watchers_.end();) {
            const auto one = at->lock();
            if (one == nullptr) {
                at = watchers_.erase(at);
                continue;
            }
            if (one->subjects_.count(subject) != 0) {
                one->changed_.insert(subject);
                one->wake_.cancel();
            }
            ++at;
        }
    });
}

std::shared_ptr<watcher> bell::watch(std::set<std::string> subjects) {
    auto one = std::make_shared<watcher>(executor_, std::move(subjects));
    watchers_.insert(one);
    return one;
}

}  // namespace locker::portal
