// `lockerctl commission`: takes a cabinet into service, and `--verify`: walks one that is in service.
#pragma once

#include <cstdint>
#include <string>

namespace locker {

struct commission_options {
    std::string config = "/etc/cloud-locker/lockerd.toml";
    std::string device;  // instead of the configuration's buses …
    std::string tcp;     // … "host:port"
    std::int64_t baud = 9600;
    std::string parity = "none";
    int first = 1;
    int last = 32;
    int doors = 0;                  // expected; 0: not known
    std::int64_t pulse_max = 700;   // ms: no lock is pulsed for longer
    std::int64_t cool_down = 1500;  // ms a coil rests after a pulse, where the configuration says nothing
    std::string profiles;           // a folder with more of them
    std::string cabinet;            // id, broker: for a configuration that does not exist yet
    std::string broker;
    bool unattended = false;  // nobody answers: doors are numbered in the order of their relays
    bool force = false;       // doors of the configuration that were not found are left out
    bool anew = false;        // what an earlier run learnt is forgotten
    bool json = false;
    std::string socket;  // of lockerd, for verify
    std::string staff;   // verify: a staff code or a grant; empty: asked for
};

// Exit codes: 0 done; 1 refused, or nothing was learnt; 2 failed; 130 interrupted, goes on when called again.
[[nodiscard]] int commission(const commission_options& o);
// 0 as configured; 1 there are differences; 2 failed.
[[nodiscard]] int verify_wiring(const commission_options& o);

}  // namespace locker
