/* See statfs.h. */
#define _GNU_SOURCE
#include "statfs.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* The sixth argument of the handler's own call, by which the filter lets it through. */
#define OWN 0x46757369u

static _Atomic uint64_t *answer;

#if defined(__x86_64__)
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#define FIRST(context) ((context)->uc_mcontext.gregs[REG_RDI])
#define SECOND(context) ((context)->uc_mcontext.gregs[REG_RSI])
#elif defined(__aarch64__)
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#define FIRST(context) ((context)->uc_mcontext.regs[0])
#define SECOND(context) ((context)->uc_mcontext.regs[1])
#else
#error "for x86-64 and aarch64"
#endif

static void handle(int signal, siginfo_t *info, void *given) {
    (void)signal;
    (void)info;
    ucontext_t *context = given;
    int before = errno;
    struct statfs *space = (struct statfs *)SECOND(context);
    long done = syscall(SYS_statfs, FIRST(context), space, 0L, 0L, 0L, (long)OWN);
    uint64_t free_bytes = *answer;
    if (!done && free_bytes) {
        uint64_t unit = (uint64_t)(space->f_frsize ? space->f_frsize : space->f_bsize);
        space->f_bavail = (free_bytes - 1) / unit;
    }
    RESULT(context) = done ? -errno : 0;
    errno = before;
}

int answer_statfs(_Atomic uint64_t *free_bytes) {
    answer = free_bytes;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_statfs, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof rules / sizeof *rules, rules};
    if (sigaction(SIGSYS, &action, NULL)) return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}
