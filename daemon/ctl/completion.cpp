#include "daemon/ctl/completion.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <set>

namespace locker {
namespace {

// One case for each path of subcommands: its options and what comes below it.
// `valued`: the options after which a value stands.
void cases(const CLI::App& app, const std::string& path, std::string& out, std::set<std::string>& valued) {
    std::string words;
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames()) {
            words += (words.empty() ? "--" : " --") + name;
            if (option->get_items_expected_max() > 0) {
                valued.insert("--" + name);
            }
        }
    }
    for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        words += (words.empty() ? "" : " ") + sub->get_name();
        cases(*sub, path + (path.empty() ? "" : " ") + sub->get_name(), out, valued);
    }
    out += fmt::format("        \"{}\") words=\"{}\" ;;\n", path, words);
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
    std::string out;
    std::set<std::string> valued;
    cases(app, "", out, valued);
    return "_lockerctl() {\n"
           "    local word path=\"\" words=\"\" value=no\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        if [ $value = yes ]; then value=no; continue; fi\n"
           "        case \"$word\" in\n"
           "        " +
           fmt::format("{}", fmt::join(valued, "|")) +
           ") value=yes ;;\n"
           "        -*) ;;\n"
           "        *) path=\"${path:+$path }$word\" ;;\n"
           "        esac\n"
           "    done\n"
           "    while :; do\n"
           "        case \"$path\" in\n" +
           out +
           "        *) case \"$path\" in *' '*) path=\"${path% *}\" ;; *) path=\"\" ;; esac; continue ;;\n"
           "        esac\n"
           "        break\n"
           "    done\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
           "}\n"
           "complete -o default -F _lockerctl lockerctl\n";
}

}  // namespace locker
