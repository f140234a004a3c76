#include "tests/simulation/disk.hpp"

#include <algorithm>
#include <cstring>

namespace sim {

struct vfs_calls {
    struct open_file {
        sqlite3_file base;
        disk* owner;
        disk::node* node;
    };
    static disk& owner_of(sqlite3_vfs* v) { return *static_cast<disk*>(v->pAppData); }
    static open_file& of(sqlite3_file* f) { return *reinterpret_cast<open_file*>(f); }
    static bool died(disk& d, const char* what, std::int64_t size = 0) {
        return d.world_.port(what, std::to_string(size));
    }

    static int close(sqlite3_file*) { return SQLITE_OK; }
    static int read(sqlite3_file* f, void* into, int amount, sqlite3_int64 at) {
        auto& file = of(f);
        if (file.owner->world_.power_lost) {
            return SQLITE_IOERR_READ;
        }
        if (file.owner->fails(file.owner->read_fails)) {
            // A read cut short is an error here, as in SQLite's own layer over read(2): one that silently gave zeros
            // for what was written would be a medium that lies, and about those nothing is promised.
            file.owner->world_.note("disk.read_failed");
            return SQLITE_IOERR_READ;
        }
        const auto& bytes = file.node->bytes;
        const auto from = std::min(bytes.size(), static_cast<std::size_t>(at));
        const auto have = std::min(bytes.size() - from, static_cast<std::size_t>(amount));
        std::memcpy(into, bytes.data() + from, have);
        if (have < static_cast<std::size_t>(amount)) {
            std::memset(static_cast<char*>(into) + have, 0, static_cast<std::size_t>(amount) - have);
            return SQLITE_IOERR_SHORT_READ;
        }
        return SQLITE_OK;
    }
    static int write(sqlite3_file* f, const void* from, int amount, sqlite3_int64 at) {
        auto& file = of(f);
        auto& d = *file.owner;
        if (d.world_.power_lost) {
            return SQLITE_IOERR_WRITE;
        }
        const auto end = static_cast<std::size_t>(at) + static_cast<std::size_t>(amount);
        if (d.full && end > file.node->bytes.size()) {
            d.world_.note("disk.full");
            return SQLITE_FULL;
        }
        if (d.fails(d.write_fails)) {
            d.world_.note("disk.write_failed");
            return SQLITE_IOERR_WRITE;
        }
        d.write(*file.node, static_cast<std::size_t>(at),
                {static_cast<const char*>(from), static_cast<std::size_t>(amount)});
        return died(d, "disk.write", at) ? SQLITE_IOERR_WRITE : SQLITE_OK;
    }
    static int truncate(sqlite3_file* f, sqlite3_int64 size) {
        auto& d = *of(f).owner;
        if (d.world_.power_lost) {
            return SQLITE_IOERR_TRUNCATE;
        }
        d.truncate(*of(f).node, static_cast<std::size_t>(size));
        return died(d, "disk.truncate", size) ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
    }
    static int sync(sqlite3_file* f, int) {
        auto& d = *of(f).owner;
        if (d.world_.power_lost) {
            return SQLITE_IOERR_FSYNC;
        }
        if (d.fails(d.sync_fails)) {
            d.world_.note("disk.sync_failed");
            return SQLITE_IOERR_FSYNC;
        }
        if (d.slowest_sync_ms > 0 && d.world_.rng.chance(100)) {
            d.world_.note("disk.slow");
            d.world_.held_up_ms += d.world_.rng.between(1, d.slowest_sync_ms);
        }
        if (died(d, "disk.sync")) {
            return SQLITE_IOERR_FSYNC;  // it went in the middle: all is at stake still
        }
        of(f).node->unsynced.clear();
        return SQLITE_OK;
    }
    static int size(sqlite3_file* f, sqlite3_int64* out) {
        *out = static_cast<sqlite3_int64>(of(f).node->bytes.size());
        return of(f).owner->world_.power_lost ? SQLITE_IOERR_FSTAT : SQLITE_OK;
    }
    static int lock(sqlite3_file*, int) { return SQLITE_OK; }
    static int reserved(sqlite3_file*, int* out) {
        *out = 0;
        return SQLITE_OK;
    }
    static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
    static int sector(sqlite3_file*) { return 512; }
    static int traits(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }
    static int shm_map(sqlite3_file* f, int region, int bytes, int extend, void volatile** out) {
        auto& shared = of(f).node->shared;
        *out = nullptr;
        while (shared.size() <= static_cast<std::size_t>(region)) {
            if (extend == 0) {
                return SQLITE_OK;
            }
            shared.push_back(std::make_unique<char[]>(static_cast<std::size_t>(bytes)));
            std::memset(shared.back().get(), 0, static_cast<std::size_t>(bytes));
        }
        *out = shared[static_cast<std::size_t>(region)].get();
        return SQLITE_OK;
    }
    static int shm_lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
    static void shm_barrier(sqlite3_file*) {}
    static int shm_unmap(sqlite3_file* f, int) {
        of(f).node->shared.clear();
        return SQLITE_OK;
    }

    static int open(sqlite3_vfs* v, const char* name, sqlite3_file* f, int flags, int* out_flags) {
        static const sqlite3_io_methods methods{2,        close,       read,      write,   truncate, sync,   size,
                                                lock,     lock,        reserved,  control, sector,   traits, shm_map,
                                                shm_lock, shm_barrier, shm_unmap, nullptr, nullptr};
        auto& d = owner_of(v);
        auto& file = of(f);
        file.base.pMethods = nullptr;
        const std::string key = name == nullptr ? "temporary" : name;
        if (d.world_.power_lost || (d.files_.count(key) == 0 && (flags & SQLITE_OPEN_CREATE) == 0)) {
            return SQLITE_CANTOPEN;
        }
        file.owner = &d;
        file.node = &d.files_[key];
        file.base.pMethods = &methods;
        if (out_flags != nullptr) {
            *out_flags = flags;
        }
        return SQLITE_OK;
    }
    static int remove(sqlite3_vfs* v, const char* name, int) {
        auto& d = owner_of(v);
        if (d.world_.power_lost) {
            return SQLITE_IOERR_DELETE;
        }
        d.files_.erase(name);
        return died(d, "disk.delete") ? SQLITE_IOERR_DELETE : SQLITE_OK;
    }
    static int access(sqlite3_vfs* v, const char* name, int, int* out) {
        const auto& files = owner_of(v).files_;
        const auto at = files.find(name);
        *out = at != files.end() ? 1 : 0;
        return SQLITE_OK;
    }
    static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
        sqlite3_snprintf(size, out, "%s", name);
        return SQLITE_OK;
    }
    static int randomness(sqlite3_vfs* v, int size, char* out) {
        for (int i = 0; i < size; ++i) {
            out[i] = static_cast<char>(owner_of(v).world_.rng.below(256));
        }
        return size;
    }
    static int sleep(sqlite3_vfs*, int us) { return us; }
    static int time(sqlite3_vfs* v, double* out) {
        *out = 2440587.5 + static_cast<double>(owner_of(v).world_.true_wall() / 1000) / 86400.0;
        return SQLITE_OK;
    }
    static int last_error(sqlite3_vfs*, int, char*) { return 0; }
};

disk::disk(world& w) : world_(w) {
    vfs_.iVersion = 1;
    vfs_.szOsFile = static_cast<int>(sizeof(vfs_calls::open_file));
    vfs_.mxPathname = 256;
    vfs_.zName = "simulated";
    vfs_.pAppData = this;
    vfs_.xOpen = vfs_calls::open;
    vfs_.xDelete = vfs_calls::remove;
    vfs_.xAccess = vfs_calls::access;
    vfs_.xFullPathname = vfs_calls::full_path;
    vfs_.xRandomness = vfs_calls::randomness;
    vfs_.xSleep = vfs_calls::sleep;
    vfs_.xCurrentTime = vfs_calls::time;
    vfs_.xGetLastError = vfs_calls::last_error;
    sqlite3_initialize();
    sqlite3_vfs_register(&vfs_, 1);  // production opens the default one
    sqlite3_randomness(0, nullptr);  // SQLite's own generator starts over, from this world's chance
}

disk::~disk() {
    sqlite3_vfs_unregister(&vfs_);
}

void disk::write(node& n, std::size_t at, std::string_view data) {
    change c;
    c.at = at;
    c.size_before = n.bytes.size();
    if (at + data.size() > n.bytes.size()) {
        n.bytes.resize(at + data.size());
    }
    c.before = n.bytes.substr(at, data.size());
    c.after = data;
    n.bytes.replace(at, data.size(), data);
    n.unsynced.push_back(std::move(c));
}

void disk::truncate(node& n, std::size_t size) {
    change c;
    c.truncate = true;
    c.at = size;
    c.size_before = n.bytes.size();
    c.before = size < n.bytes.size() ? n.bytes.substr(size) : "";
    n.bytes.resize(size);
    n.unsynced.push_back(std::move(c));
}

void disk::cut(node& n) {
    for (auto c = n.unsynced.rbegin(); c != n.unsynced.rend(); ++c) {  // back to what was synced
        if (c->truncate) {
            n.bytes.resize(c->size_before);
            n.bytes.replace(c->at, c->before.size(), c->before);
        } else {
            n.bytes.replace(c->at, c->before.size(), c->before);
            n.bytes.resize(c->size_before);
        }
    }
    constexpr std::size_t sector = 512;
    for (const auto& c : n.unsynced) {  // … and what of the rest had reached the medium, sector by sector
        if (c.truncate) {
            if (world_.rng.chance(500)) {
                n.bytes.resize(std::min(n.bytes.size(), c.at));
            }
            continue;
        }
        for (std::size_t from = 0; from < c.after.size();) {
            const std::size_t end = std::min(c.after.size(), (c.at + from) / sector * sector + sector - c.at);
            std::size_t length = end - from;
            const auto fate = world_.rng.below(3);
            if (fate == 1) {
                length = static_cast<std::size_t>(world_.rng.below(static_cast<std::int64_t>(length) + 1));  // torn
            }
            if (fate != 0 && length > 0) {
                if (n.bytes.size() < c.at + from + length) {
                    n.bytes.resize(c.at + from + length);
                }
                n.bytes.replace(c.at + from, length, c.after, from, length);
            }
            from = end;
        }
    }
    n.unsynced.clear();
}

void disk::power_cut() {
    for (auto& [name, n] : files_) {
        cut(n);
        n.shared.clear();
    }
}

void disk::process_died() {
    for (auto& [name, n] : files_) {
        n.shared.clear();
    }
}

}  // namespace sim
