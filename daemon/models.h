/* models: the models that are served, and whether each is loaded.
 *
 * Every model has an engine of its own, owned by a thread of its own. All are loaded at the start;
 * one that was unloaded is loaded again by the next work that needs it, which waits here until
 * then. Loop thread only.
 */
#ifndef DAEMON_MODELS_H
#define DAEMON_MODELS_H

#include "daemon/engine_thread.h"
#include "daemon/options.h"

enum model_state { MODEL_UNLOADED, MODEL_LOADING, MODEL_READY, MODEL_UNLOADING };

struct served {
    const char *alias; /* the options' */
    struct engine_settings settings;
    enum model_state state;
    struct engine_thread *thread; /* NULL: MODEL_UNLOADED */
    const struct engine *engine;  /* MODEL_READY, else NULL */
    struct error error;           /* why it could not be loaded the last time */
    struct queue *held;           /* jobs that wait for it */
    unsigned users;               /* jobs that need it: held, being prepared, in its engine */
    unsigned submitted;           /* generations that its engine has */
    uint64_t submitted_tokens;    /* their prompts */
    struct engine_stats past;     /* totals of its earlier engines */
};

struct models {
    struct served of[OPTIONS_MODELS]; /* the first is the default */
    unsigned n;
    struct mailbox *mailbox;
    char cache_dir[4096]; /* of all; "": none */
};

/* Starts to load all. Each tells when it is done by EVENT_MODEL. */
bool models_init(struct models *models, const struct options *options, struct mailbox *mailbox);
/* Ends the threads. False: one is loading or unloading, which can't be waited for. */
bool models_close(struct models *models);

/* The model of that alias (absent: the default), or NULL and -32602. */
struct served *models_find(struct models *models, struct text alias, struct error *error);
/* Is it there to be asked? Else 1005. */
bool models_ready(const struct served *model, struct error *error);
/* Starts to load an unloaded one. False: 1007. */
bool models_load(struct models *models, struct served *model, struct error *error);
/* After EVENT_MODEL: is it loaded? Else model->error says why not. */
bool models_loaded(struct served *model);
/* Gives a ready one without users back to its thread, to be freed there; the job comes back with
 * EVENT_UNLOADED. */
void models_unload(struct served *model, struct job *job);
void models_unloaded(struct served *model);

bool models_loading(const struct models *models);           /* any */
unsigned models_active(const struct models *models);        /* generations being computed */
unsigned models_submitted(const struct models *models);     /* and those that wait in an engine */
uint64_t models_queued_tokens(const struct models *models); /* prompts of those that wait */
struct engine_stats models_stats(const struct models *models); /* of all together */

#endif
