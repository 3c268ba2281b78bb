/* engine_thread: the one thread that owns a model's state.
 *
 * It loads the model, says so with EVENT_MODEL, and then steps the engine as long as there is work;
 * without work it sleeps until the next push. A JOB_UNLOAD is its last: it frees the engine, says so
 * with EVENT_UNLOADED, and ends.
 */
#ifndef DAEMON_ENGINE_THREAD_H
#define DAEMON_ENGINE_THREAD_H

#include "daemon/job.h"

struct engine_thread;
/* settings are borrowed until EVENT_MODEL, which names the model. NULL: no memory, no thread. */
struct engine_thread *engine_thread_start(const struct engine_settings *settings,
                                          struct mailbox *mailbox, struct served *model);
/* Loop thread, after EVENT_MODEL: NULL and why. */
const struct engine *engine_thread_engine(const struct engine_thread *thread,
                                          const struct error **error);
void engine_thread_push(struct engine_thread *thread,
                        struct job *job); /* JOB_UNLOAD, or prepared */
/* Waits for the step being done. Nothing may be left in the engine. */
void engine_thread_stop(struct engine_thread *thread);

#endif
