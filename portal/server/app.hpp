// The portal as a whole: its rooms, and what they share.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "portal/server/cabinet_link.hpp"
#include "portal/server/config.hpp"
#include "portal/server/domain/catalogue.hpp"
#include "portal/server/domain/limiter.hpp"
#include "portal/server/http/router.hpp"
#include "portal/server/http/server.hpp"
#include "portal/server/live.hpp"

namespace locker::portal {

class pages;

struct catalogue_now {
    std::int64_t version = 0;
    services list;
    std::string text;
};

class app {
public:
    // Throws when the database, the address or the broker's client cannot be had.
    app(portal_settings given, const sources& from);
    ~app();

    // Until SIGTERM or SIGINT.
    void run();
    [[nodiscard]] unsigned short port() const { return http_.port(); }

    // ---- for the rooms of the API
    portal_settings settings;
    boost::asio::io_context io{1};
    boost::asio::thread_pool passwords{1};  // what takes its time: 0.1 s each …
    boost::asio::thread_pool reports{1};    // … or as years of figures take …
    int reports_asked = 0;                  // that are not answered yet
    boost::asio::thread_pool gateways;      // … and as long as another's machine pleases, a thread for each channel
    database db;
    vault safe;
    bell live;
    office desk;
    limiter limits;
    router routes;
    cabinet_link link;

    [[nodiscard]] const catalogue_now& catalogue();
    // Held by each live stream of this person; its count tells how many there are.
    [[nodiscard]] std::shared_ptr<const bool> streams_of(const std::string& who);

    // Runs `what` on one of the pools, and goes on here with what it gives.
    template <typename F>
    auto off_thread(boost::asio::thread_pool& pool, F what) {
        using result_of = std::invoke_result_t<F>;
        return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(result_of)>(
            [this, &pool](auto then, F work) {
                boost::asio::post(pool, [this, then = std::move(then), work = std::move(work)]() mutable {
                    boost::asio::post(
                        io, [then = std::move(then), done = work()]() mutable { std::move(then)(std::move(done)); });
                });
            },
            boost::asio::use_awaitable, std::move(what));
    }

private:
    boost::asio::awaitable<http_response> answer(http_request r);
    boost::asio::awaitable<void> deliver(const channel_settings& channel);
    boost::asio::awaitable<void> keep_house();

    catalogue_now catalogue_;
    std::map<std::string, std::weak_ptr<const bool>> streams_;
    std::unique_ptr<pages> pages_;
    http_server http_;
};

// Each adds its routes.
void add_resident_api(app& a);
void add_work_api(app& a);
void add_admin_api(app& a);
void add_ops_api(app& a);

}  // namespace locker::portal
