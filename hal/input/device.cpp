#include "hal/input/device.hpp"

#include <fcntl.h>
#include <libevdev/libevdev.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <cstring>
#include <optional>

#include "hal/input/scanner.hpp"

namespace locker {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds first_pause{200};
constexpr std::chrono::milliseconds longest_pause{2000};

// Opens, tells of its presence, and tries again. What a kind of device does is its own.
class reopened : public input_device, public std::enable_shared_from_this<reopened> {
public:
    reopened(asio::io_context& io, input_settings what, input_listener listener)
        : settings_(std::move(what)), listener_(std::move(listener)), again_(io) {}

    void begin() {
        const std::string why = open();
        if (why.empty()) {
            pause_ = first_pause;
            tell(true, "");
        } else {
            later(why);
        }
    }
    void end() {
        ended_ = true;
        again_.cancel();
        close();
    }

protected:
    // Empty: it is open, and being read.
    virtual std::string open() = 0;
    virtual void close() = 0;

    void lost(const std::string& why) {
        if (!ended_) {
            close();
            later(why);
        }
    }
    [[nodiscard]] bool ended() const { return ended_; }

    input_settings settings_;
    input_listener listener_;

private:
    void tell(bool present, const std::string& why) {
        if (told_ != present) {
            told_ = present;
            listener_.presence(present, why);
        }
    }
    void later(const std::string& why) {
        tell(false, why);
        again_.expires_after(pause_);
        pause_ = std::min(pause_ * 2, longest_pause);
        again_.async_wait([self = shared_from_this()](error_code stopped) {
            if (!stopped && !self->ended_) {
                self->begin();
            }
        });
    }

    asio::steady_timer again_;
    std::chrono::milliseconds pause_ = first_pause;
    std::optional<bool> told_;
    bool ended_ = false;
};

class keyboard final : public reopened {
public:
    keyboard(asio::io_context& io, const input_settings& what, input_listener listener)
        : reopened(io, what, std::move(listener)), descriptor_(io) {}

private:
    struct freed {
        void operator()(libevdev* device) const { libevdev_free(device); }
    };

    std::string open() override {
        const int fd = ::open(settings_.device.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) {
            return std::strerror(errno);
        }
        libevdev* made = nullptr;
        if (const int error = libevdev_new_from_fd(fd, &made); error < 0) {
            ::close(fd);
            return std::string("no input device: ") + std::strerror(-error);
        }
        device_.reset(made);
        descriptor_.assign(fd);
        // Else what is typed goes to a console, too: a code to a log-in prompt.
        if (const int error = libevdev_grab(device_.get(), LIBEVDEV_GRAB); error < 0) {
            close();
            return std::string("cannot be had alone: ") + std::strerror(-error);
        }
        wait();
        return "";
    }

    void close() override {
        device_.reset();
        error_code ignored;
        descriptor_.close(ignored);
    }

    void wait() {
        descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this, self = shared_from_this()](error_code error) {
                                   if (!ended() && error != asio::error::operation_aborted) {
                                       read();
                                   }
                               });
    }

    void read() {
        input_event e{};
        int result = 0;
        while ((result = libevdev_next_event(device_.get(), LIBEVDEV_READ_FLAG_NORMAL, &e)) >= 0) {
            if (result == LIBEVDEV_READ_STATUS_SYNC) {
                while (libevdev_next_event(device_.get(), LIBEVDEV_READ_FLAG_SYNC, &e) == LIBEVDEV_READ_STATUS_SYNC) {
                }
                listener_.missed();
            } else if (e.type == EV_KEY) {
                listener_.key(e.code, e.value);
            }
        }
        pollfd state{descriptor_.native_handle(), 0, 0};
        const bool hung_up = ::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
        if (result == -EAGAIN && !hung_up) {
            wait();
        } else {
            lost(hung_up ? "it is gone" : std::strerror(-result));
        }
    }

    asio::posix::stream_descriptor descriptor_;
    std::unique_ptr<libevdev, freed> device_;
};

class serial_scanner final : public reopened {
public:
    serial_scanner(asio::io_context& io, const input_settings& what, input_listener listener)
        : reopened(io, what, std::move(listener)), port_(io), trigger_(io) {}

private:
    std::string open() override {
        error_code error;
        port_.open(settings_.serial, error);
        if (error) {
            return error.message();
        }
        ::ioctl(port_.native_handle(), TIOCEXCL);
        using serial = asio::serial_port_base;
        const auto set = [&](const auto& option) {
            if (!error) {
                port_.set_option(option, error);
            }
        };
        set(serial::baud_rate(static_cast<unsigned>(settings_.baud)));
        set(serial::character_size(8));
        set(serial::parity(serial::parity::none));
        set(serial::stop_bits(serial::stop_bits::one));
        set(serial::flow_control(serial::flow_control::none));
        if (error) {
            close();
            return error.message();
        }
        if (settings_.gm65) {
            send(gm65::settings_by_code_off);
        }
        read();
        pull_trigger();
        return "";
    }

    void close() override {
        trigger_.cancel();
        error_code ignored;
        port_.close(ignored);
    }

    // One frame at a time: a scanner that takes none must not hold up a cabinet. Whether it was heard shows in the next
    // scan. `frame` is one of gm65's constants.
    void send(std::string_view frame) {
        if (sending_) {
            next_ = frame;
            return;
        }
        sending_ = true;
        asio::async_write(port_, asio::buffer(frame), [this, self = shared_from_this()](error_code error, std::size_t) {
            sending_ = false;
            if (const auto waits = std::exchange(next_, ""); !error && !ended() && !waits.empty()) {
                send(waits);
            }
        });
    }

    void pull_trigger() {
        if (settings_.trigger_ms <= 0) {
            return;
        }
        send(gm65::trigger);
        trigger_.expires_after(std::chrono::milliseconds(settings_.trigger_ms));
        trigger_.async_wait([this, self = shared_from_this()](error_code stopped) {
            if (!stopped && !ended()) {
                pull_trigger();
            }
        });
    }

    void read() {
        port_.async_read_some(asio::buffer(chunk_),
                              [this, self = shared_from_this()](error_code error, std::size_t count) {
                                  if (ended() || error == asio::error::operation_aborted) {
                                      return;
                                  }
                                  if (error) {
                                      lost(error.message());
                                      return;
                                  }
                                  listener_.bytes(std::string_view(chunk_.data(), count));
                                  read();
                              });
    }

    asio::serial_port port_;
    bool sending_ = false;
    std::string_view next_;  // the latest that waits
    asio::steady_timer trigger_;
    std::array<char, 512> chunk_{};
};

// Outlived by handlers that are still queued; they find it ended.
class handle final : public input_device {
public:
    explicit handle(std::shared_ptr<reopened> device) : device_(std::move(device)) { device_->begin(); }
    ~handle() override { device_->end(); }
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;

private:
    std::shared_ptr<reopened> device_;
};

}  // namespace

std::unique_ptr<input_device> open_input(asio::io_context& io, const input_settings& what, input_listener listener) {
    if (what.serial.empty()) {
        return std::make_unique<handle>(std::make_shared<keyboard>(io, what, std::move(listener)));
    }
    return std::make_unique<handle>(std::make_shared<serial_scanner>(io, what, std::move(listener)));
}

}  // namespace locker
