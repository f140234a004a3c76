/* Preloaded under lockerd where there is no uinput: a pipe answers as a keyboard's event device does, so that
   a recorded stream of events goes through libevdev and lockerd's own reader. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/input.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    if (real == NULL) {
        *(void**)(&real) = dlsym(RTLD_NEXT, "ioctl");
    }
    va_list list;
    va_start(list, request);
    void* argument = va_arg(list, void*);
    va_end(list);
    if (_IOC_TYPE(request) != 'E') {
        return real(fd, request, argument);
    }
    const unsigned number = _IOC_NR(request);
    if (_IOC_DIR(request) != _IOC_READ) {
        return 0; /* grab, clock */
    }
    memset(argument, 0, _IOC_SIZE(request));
    if (number == 0x06) {
        strncpy(argument, "recorded keyboard", _IOC_SIZE(request) - 1);
    } else if (number == 0x20) {
        ((unsigned char*)argument)[0] = 1U << EV_SYN | 1U << EV_KEY;
    } else if (number == 0x20 + EV_KEY) {
        memset(argument, 0xFF, _IOC_SIZE(request) < KEY_MAX / 8 ? _IOC_SIZE(request) : KEY_MAX / 8);
    }
    return (int)_IOC_SIZE(request);
}
