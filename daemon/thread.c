#include "daemon/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_BYTES = 1 << 20, PROMPT_NICE = -10, PROMPT_TURN_NS = 100000 };

bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *user), void *user) {
    sigset_t all, before;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, &attributes, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!failed) pthread_setname_np(*thread, name);
    return !failed;
}

/* The kernel's struct sched_attr, first version; the C library has none. */
struct turn_request {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

void thread_be_prompt(void) {
    struct turn_request request = {
        .size = sizeof request, .policy = SCHED_OTHER, .runtime = PROMPT_TURN_NS};
    setpriority(PRIO_PROCESS, 0, PROMPT_NICE); /* of this thread; refused without the privilege */
    request.nice = getpriority(PRIO_PROCESS, 0);
    syscall(SYS_sched_setattr, 0, &request, 0);
}
