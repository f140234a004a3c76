#include "protocol/error.hpp"

namespace locker {
namespace {

struct entry {
    std::string_view name;
    sentence text;
};

constexpr std::array<entry, error_code_count> table{{
    {"malformed", {"输入内容不完整，请检查后重新输入。", "The input could not be read. Check it and enter it again."}},
    {"expired", {"已过期，请在手机上重新获取。", "This has expired. Get a new one on the phone."}},
    {"not_yet_valid", {"尚未生效，请稍后再试。", "This is not valid yet. Try again later."}},
    {"wrong_audience", {"这不是本柜的凭证，请到指定的云柜。", "This is for another cabinet. Go to the one it names."}},
    {"bad_signature",
     {"凭证无法验证，请在手机上重新获取。", "This could not be verified. Get a new one on the phone."}},
    {"unknown_key", {"凭证无法验证，请联系工作人员。", "The issuer of this is not known here. Ask the staff."}},
    {"stale_epoch",
     {"此凭证现在不能在这里使用，请在手机上重新操作。", "This cannot be used here and now. Do it again on the phone."}},
    {"replayed", {"此凭证已使用过，请重新获取。", "This was used already. Get a new one."}},
    {"retained", {"指令无效，请重新操作。", "A stored command is never obeyed. Send it again."}},
    {"wrong_code", {"取件码不正确，请核对后重新输入。", "This code does not match. Check it and enter it again."}},
    {"typo", {"取件码有误，请检查每一位数字。", "A digit is wrong. Check the code digit by digit."}},
    {"ambiguous", {"请输入：柜门号 # 取件码。", "Enter the door number too: door # code."}},
    {"locked_out",
     {"错误次数过多，请用手机开门，或输入：柜门号 # 取件码。",
      "Too many wrong codes. Use the phone, or enter: door # code."}},
    {"suspended", {"该账号已暂停使用，请稍后再试。", "This number is suspended. Try again later."}},
    {"clock_untrusted", {"云柜时钟未校准，请出示二维码。", "The cabinet's clock is not set. Show a QR code instead."}},
    {"no_vacancy", {"暂无空柜，请稍后再来或联系工作人员。", "No free compartment. Come later or ask the staff."}},
    {"unknown_deposit", {"没有找到这份材料，请联系工作人员。", "There is no such deposit here. Ask the staff."}},
    {"unknown_compartment", {"没有这个柜门号，请核对。", "There is no such door. Check its number."}},
    {"wrong_state", {"当前状态不能进行此操作，请联系工作人员。", "This cannot be done now. Ask the staff."}},
    {"disabled", {"该柜门已停用，请联系工作人员。", "This door is out of use. Ask the staff."}},
    {"board_lost", {"柜门控制暂时中断，请稍后再试。", "The door cannot be reached now. Try again in a minute."}},
    {"jammed", {"柜门未能打开，请轻推柜门后重试。", "The door did not open. Push it gently and try again."}},
    {"unknown_outcome",
     {"无法确认柜门是否打开，请查看柜门；未开请重试。", "The door may be open: look at it. If it is shut, try again."}},
    {"busy", {"柜门正在使用中，请稍候。", "The door is in use. Wait a moment."}},
    {"storage_failed",
     {"云柜存储故障，柜门保持关闭，请联系工作人员。",
      "The cabinet cannot record now, so doors stay shut. Ask the staff."}},
    {"not_permitted", {"没有此操作的权限，请联系管理部门。", "This is not permitted to you. Ask your office."}},
}};

}  // namespace

std::string_view name(error_code code) {
    return table[static_cast<std::size_t>(code)].name;
}

sentence sentence_for(error_code code) {
    return table[static_cast<std::size_t>(code)].text;
}

std::optional<error_code> error_code_from(std::string_view wanted) {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].name == wanted) {
            return static_cast<error_code>(i);
        }
    }
    return std::nullopt;
}

}  // namespace locker
