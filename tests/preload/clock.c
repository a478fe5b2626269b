/* Stands between a program and the C library, by LD_PRELOAD, and tells it another time: the test
 * moves the clock of the day and the one that only goes on, or stops the first. The program itself
 * has no switch for it. Used by the tests only; see docs/proofs.md.
 *
 * FUSION_CLOCK_CONTROL  a file of at least one page: see `struct control` */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

/* One page shared with the test; nanoseconds. */
struct control {
    _Atomic int64_t day, onward; /* added to either clock */
    _Atomic int64_t stopped;     /* what the clock of the day says meanwhile; 0 lets it go */
    _Atomic int64_t loaded;
};

static struct control nobody;
static struct control *control = &nobody;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FUSION_CLOCK_CONTROL");
    if (!path) return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (file < 0) _exit(70);
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) _exit(70);
    close(file);
    control = page;
    control->loaded++;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = (int)syscall(SYS_clock_gettime, clock, time);
    if (done) return done;
    int is_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    int is_onward = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE;
    if (!is_day && !is_onward) return 0;
    int64_t now = (int64_t)time->tv_sec * SECOND + time->tv_nsec;
    now += is_day ? control->day : control->onward;
    int64_t stopped = control->stopped;
    if (is_day && stopped) now = stopped;
    time->tv_sec = now / SECOND;
    time->tv_nsec = now % SECOND;
    return 0;
}
