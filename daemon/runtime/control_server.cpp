#include "daemon/runtime/control_server.hpp"

#include <sys/stat.h>

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

#include "hal/ports/store.hpp"
#include "protocol/grant.hpp"
#include "protocol/json.hpp"
#include "protocol/limits.hpp"
#include "protocol/state.hpp"

namespace locker {

namespace asio = boost::asio;
using io_error = boost::system::error_code;
using local = asio::local::stream_protocol;

namespace {
constexpr std::size_t sessions_max = 16;
constexpr std::size_t unsent_max = 1024;  // a watcher that does not read is dropped
constexpr std::size_t line_max = limits::payload_bytes;
}  // namespace

struct control_server::inner : std::enable_shared_from_this<inner> {
    struct session {
        session(local::socket s, std::uint64_t n) : socket(std::move(s)), in(line_max), terminal(n) {}
        local::socket socket;
        asio::streambuf in;
        std::deque<std::string> out;
        std::uint64_t terminal;
        bool watching = false;
    };
    using ptr = std::shared_ptr<session>;

    asio::io_context& io;
    std::string path;
    control_handlers handlers;
    local::acceptor acceptor;
    asio::steady_timer pause{io};
    std::set<ptr> sessions;
    std::map<std::uint64_t, std::weak_ptr<session>> waiting;
    std::uint64_t entries = 0;
    std::uint64_t terminals = 0;

    inner(asio::io_context& context, std::string p, control_handlers h)
        : io(context), path(std::move(p)), handlers(std::move(h)), acceptor(context) {
        std::filesystem::remove(path);
        const mode_t before = ::umask(0117);  // rw for owner and group from its first moment
        acceptor.open();
        io_error error;
        acceptor.bind(local::endpoint(path), error);
        ::umask(before);
        if (error) {
            throw boost::system::system_error(error, "control socket " + path);
        }
        acceptor.listen();
    }

    void accept() {
        acceptor.async_accept([self = shared_from_this()](io_error error, local::socket socket) {
            if (error == asio::error::operation_aborted) {
                return;
            }
            if (error) {  // out of descriptors, say: nobody is served for a moment
                self->pause.expires_after(std::chrono::milliseconds(200));
                self->pause.async_wait([self](io_error stopped) {
                    if (!stopped) {
                        self->accept();
                    }
                });
                return;
            }
            if (self->sessions.size() < sessions_max) {
                auto s = std::make_shared<session>(std::move(socket), ++self->terminals);
                self->sessions.insert(s);
                self->read(s);
            }
            self->accept();
        });
    }

    void leave(const ptr& s) {
        if (sessions.erase(s) != 0) {
            handlers.gone(s->terminal);
        }
    }

    void read(const ptr& s) {
        asio::async_read_until(s->socket, s->in, '\n', [self = shared_from_this(), s](io_error error, std::size_t) {
            if (error) {
                self->leave(s);
                return;
            }
            std::istream in(&s->in);
            std::string line;
            std::getline(in, line);
            try {
                self->obey(s, line);
            } catch (const archive_error& e) {
                self->send(s, error_reply("", {error_code::storage_failed, e.what()}, ""));
            }
            self->read(s);
        });
    }

    void obey(const ptr& s, const std::string& line) {
        const auto request = parse_object(line, line_max);
        const auto what =
            request ? required_text(*request, "do", 16) : reading<std::string>(malformed("JSON is wanted"));
        if (!what) {
            send(s, error_reply("", what.error(), ""));
        } else if (*what == "enter") {
            enter(s, *request);
        } else if (*what == "lift" || *what == "suspect" || *what == "examined") {
            const bool lift = *what == "lift";
            const auto text = required_text(*request, lift ? "staff" : "reason", limits::text_bytes);
            if (!text) {
                send(s, error_reply("", text.error(), ""));
                return;
            }
            waiting[++entries] = s;
            handlers.order(entries,
                           lift                 ? ops_deed::lift
                           : *what == "suspect" ? ops_deed::suspect
                                                : ops_deed::examined,
                           *text, 0);
        } else if (*what == "renewed" || *what == "mechanical") {
            const auto door = optional_integer(*request, "compartment", 1, limits::compartment_max);
            if (!door || !*door) {
                send(s, error_reply("", door ? malformed("compartment: the number on the door") : door.error(), ""));
                return;
            }
            const bool mechanical = *what == "mechanical";
            const auto* flag = request->if_contains("emptied");
            const bool emptied = flag != nullptr && flag->is_bool() && flag->get_bool();
            const auto reason =
                mechanical ? required_text(*request, "reason", limits::text_bytes) : reading<std::string>("");
            if (!reason) {
                send(s, error_reply("", reason.error(), ""));
                return;
            }
            waiting[++entries] = s;
            handlers.order(entries,
                           !mechanical ? ops_deed::renewed
                           : emptied   ? ops_deed::emptied
                                       : ops_deed::mechanical,
                           *reason, static_cast<int>(**door));
        } else if (*what == "health") {
            send(s, ok_reply("", handlers.health()));
        } else if (*what == "status") {
            send(s, ok_reply("", handlers.status()));
        } else if (*what == "log") {
            const auto from = optional_integer(*request, "from", 1, INT64_MAX);
            const auto limit = optional_integer(*request, "limit", 1, 1000);
            if (!from || !limit) {
                send(s, error_reply("", from ? limit.error() : from.error(), ""));
                return;
            }
            send(s, ok_reply("", handlers.rows(static_cast<std::uint64_t>(from->value_or(1)),
                                               static_cast<std::uint64_t>(limit->value_or(200)))));
        } else if (*what == "watch") {
            s->watching = true;
        } else {
            send(s,
                 error_reply(
                     "",
                     malformed("do: enter, status, health, log, watch, lift, suspect, renewed, mechanical or examined"),
                     ""));
        }
    }

    void enter(const ptr& s, const boost::json::object& request) {
        const auto text = required_text(request, "text", limits::grant_bytes);
        const auto via = optional_text(request, "via", 16);
        if (!text || !via) {
            send(s, error_reply("", text ? via.error() : text.error(), ""));
            return;
        }
        if (*via && **via != "keypad" && **via != "scanner" && **via != "socket") {
            send(s, error_reply("", malformed("via: keypad, scanner or socket"), ""));
            return;
        }
        waiting[++entries] = s;
        handlers.enter(entries, via->value_or(looks_like_grant(*text) ? "scanner" : "keypad"), *text, s->terminal);
    }

    void send(const ptr& s, const std::string& text) {
        if (s->out.size() >= unsent_max) {
            io_error ignored;
            s->socket.close(ignored);
            return;
        }
        s->out.push_back(text + "\n");
        if (s->out.size() == 1) {
            write(s);
        }
    }

    void write(const ptr& s) {
        asio::async_write(s->socket, asio::buffer(s->out.front()),
                          [self = shared_from_this(), s](io_error error, std::size_t) {
                              if (error) {
                                  self->leave(s);
                                  return;
                              }
                              s->out.pop_front();
                              if (!s->out.empty()) {
                                  self->write(s);
                              }
                          });
    }
};

control_server::control_server(asio::io_context& io, const std::string& path, control_handlers handlers)
    : inner_(std::make_shared<inner>(io, path, std::move(handlers))) {
    inner_->accept();
}

control_server::~control_server() {
    io_error ignored;
    inner_->acceptor.close(ignored);
    inner_->pause.cancel();
    for (const auto& s : inner_->sessions) {
        s->socket.close(ignored);
    }
    std::error_code gone;
    std::filesystem::remove(inner_->path, gone);
}

void control_server::answered(std::uint64_t entry, const std::string& reply) {
    const auto at = inner_->waiting.find(entry);
    if (at == inner_->waiting.end()) {
        return;
    }
    if (const auto s = at->second.lock()) {
        inner_->send(s, reply);
    }
    inner_->waiting.erase(at);
}

void control_server::tell(const std::string& event) {
    const auto all = inner_->sessions;
    for (const auto& s : all) {
        if (s->watching) {
            inner_->send(s, event);
        }
    }
}

}  // namespace locker
