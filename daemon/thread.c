#include "daemon/thread.h"

#include <signal.h>

enum { STACK_BYTES = 1 << 20 };

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
