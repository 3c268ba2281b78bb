/* thread: starts the daemon's worker threads, and puts the loop before them.
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

/* Makes the calling thread one that is woken sooner than those that compute: it asks for short
 * turns (Linux 6.12 and later), and for a better priority where it may. Threads it starts later
 * would inherit that. */
void thread_be_prompt(void);

#endif
