#include "hal/line/modbus_line.hpp"

#include <fmt/format.h>
#include <linux/serial.h>
#include <modbus.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <thread>

#include "hal/line/timing.hpp"

namespace locker {
namespace {

std::int64_t now_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1000;
}

void wait_us(std::int64_t us) {
    if (us > 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(us));
    }
}

// Else a USB adapter gathers what comes for 16 ms. A port that cannot is none the worse.
void ask_for_low_latency(int fd) {
    serial_struct port{};
    if (ioctl(fd, TIOCGSERIAL, &port) == 0) {
        port.flags |= ASYNC_LOW_LATENCY;
        ioctl(fd, TIOCSSERIAL, &port);
    }
}

bool turn_by_kernel(int fd) {
    serial_rs485 direction{};
    direction.flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND;
    return ioctl(fd, TIOCSRS485, &direction) == 0;
}

constexpr int coil_on = 0xFF00;  // FC05's two legal values
constexpr int coil_off = 0x0000;
constexpr int flash_on = 2;        // LC-Modbus
constexpr int command_on_for = 6;  // R421A08: seconds in the low byte
constexpr int command_off = 2;
// Beyond these an exception does not say that nothing was done: 4 is a failure on the way, 5 and 6 a promise, 0x0B a
// gateway that heard nothing (Modbus Application Protocol V1.1b3 §7).
constexpr int last_plain_refusal = 3;

void append(std::vector<std::uint8_t>& pdu, int word) {
    pdu.push_back(static_cast<std::uint8_t>(word >> 8));
    pdu.push_back(static_cast<std::uint8_t>(word & 0xFF));
}

// A PDU: the function, then words, high byte first.
std::vector<std::uint8_t> words(std::uint8_t function, std::initializer_list<int> what) {
    std::vector<std::uint8_t> pdu{function};
    for (const int word : what) {
        append(pdu, word);
    }
    return pdu;
}

constexpr int exception_base = MODBUS_ENOBASE;

bool is_exception(int error) {
    return error > exception_base && error < exception_base + MODBUS_EXCEPTION_MAX;
}

}  // namespace

void modbus_line::context_free::operator()(modbus_t* context) const {
    modbus_close(context);
    modbus_free(context);
}

modbus_line::modbus_line(line_settings settings) : settings_(std::move(settings)) {}

modbus_line::~modbus_line() = default;

bool modbus_line::open() {
    if (open_) {
        return true;
    }
    context_.reset(settings_.device.empty()
                       ? modbus_new_tcp_pi(settings_.host.c_str(), std::to_string(settings_.port).c_str())
                       : modbus_new_rtu(settings_.device.c_str(), settings_.baud, settings_.parity, 8, 1));
    if (!context_) {
        error_ = modbus_strerror(errno);
        return false;
    }
    // Recovery stays off: libmodbus' own never returns when the device has gone.
    modbus_set_error_recovery(context_.get(), MODBUS_ERROR_RECOVERY_NONE);
    modbus_set_response_timeout(context_.get(), 1, 0);  // the connect's, too
    if (modbus_connect(context_.get()) != 0) {
        error_ = modbus_strerror(errno);
        context_.reset();
        return false;
    }
    const int fd = modbus_get_socket(context_.get());
    if (fd >= FD_SETSIZE) {  // libmodbus selects: beyond this it would corrupt its stack
        error_ = fmt::format("descriptor {} is beyond select's {}", fd, FD_SETSIZE);
        context_.reset();
        return false;
    }
    if (!settings_.device.empty()) {
        // Other programs are kept off the line: TIOCEXCL those that are not root, the lock those that ask.
        ioctl(fd, TIOCEXCL);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            error_ = fmt::format("{}: another program has locked it", settings_.device);
            context_.reset();
            return false;
        }
        ask_for_low_latency(fd);
        if (settings_.rs485 && !turn_by_kernel(fd)) {
            error_ = fmt::format("rs485: the kernel cannot turn this port's transceiver: {}", std::strerror(errno));
            context_.reset();
            return false;
        }
    }
    open_ = true;
    quiet_since_us_ = now_us();
    return true;
}

void modbus_line::close() {
    open_ = false;
    context_.reset();
}

void modbus_line::keep_silence(int gap_characters) const {
    if (!settings_.device.empty()) {
        wait_us(quiet_since_us_ + silence_us(settings_, gap_characters) - now_us());
    }
}

// Reads away whatever comes for so long: a late answer is then nobody's.
void modbus_line::drain(std::int64_t ms) {
    const std::int64_t end = now_us() + ms * 1000;
    do {
        modbus_flush(context_.get());
        wait_us(std::min<std::int64_t>(5000, std::max<std::int64_t>(0, end - now_us())));
    } while (now_us() < end);
    modbus_flush(context_.get());
    quiet_since_us_ = now_us();
}

bool modbus_line::prepare(const peer& board) {
    if (!open_) {
        return false;
    }
    const auto timeout_us =
        static_cast<std::uint32_t>(board.timeout_us > 0 ? board.timeout_us : board.profile->timeout_ms * 1000LL);
    modbus_set_response_timeout(context_.get(), timeout_us / 1'000'000U, timeout_us % 1'000'000U);
    modbus_set_byte_timeout(context_.get(), 0, 0);  // then the other bounds the whole answer
    modbus_set_slave(context_.get(), board.address);
    keep_silence(board.profile->gap_characters);
    modbus_flush(context_.get());
    asked_us_ = now_us();
    return true;
}

void modbus_line::answered() {
    quiet_since_us_ = now_us();
    took_us_ = quiet_since_us_ - asked_us_;
}

line_result modbus_line::failed(peer& board, bool sent, bool timed_pulse) {
    const int error = errno;
    quiet_since_us_ = now_us();
    error_ = modbus_strerror(error);
    garbled_ = false;
    if (is_exception(error)) {
        return line_result::refused;
    }
    garbled_ = error == EMBBADCRC || error == EMBBADDATA || error == EMBBADEXC || error == EMBUNKEXC ||
               error == EMBMDATA || error == EMBBADSLAVE;
    const bool unanswered = error == ETIMEDOUT || error == EMBBADCRC || error == EMBBADDATA || error == EMBBADEXC ||
                            error == EMBUNKEXC || error == EMBMDATA || error == EMBBADSLAVE;
    if (!unanswered) {  // the descriptor itself: pulled adapter, closed connection
        close();
        return sent ? line_result::silent : line_result::not_sent;
    }
    board.resync = true;
    if (settings_.device.empty()) {
        close();  // TCP: a new connection is the one sure way to be rid of a late answer
        (void)open();
    } else if (timed_pulse) {
        drain(board.profile->timeout_ms);  // a late echo would confirm the same pulse's next try
    }
    return line_result::silent;
}

line_result modbus_line::read_bits(peer& board, int function, int count, std::uint32_t& bits) {
    if (!prepare(board)) {
        return line_result::not_sent;
    }
    std::array<std::uint8_t, 32> raw{};
    errno = 0;
    const int read = function == 1 ? modbus_read_bits(context_.get(), board.profile->first_coil(), count, raw.data())
                                   : modbus_read_input_bits(context_.get(), 0, count, raw.data());
    if (read != count) {
        return failed(board, true, false);
    }
    answered();
    bits = 0;
    for (int i = 0; i < count; ++i) {
        if (raw[static_cast<std::size_t>(i)] != 0) {
            bits |= 1U << static_cast<unsigned>(i);
        }
    }
    return line_result::ok;
}

line_result modbus_line::read_registers(peer& board, std::uint32_t& bits) {
    if (!prepare(board)) {
        return line_result::not_sent;
    }
    const auto& p = *board.profile;
    std::array<std::uint16_t, 32> raw{};
    errno = 0;
    if (modbus_read_registers(context_.get(), p.pulse_base, p.relays, raw.data()) != p.relays) {
        return failed(board, true, false);
    }
    answered();
    bits = 0;
    for (int i = 0; i < p.relays; ++i) {
        bits |= raw[static_cast<std::size_t>(i)] != 0 ? 1U << static_cast<unsigned>(i) : 0U;
    }
    return line_result::ok;
}

line_result modbus_line::read_relays(peer& board, std::uint32_t& bits) {
    return board.profile->pulse == pulse_kind::command_register ? read_registers(board, bits)
                                                                : read_bits(board, 1, board.profile->relays, bits);
}

line_result modbus_line::read(peer& board, std::uint32_t& bits) {
    if (board.profile->inputs == 0) {
        const auto result = read_relays(board, bits);
        board.resync = board.resync && result != line_result::ok;
        return result;
    }
    if (board.resync) {
        // RTU answers carry no number: one that comes late looks like the next one's. A question of another function
        // tells them apart; only when it is answered is the line in step again.
        std::uint32_t relays = 0;
        const auto result = read_relays(board, relays);
        if (result != line_result::ok && result != line_result::refused) {
            return result;
        }
        board.resync = false;
    }
    return read_bits(board, 2, board.profile->inputs, bits);
}

line_result modbus_line::probe(peer& board, int function, int address, int count, std::vector<std::uint8_t>& answer) {
    if (function < 1 || function > 4 || !prepare(board)) {
        return line_result::not_sent;  // nothing is written from here
    }
    auto pdu = words(static_cast<std::uint8_t>(function), {address, count});
    pdu.insert(pdu.begin(), static_cast<std::uint8_t>(board.address));
    errno = 0;
    if (modbus_send_raw_request(context_.get(), pdu.data(), static_cast<int>(pdu.size())) < 0) {
        return failed(board, false, false);
    }
    std::array<std::uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> raw{};
    errno = 0;
    const int length = modbus_receive_confirmation(context_.get(), raw.data());
    if (length < 0) {
        return failed(board, true, false);
    }
    answered();
    const auto at = static_cast<std::size_t>(modbus_get_header_length(context_.get()));
    if (raw[at - 1] == pdu[0] && raw[at] == (pdu[1] | 0x80)) {
        return line_result::refused;
    }
    const std::size_t bytes = raw[at + 1];
    const std::size_t wanted =
        function <= 2 ? static_cast<std::size_t>((count + 7) / 8) : 2 * static_cast<std::size_t>(count);
    if (raw[at - 1] != pdu[0] || raw[at] != pdu[1] || bytes != wanted ||
        at + 2 + bytes > static_cast<std::size_t>(length)) {
        errno = EMBBADDATA;
        return failed(board, true, false);
    }
    answer.assign(raw.begin() + static_cast<std::ptrdiff_t>(at + 2),
                  raw.begin() + static_cast<std::ptrdiff_t>(at + 2 + bytes));
    return line_result::ok;
}

// FC05, FC06, FC0F and FC10: an answer repeats the question's first five bytes after the address, or is an exception.
line_result modbus_line::write(peer& board, const std::vector<std::uint8_t>& pdu, bool timed_pulse) {
    if (!prepare(board)) {
        return line_result::not_sent;
    }
    // Raw, since a duration is not one of FC05's two legal values, and since libmodbus accepts a wrong echo.
    std::vector<std::uint8_t> request{static_cast<std::uint8_t>(board.address)};
    request.insert(request.end(), pdu.begin(), pdu.end());
    constexpr std::size_t repeated = 6;
    errno = 0;
    if (modbus_send_raw_request(context_.get(), request.data(), static_cast<int>(request.size())) < 0) {
        return failed(board, false, timed_pulse);
    }
    std::array<std::uint8_t, MODBUS_TCP_MAX_ADU_LENGTH> answer{};
    errno = 0;
    const int length = modbus_receive_confirmation(context_.get(), answer.data());
    if (length < 0) {
        return failed(board, true, timed_pulse);
    }
    answered();
    const int header = modbus_get_header_length(context_.get());
    const auto at = static_cast<std::size_t>(header) - 1;  // the unit's address is the header's last byte
    if (length >= header + 2 && answer[at] == request[0] && answer[at + 1] == (request[1] | 0x80)) {
        error_ = fmt::format("exception {}", answer[at + 2]);
        return answer[at + 2] <= last_plain_refusal ? line_result::refused : line_result::silent;
    }
    if (length < header + 5 ||
        !std::equal(request.begin(), request.begin() + repeated, answer.begin() + static_cast<std::ptrdiff_t>(at))) {
        errno = EMBBADDATA;
        const auto result = failed(board, true, timed_pulse);
        error_ = "the echo differs from what was written";
        return result;
    }
    return line_result::ok;
}

line_result modbus_line::pulse(peer& board, int channel, std::int64_t length_ms) {
    const auto& p = *board.profile;
    const auto units = static_cast<int>(std::clamp<std::int64_t>(length_ms / p.pulse_unit_ms, 1, p.pulse_max_units));
    switch (p.pulse) {
        case pulse_kind::flash_coil:
            return write(board, words(0x05, {p.pulse_base + channel, units}), true);
        case pulse_kind::flash_registers: {
            auto pdu = words(0x10, {p.pulse_base + channel * p.pulse_stride, 2});
            pdu.push_back(4);  // bytes that follow
            append(pdu, flash_on);
            append(pdu, units);
            return write(board, pdu, true);
        }
        case pulse_kind::command_register:
            return write(board, words(0x06, {p.pulse_base + channel, command_on_for * 256 + units}), true);
        case pulse_kind::on_off:  // its late echo says on, the next question's off: they cannot be confused
            return write(board, words(0x05, {p.pulse_base + channel, coil_on}), false);
    }
    return line_result::not_sent;
}

line_result modbus_line::release(peer& board, int channel) {
    return write(board, words(0x05, {board.profile->pulse_base + channel, coil_off}), false);
}

line_result modbus_line::drop_all(peer& board) {
    const auto& p = *board.profile;
    if (p.all_off_coil >= 0) {
        return write(board, words(0x05, {p.all_off_coil, coil_off}), false);
    }
    // Each by itself: FC0F is not in every board's list. One that does not answer at all is not asked for each.
    auto worst = line_result::ok;
    for (int i = 0; i < p.relays && open_; ++i) {
        const auto result = p.pulse == pulse_kind::command_register
                                ? write(board, words(0x06, {p.pulse_base + i, command_off * 256}), false)
                                : write(board, words(0x05, {p.first_coil() + i, coil_off}), false);
        worst = result == line_result::ok ? worst : result;
        if (i == 0 && worst != line_result::ok) {
            break;
        }
    }
    return worst;
}

}  // namespace locker
