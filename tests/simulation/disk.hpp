// A file system in memory under SQLite that keeps what was synced. At a power cut each sector of what was written since
// is kept, dropped or torn, by chance. Any call can fail: I/O error, full disk; any sync can be slow.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/world.hpp"

namespace sim {

class disk {
public:
    explicit disk(world& w);
    ~disk();
    disk(const disk&) = delete;
    disk& operator=(const disk&) = delete;

    // Faults, per million calls.
    int write_fails = 0;
    int sync_fails = 0;
    int read_fails = 0;
    bool full = false;
    std::int64_t slowest_sync_ms = 0;  // a card that tidies up: any sync may take so long

    void power_cut();     // what was not synced is at stake
    void process_died();  // what was written stays, as in the kernel's cache

private:
    friend struct vfs_calls;
    struct change {
        std::size_t at = 0;
        std::string before;
        std::string after;
        bool truncate = false;
        std::size_t size_before = 0;
    };
    struct node {
        std::string bytes;
        std::vector<change> unsynced;
        std::vector<std::unique_ptr<char[]>> shared;
    };
    bool fails(int per_million) { return per_million > 0 && world_.rng.below(1'000'000) < per_million; }
    void write(node& n, std::size_t at, std::string_view data);
    void truncate(node& n, std::size_t size);
    void cut(node& n);

    world& world_;
    std::map<std::string, node> files_;
    sqlite3_vfs vfs_{};
};

}  // namespace sim
