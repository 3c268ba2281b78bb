/* prep: the worker thread for what takes long without touching the model's state: parsing long
 * lines, compiling schemas, rendering, tokenising. Owners (connections) take turns.
 */
#ifndef DAEMON_PREP_H
#define DAEMON_PREP_H

#include "daemon/job.h"

struct prep;
struct prep *prep_start(void); /* NULL: no memory, no thread */
void prep_push(struct prep *prep, struct job *job, enum queue_lane lane,
               uint64_t owner);
void prep_stop(struct prep *prep); /* no job may be left with it */

#endif
