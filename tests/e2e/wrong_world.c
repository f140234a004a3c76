/* Preloaded under lockerd: a clock that is wrong and not synchronised, a disk that does not sync or takes no writes, as
   files say. WRONG_WORLD names a folder; in it "clock" holds the seconds to add, "unsynchronised", "disk" and "readonly"
   need only exist. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static int path_of(char* out, size_t size, const char* name) {
    const char* folder = getenv("WRONG_WORLD");
    return folder != NULL && snprintf(out, size, "%s/%s", folder, name) < (int)size;
}

static int is_so(const char* name) {
    char path[512];
    return path_of(path, sizeof path, name) && access(path, F_OK) == 0;
}

static long offset(void) {
    char path[512];
    char text[32] = {0};
    if (!path_of(path, sizeof path, "clock")) {
        return 0;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    const ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    return got > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec* t) {
    static int (*real)(clockid_t, struct timespec*);
    if (real == NULL) {
        *(void**)(&real) = dlsym(RTLD_NEXT, "clock_gettime");
    }
    const int result = real(id, t);
    if (result == 0 && id == CLOCK_REALTIME) {
        t->tv_sec += offset();
    }
    return result;
}

int adjtimex(struct timex* t) {
    t->status = is_so("unsynchronised") ? STA_UNSYNC : 0;
    return is_so("unsynchronised") ? TIME_ERROR : TIME_OK;
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (real == NULL) {
        *(void**)(&real) = dlsym(RTLD_NEXT, "fdatasync");
    }
    if (is_so("disk")) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fsync(int fd) {
    return fdatasync(fd);
}

/* As ext4 does once it has turned itself read-only (errors=remount-ro). */
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    static ssize_t (*real)(int, const void*, size_t, off64_t);
    if (real == NULL) {
        *(void**)(&real) = dlsym(RTLD_NEXT, "pwrite64");
    }
    if (is_so("readonly")) {
        errno = EROFS;
        return -1;
    }
    return real(fd, data, size, at);
}
