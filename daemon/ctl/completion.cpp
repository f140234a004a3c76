#include "daemon/ctl/completion.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace locker {
namespace {

// One case for each path of subcommands: its options and what comes below it.
void cases(const CLI::App& app, const std::string& path, std::string& out) {
    std::string words;
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames()) {
            words += (words.empty() ? "--" : " --") + name;
        }
    }
    for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        words += (words.empty() ? "" : " ") + sub->get_name();
        cases(*sub, path + (path.empty() ? "" : " ") + sub->get_name(), out);
    }
    out += fmt::format("        \"{}\") words=\"{}\" ;;\n", path, words);
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
    std::string out;
    cases(app, "", out);
    return "_lockerctl() {\n"
           "    local word path=\"\" words=\"\"\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        case \"$word\" in -*) ;; *) path=\"${path:+$path }$word\" ;; esac\n"
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
