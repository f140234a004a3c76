#include "portal/server/app.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "portal/server/domain/people.hpp"
#include "portal/server/domain/retention.hpp"
#include "portal/server/http/pages.hpp"

namespace locker::portal {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto house_every = 1h;
constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

}  // namespace

app::app(portal_settings given, const sources& from)
    : settings(std::move(given)),
      gateways(std::max<std::size_t>(1, settings.channels.size())),
      db(settings.database),
      safe(settings.data_key, from),
      live(io.get_executor()),
      desk{db, safe, from, settings.issuer, settings.by, [this](const std::string& subject) { live.ring(subject); }},
      routes(desk, limits, settings.trial ? "" : settings.origin),  // a trial is reached by more names than one
      link(io, desk, settings.link),
      pages_(std::make_unique<pages>(settings.pages, settings.dashboard)),
      http_(io, settings.http, [this](http_request r) { return answer(std::move(r)); }) {
    add_resident_api(*this);
    add_work_api(*this);
    add_admin_api(*this);
    add_ops_api(*this);
}

app::~app() = default;

asio::awaitable<http_response> app::answer(http_request r) {
    if (!r.path.starts_with("/api/") && r.path != "/metrics") {
        co_return pages_->serve(r);
    }
    co_return co_await routes.handle(r);
}

void app::run() {
    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([this](boost::system::error_code error, int) {
        if (!error) {
            spdlog::info("event=stopping");
            http_.stop();
            link.stop();
            io.stop();  // whoever is in the middle asks again: nothing is answered that is not on disk
        }
    });
    link.start();
    http_.start();
    for (const auto& channel : settings.channels) {
        asio::co_spawn(io, deliver(channel), asio::detached);
    }
    asio::co_spawn(io, keep_house(), asio::detached);
    spdlog::info("event=started address={} port={} cabinets={}", settings.http.address, http_.port(),
                 all_cabinets(desk).size());
    io.run();
    passwords.join();
    reports.join();
    gateways.join();
}

// ---- notices

// One channel's notices, one after the other: their order is kept.
asio::awaitable<void> app::deliver(const channel_settings& channel) {
    const auto woken = live.watch({"notices/" + channel.name});
    int failures = 0;  // of the storage, in a row
    for (;;) {
        if (failures > 0) {
            asio::steady_timer pause(io, std::chrono::seconds(std::min(failures, 30)));
            co_await pause.async_wait(nothrow);
        }
        std::optional<notice> n;
        std::string phone;
        std::int64_t pause_ms = 0;
        try {
            n = next_notice(desk, channel.name);
            if (n && drop_if_moot(desk, *n)) {
                continue;
            }
            if (n) {
                phone = phone_of(desk, n->recipient).value_or("");
            } else {
                const auto due = next_due(desk, channel.name);
                pause_ms =
                    due == INT64_MAX ? std::int64_t{minute} : std::clamp<std::int64_t>(due - desk.now(), 100, minute);
            }
            failures = 0;
        } catch (const std::exception& e) {  // nothing ends a channel but the program
            ++failures;
            spdlog::error("event=notices_wait channel={} why={}", channel.name, why(e));
            continue;
        }
        if (!n) {
            co_await woken->changes(std::chrono::milliseconds(pause_ms));
            continue;
        }
        const auto nonce = safe.token(16);
        const std::int64_t now = desk.now();
        auto sending = [&] {
            try {
                return send(channel, *n, phone, now, nonce);
            } catch (const std::exception&) {  // out of memory, say
                return delivery::later;
            }
        };
        const auto how = co_await off_thread(gateways, sending);
        try {
            settled(desk, *n, how);
        } catch (const std::exception& e) {  // it is told again, by the same key
            ++failures;
            spdlog::error("event=notice_not_noted channel={} why={}", channel.name, why(e));
        }
        if (how != delivery::taken) {
            spdlog::warn("event=notice_not_taken channel={} template={} attempt={} {}", channel.name, n->template_name,
                         n->attempts + 1, how == delivery::later ? "later" : "refused");
        }
    }
}

asio::awaitable<void> app::keep_house() {
    for (;;) {
        try {
            const auto gone = purge(desk);
            if (gone > 0) {
                spdlog::info("event=purged rows={}", gone);
            }
        } catch (const std::exception& e) {
            spdlog::error("event=purge_failed why={}", why(e));
        }
        asio::steady_timer pause(io, house_every);
        co_await pause.async_wait(nothrow);
    }
}

std::shared_ptr<const bool> app::streams_of(const std::string& who) {
    std::erase_if(streams_, [](const auto& s) { return s.second.expired(); });
    auto& known = streams_[who];
    auto mine = known.lock();
    if (!mine) {
        mine = std::make_shared<const bool>(true);
        known = mine;
    }
    return mine;
}

// ---- the catalogue

const catalogue_now& app::catalogue() {
    long long version = 0;
    db.sql() << "SELECT COALESCE(MAX(version), 0) FROM catalogue", soci::into(version);
    if (version != catalogue_.version) {
        std::string text;
        db.sql() << "SELECT content FROM catalogue WHERE version = :v", soci::use(version), soci::into(text);
        auto parsed = parse_catalogue(text);
        if (auto* list = std::get_if<services>(&parsed)) {
            catalogue_ = {version, std::move(*list), std::move(text)};
        }
    }
    return catalogue_;
}

}  // namespace locker::portal
