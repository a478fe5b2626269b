/* Stands between a program and the C library, by LD_PRELOAD, and does four things to the files
 * below one folder: it records what happens to them, in order; it fails a write, a sync or a
 * change of names on demand; it kills the process at a named moment, or holds it there. The
 * program itself has no switch for any of it. Used by the tests only; see docs/proofs.md.
 *
 * FUSION_DISK_ROOT     the folder, as realpath(3) gives it
 * FUSION_DISK_LOG      the file the record is appended to
 * FUSION_DISK_LOG_MAX  how many bytes it may have; past them the process ends
 * FUSION_DISK_CONTROL  a file of at least one page: what to do, see `struct control`
 * FUSION_DISK_SYNC     "lie": fdatasync is left out of the record, as if it were no barrier;
 *                      fsync, which makes names safe, stays in it
 *
 * sync_file_range is not recorded: it promises nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls.h"

/* What is in the record; the numbers are read by tests/src/disk/record.rs. */
enum kind {
    CREATE = 1,
    MAKE_FOLDER,
    RENAME,
    UNLINK,
    REMOVE_FOLDER,
    WRITE,
    TRUNCATE,
    SYNC_BEGIN,
    SYNC_END,
    EXCHANGE
};

struct header {
    uint64_t kind, inode, offset, ticket, bytes;
};

enum action { NOTHING = 0, KILL_BEFORE, KILL_AFTER, FAIL, HOLD, FAIL_LATE };
enum operation { ON_WRITE = 1, ON_SYNC = 2, ON_NAME = 4, ON_EXCHANGE = 8 };

/* One page shared with the test. */
struct control {
    _Atomic uint64_t action, operation, countdown, error, sticky;
    _Atomic uint64_t free_bytes; /* plus one; 0 is the truth */
    _Atomic uint64_t loaded, fired;
    _Atomic uint64_t seen; /* operations below the folder, whatever becomes of them */
};

/* How long a write that fails late waits for the next one, in looks of a millisecond. */
enum { LATE_LOOKS_MAX = 200 };

static struct control nobody;
static struct control *control = &nobody;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_bytes;
static int record = -1;
static uint64_t recorded, recorded_max = UINT64_MAX, tickets;
static _Atomic uint64_t writes; /* that were let be */
static int data_syncs_lie;

static int rename_any(int from_folder, const char *from, int to_folder, const char *to,
                      unsigned flags);

static void fatal(const char *what) {
    dprintf(2, "disk.c: %s\n", what);
    _exit(70);
}

static int open_file(const char *path, int flags, int mode) {
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("FUSION_DISK_ROOT"), *log = getenv("FUSION_DISK_LOG");
    const char *page = getenv("FUSION_DISK_CONTROL"), *max = getenv("FUSION_DISK_LOG_MAX");
    const char *sync = getenv("FUSION_DISK_SYNC");
    if (!folder || !log || !page || !max) return;
    if (strlen(folder) >= sizeof root) fatal("the folder's name is too long");
    strcpy(root, folder);
    recorded_max = strtoull(max, NULL, 10);
    data_syncs_lie = sync && !strcmp(sync, "lie");
    record = open_file(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int fd = open_file(page, O_RDWR, 0);
    if (record < 0 || fd < 0) fatal("the record or the control file cannot be opened");
    recorded = (uint64_t)lseek(record, 0, SEEK_END);
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) fatal("the control file cannot be mapped");
    syscall(SYS_close, fd);
    control = shared;
    if (answer_calls(&control->free_bytes, rename_any)) fatal("no calls can be answered for");
    control->loaded++;
    root_bytes = strlen(root);
}

/* Whether a path, as given, lies below the folder. */
static int below(const char *path) {
    return root_bytes && !strncmp(path, root, root_bytes) && path[root_bytes] == '/';
}

/* Whether an open file, or folder, is the folder or lies below it. Its inode goes to `inode`. */
static int ours(int fd, uint64_t *inode) {
    struct stat is;
    char link[48], path[PATH_MAX];
    if (!root_bytes || fstat(fd, &is) || !(S_ISREG(is.st_mode) || S_ISDIR(is.st_mode))) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, path, sizeof path - 1);
    if (bytes < 0) return 0;
    path[bytes] = 0;
    *inode = is.st_ino;
    return below(path) || !strcmp(path, root);
}

static void append(const void *bytes, size_t count) {
    const char *at = bytes;
    while (count) {
        ssize_t done = syscall(SYS_write, record, at, count);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) fatal("the record cannot be written");
        at += done;
        count -= (size_t)done;
    }
}

static void note(enum kind kind, uint64_t inode, uint64_t offset, uint64_t ticket,
                 const void *bytes, size_t count) {
    int before = errno;
    struct header header = {kind, inode, offset, ticket, count};
    recorded += sizeof header + count;
    if (recorded > recorded_max) fatal("the record is longer than FUSION_DISK_LOG_MAX");
    append(&header, sizeof header);
    append(bytes, count);
    errno = before;
}

static void note_path(enum kind kind, uint64_t inode, const char *path) {
    note(kind, inode, 0, 0, path + root_bytes + 1, strlen(path + root_bytes + 1));
}

static void die(void) {
    control->fired++;
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* What shall become of this operation: the action, if it is its turn. */
static enum action turn(enum operation operation) {
    control->seen++;
    if (!control->action || !(control->operation & (uint64_t)operation)) return NOTHING;
    if (control->countdown > 1) {
        control->countdown--;
        return NOTHING;
    }
    enum action action = (enum action)control->action;
    if (action == HOLD) {
        control->fired++;
        /* Until it is let go, or whoever would do that is gone. */
        pid_t parent = getppid();
        while (control->action == HOLD && getppid() == parent) usleep(1000);
        return NOTHING;
    }
    if (!control->sticky) control->action = NOTHING;
    if (action == KILL_BEFORE) die();
    if (action == FAIL || action == FAIL_LATE) control->fired++;
    return action;
}

/* Lets another thread's next write be done first, if there is one. Called and left with the lock held. */
static void let_one_by(void) {
    uint64_t before = writes;
    pthread_mutex_unlock(&one_at_a_time);
    for (int look = 0; look < LATE_LOOKS_MAX && writes == before; look++) usleep(1000);
    /* Whoever waits for that one shall have heard of it. */
    usleep(20000);
    pthread_mutex_lock(&one_at_a_time);
}

static int failed(void) {
    errno = (int)control->error;
    return -1;
}

/* A write of `parts` at `offset`, or where the file stands if that is -1. */
static ssize_t put(int fd, const struct iovec *parts, int count, off_t offset, uint64_t inode) {
    pthread_mutex_lock(&one_at_a_time);
    enum action action = turn(ON_WRITE);
    ssize_t done = -1;
    if (action == FAIL_LATE) let_one_by();
    if (action == FAIL || action == FAIL_LATE)
        failed();
    else if (offset < 0)
        done = syscall(SYS_writev, fd, parts, count);
    else
        done = syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
    if (done > 0) {
        uint64_t at = offset < 0 ? (uint64_t)(lseek(fd, 0, SEEK_CUR) - done) : (uint64_t)offset;
        size_t left = (size_t)done;
        for (int part = 0; part < count && left; part++) {
            size_t bytes = parts[part].iov_len < left ? parts[part].iov_len : left;
            note(WRITE, inode, at, 0, parts[part].iov_base, bytes);
            at += bytes;
            left -= bytes;
        }
    }
    if (action == KILL_AFTER) die();
    writes++;
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    uint64_t inode;
    if (!ours(fd, &inode)) return syscall(SYS_write, fd, bytes, count);
    struct iovec part = {(void *)bytes, count};
    return put(fd, &part, 1, -1, inode);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    uint64_t inode;
    if (!ours(fd, &inode)) return syscall(SYS_writev, fd, parts, count);
    return put(fd, parts, count, -1, inode);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    uint64_t inode;
    if (!ours(fd, &inode)) return syscall(SYS_pwrite64, fd, bytes, count, offset);
    struct iovec part = {(void *)bytes, count};
    return put(fd, &part, 1, offset, inode);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    uint64_t inode;
    if (!ours(fd, &inode)) return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
    return put(fd, parts, count, offset, inode);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t length) {
    uint64_t inode;
    if (!ours(fd, &inode)) return (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&one_at_a_time);
    enum action action = turn(ON_WRITE);
    int done = action == FAIL ? failed() : (int)syscall(SYS_ftruncate, fd, length);
    if (!done) note(TRUNCATE, inode, (uint64_t)length, 0, NULL, 0);
    if (action == KILL_AFTER) die();
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* What was written before a sync began is safe once it has ended. */
static int sync_file(int fd, long call) {
    uint64_t inode;
    if (!ours(fd, &inode)) return (int)syscall(call, fd);
    int noted = !(data_syncs_lie && call == SYS_fdatasync);
    pthread_mutex_lock(&one_at_a_time);
    enum action action = turn(ON_SYNC);
    uint64_t ticket = ++tickets;
    if (noted) note(SYNC_BEGIN, inode, 0, ticket, NULL, 0);
    pthread_mutex_unlock(&one_at_a_time);
    int done = action == FAIL ? failed() : (int)syscall(call, fd);
    pthread_mutex_lock(&one_at_a_time);
    if (!done && noted) note(SYNC_END, inode, 0, ticket, NULL, 0);
    if (action == KILL_AFTER) die();
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }

int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

static int open_any(int folder, const char *path, int flags, int mode) {
    if (!(flags & (O_CREAT | O_TRUNC)) || !below(path))
        return (int)syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&one_at_a_time);
    struct stat before, after;
    int existed = !stat(path, &before);
    enum action action = existed ? NOTHING : turn(ON_NAME);
    int fd = action == FAIL ? failed() : (int)syscall(SYS_openat, folder, path, flags, mode);
    if (fd >= 0 && !fstat(fd, &after)) {
        if (!existed)
            note_path(CREATE, after.st_ino, path);
        else if ((flags & O_TRUNC) && before.st_size)
            note(TRUNCATE, after.st_ino, 0, 0, NULL, 0);
    }
    if (action == KILL_AFTER) die();
    pthread_mutex_unlock(&one_at_a_time);
    return fd;
}

#define MODE_OF(flags)                                              \
    int mode = 0;                                                   \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list more;                                               \
        va_start(more, flags);                                      \
        mode = va_arg(more, int);                                   \
        va_end(more);                                               \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_any(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_any(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_any(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_any(folder, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    if (!below(path)) return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    pthread_mutex_lock(&one_at_a_time);
    struct stat is;
    enum action action = turn(ON_NAME);
    int done = action == FAIL ? failed() : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (!done && !stat(path, &is)) note_path(MAKE_FOLDER, is.st_ino, path);
    if (action == KILL_AFTER) die();
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

static int remove_any(const char *path, int flags) {
    if (!below(path)) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
    pthread_mutex_lock(&one_at_a_time);
    enum action action = turn(ON_NAME);
    int done = action == FAIL ? failed() : (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
    if (!done) note_path(flags ? REMOVE_FOLDER : UNLINK, 0, path);
    if (action == KILL_AFTER) die();
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int unlink(const char *path) { return remove_any(path, 0); }

int rmdir(const char *path) { return remove_any(path, AT_REMOVEDIR); }

int unlinkat(int folder, const char *path, int flags) {
    char link[48], whole[2 * PATH_MAX];
    if (!root_bytes || path[0] == '/' || folder == AT_FDCWD)
        return path[0] == '/' ? remove_any(path, flags)
                              : (int)syscall(SYS_unlinkat, folder, path, flags);
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t bytes = readlink(link, whole, PATH_MAX - 1);
    if (bytes < 0) return (int)syscall(SYS_unlinkat, folder, path, flags);
    snprintf(whole + bytes, sizeof whole - (size_t)bytes, "/%s", path);
    return remove_any(whole, flags);
}

static int rename_any(int from_folder, const char *from, int to_folder, const char *to,
                      unsigned flags) {
    if (!below(from) || !below(to))
        return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags, OWN);
    pthread_mutex_lock(&one_at_a_time);
    enum action action = turn(flags & RENAME_EXCHANGE ? ON_NAME | ON_EXCHANGE : ON_NAME);
    int done = action == FAIL
                   ? failed()
                   : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags, OWN);
    if (!done) {
        char both[2 * PATH_MAX];
        const char *first = from + root_bytes + 1, *second = to + root_bytes + 1;
        int count = snprintf(both, sizeof both, "%s%c%s", first, '\n', second);
        note(flags & RENAME_EXCHANGE ? EXCHANGE : RENAME, 0, 0, 0, both, (size_t)count);
    }
    if (action == KILL_AFTER) die();
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

int rename(const char *from, const char *to) {
    return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}
