#include "daemon/ctl/entries.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <iostream>
#include <optional>

#include "daemon/ctl/client.hpp"
#include "protocol/crypto.hpp"

namespace locker {

using boost::json::object;

namespace {

// What a person at the cabinet would read.
std::string told(const object& answer) {
    if (!answer.at("ok").as_bool()) {
        return text(answer.at("error").as_object(), "message");
    }
    const auto& result = answer.at("result").as_object();
    if (result.contains("opening")) {
        const auto door = result.at("compartment").as_int64();
        return fmt::format("{0} 号柜门已打开，用后请关好。\nDoor {0} is open. Please shut it afterwards.", door);
    }
    if (result.contains("second_grant_within_s")) {
        const auto seconds = result.at("second_grant_within_s").to_number<std::int64_t>();
        return fmt::format("请另一位工作人员在 {0} 秒内出示二维码。\nA second person shows their grant within {0} s.",
                           seconds);
    }
    if (result.contains("signed_out")) {
        return "已退出。 Signed out.";
    }
    if (const auto* count = result.if_contains("suspected")) {
        return fmt::format("待查柜门 {0}。 {0} compartments are suspected now; deposits that are known go on.",
                           count->as_int64());
    }
    if (const auto* renewed = result.if_contains("renewed")) {
        return fmt::format("{0} 号锁重新记录。 The lock of door {0} is learnt anew.", renewed->as_int64());
    }
    if (const auto* door = result.if_contains("recorded")) {
        return fmt::format(
            "{0} 号柜门的机械开启已记录，待查。 The opening of door {0} with its key is recorded; staff should settle "
            "it.",
            door->as_int64());
    }
    if (result.contains("examined")) {
        return "账本警报已解除。 The alarm about the ledger is over; `lockerctl log verify` goes on telling the truth.";
    }
    if (const auto* lifted = result.if_contains("lifted")) {
        const auto number = text(result, "staff");
        return lifted->as_bool()
                   ? fmt::format("工号 {0} 已恢复。 Staff number {0} may sign in again; a locked-out keypad stays so.",
                                 number)
                   : fmt::format("工号 {0} 未被停用。 Staff number {0} was not suspended.", number);
    }
    if (result.contains("suspended")) {
        return fmt::format("工号 {0} 可以登录。 Staff number {0} may sign in.", text(result, "staff"));
    }
    if (const auto* from = result.if_contains("from")) {
        return fmt::format(
            "{0} 已由 {1} 号柜改为 {2} 号柜；{1} 号柜待查。\n"
            "{0} lies behind door {2} now, no more behind {1}, which is suspected until it is settled.",
            text(result, "deposit"), from->as_int64(), result.at("compartment").as_int64());
    }
    if (const auto* version = result.if_contains("version")) {
        return fmt::format("已更新至第 {0} 版。 Version {0} is in force.", version->as_int64());
    }
    if (const auto* before = result.if_contains("before")) {
        return fmt::format("{0} 之前签发的凭证已全部作废。 All grants issued before {0} are revoked.",
                           std::string(before->as_string()));
    }
    if (const auto* issue = result.if_contains("issue_min")) {
        return fmt::format("{0} 的旧取件码已作废（现用第 {1} 次起）。 Codes of {0} before issue {1} are revoked.",
                           text(result, "deposit"), issue->to_number<std::int64_t>());
    }
    if (const auto* state = result.if_contains("state")) {
        return fmt::format("{0}：已确认。 {0}: {1}.", text(result, "deposit"), std::string(state->as_string()));
    }
    if (const auto* list = result.if_contains("worklist")) {
        return text(list->as_object(), "message");
    }
    return result.empty() ? "已完成。 Done." : serialize(result);
}

// What a grant says, unverified: lockerd verifies it. Nothing: it is none.
std::optional<object> claims_of(const std::string& token) {
    const auto first = token.find('.');
    const auto second = first == std::string::npos ? first : token.find('.', first + 1);
    const auto bytes =
        second == std::string::npos ? std::nullopt : from_base64url(token.substr(first + 1, second - first - 1));
    boost::system::error_code error;
    const auto v = bytes ? boost::json::parse(std::string(bytes->begin(), bytes->end()), error) : boost::json::value();
    return error || !v.is_object() ? std::nullopt : std::optional(v.as_object());
}

// A grant opens what it names: it must be this door, for maintenance, and say why.
std::string unfit(const std::string& token, int door) {
    const auto claims = claims_of(token);
    if (!claims) {
        return "that is no grant";
    }
    const auto* cmp = claims->if_contains("cmp");
    if (text(*claims, "act") != "open" || cmp == nullptr || *cmp != door) {
        return fmt::format("that grant is for act {} at door {}; one with act open for door {} is wanted",
                           text(*claims, "act"), cmp == nullptr ? "none" : serialize(*cmp), door);
    }
    return text(*claims, "reason").empty()
               ? "that grant says no reason; mint it with one: the ledger takes it from there"
               : "";
}

}  // namespace

std::string text(const object& o, std::string_view member) {
    const auto* v = o.if_contains(member);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : "";
}

int show(const options& o, const object& answer) {
    std::cout << (o.json ? serialize(answer) : told(answer)) << std::endl;
    return answer.at("ok").as_bool() ? 0 : exit_refused;
}

int maintenance_open(const options& o, open_wish wish) {
    for (const auto& grant : wish.grants) {
        if (const auto why = unfit(grant, wish.door); !why.empty()) {
            std::cerr << "lockerctl: " << why << "\n";
            return exit_refused;
        }
    }
    if (!wish.grants.empty() && !wish.reason.empty()) {
        std::cerr << "lockerctl: a grant says its own reason: leave --reason out\n";
        return exit_refused;
    }
    if (wish.grants.empty() && wish.reason.find_first_not_of(' ') == std::string::npos) {
        std::cerr << "lockerctl: --reason is wanted: it stands in the ledger\n";
        return exit_refused;
    }
    conversation with(o.socket);
    if (!wish.grants.empty()) {
        for (std::size_t i = 0; i < wish.grants.size(); ++i) {
            const auto answer = with.ask({{"do", "enter"}, {"text", wish.grants[i]}, {"via", "scanner"}});
            const int code = show(o, answer);
            const auto* result = answer.if_contains("result");
            const bool waits =
                result != nullptr && result->is_object() && result->get_object().contains("second_grant_within_s");
            if (code != 0 || !waits || i + 1 == wish.grants.size()) {
                return code == 0 && waits ? exit_refused : code;  // waiting: nothing is open yet
            }
        }
    }
    if (wish.staff.empty()) {
        if (::isatty(STDIN_FILENO) != 0) {
            std::cerr << "工号 # 动态码 Staff number # code: " << std::flush;
        }
        std::getline(std::cin, wish.staff);
    }
    if (wish.staff.empty()) {
        std::cerr << "lockerctl: a staff code is wanted, number # code, or a grant by --grant\n";
        return exit_refused;
    }
    const auto in = with.ask({{"do", "enter"}, {"text", wish.staff}, {"via", "socket"}});
    if (!in.at("ok").as_bool()) {
        return show(o, in);
    }
    const int code = show(
        o, with.ask({{"do", "enter"}, {"text", fmt::format("open {} {}", wish.door, wish.reason)}, {"via", "socket"}}));
    (void)with.ask({{"do", "enter"}, {"text", "out"}, {"via", "socket"}});
    return code;
}

int enter(const options& o, const std::string& what, const std::string& via) {
    object request{{"do", "enter"}, {"text", what}};
    if (!via.empty()) {
        request["via"] = via;
    }
    return show(o, ask(o.socket, request));
}

int staff_session(const options& o) {
    const bool terminal = ::isatty(STDIN_FILENO) != 0;
    conversation with(o.socket);
    int code = 0;
    const auto prompt = [&](std::string_view text) {
        if (terminal) {
            std::cout << text << std::flush;
        }
    };
    constexpr std::string_view sign_in = "工号 # 动态码 Staff number # code: ";
    bool signed_in = false;
    prompt(sign_in);
    for (std::string line; std::getline(std::cin, line);) {
        if (line.find_first_not_of(" \t\r") != std::string::npos) {
            const auto answer = with.ask({{"do", "enter"}, {"text", line}, {"via", "socket"}});
            code = show(o, answer);
            const auto* result = answer.if_contains("result");
            signed_in =
                signed_in || (result != nullptr && result->is_object() && result->get_object().contains("staff"));
            if (result != nullptr && result->is_object() && result->get_object().contains("signed_out")) {
                break;
            }
        }
        prompt(!signed_in ? sign_in
                          : "list, next, DOOR, reclaim DOOR, settle DOOR, return DEPOSIT, confirm DEPOSIT, move "
                            "DEPOSIT DOOR, out > ");
    }
    return code;
}

}  // namespace locker
