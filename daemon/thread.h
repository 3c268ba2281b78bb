/* thread: starts the daemon's worker threads.
 *
 * All signals are blocked in them, so that the loop thread gets every one; stacks are small and
 * committed as they are touched.
 */
#ifndef DAEMON_THREAD_H
#define DAEMON_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* name: at most 15 bytes, as ps and top show it. */
bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *user), void *user);

#endif
