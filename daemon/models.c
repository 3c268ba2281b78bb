#include "daemon/models.h"

#include <stdio.h>
#include <string.h>

#include "daemon/cache_dir.h"

/* ---- one model ---- */

static bool served_init(struct served *model, const struct options *options,
                        const struct options_model *option, const char *cache_dir) {
    *model = (struct served){.alias = option->alias, .settings = options->engine};
    model->settings.draft_max = options->draft_max ? options->draft_max : ENGINE_NO_DRAFTS;
    model->settings.model_path = option->path;
    model->settings.alias = option->alias;
    model->settings.cache_dir = *cache_dir ? cache_dir : NULL;
    model->held = queue_new();
    return model->held != NULL;
}

static struct engine_stats served_stats(const struct served *model) {
    struct engine_stats stats = {0};
    if (model->engine) engine_stats(model->engine, &stats);
    return stats;
}

/* Gauges of one engine are read at different times: never more are active than it has. */
static unsigned served_active(const struct served *model) {
    uint64_t active = served_stats(model).active;
    return active < model->submitted ? (unsigned)active : model->submitted;
}

bool models_load(struct models *models, struct served *model, struct error *error) {
    model->error = (struct error){0};
    model->thread = engine_thread_start(&model->settings, models->mailbox, model);
    if (!model->thread) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory to load the model");
    model->state = MODEL_LOADING;
    return true;
}

bool models_loaded(struct served *model) {
    const struct error *error;
    model->engine = engine_thread_engine(model->thread, &error);
    if (model->engine) {
        model->state = MODEL_READY;
        return true;
    }
    model->error = *error;
    models_unloaded(model);
    return false;
}

/* What it counted so far stays counted. */
static void add_totals(struct engine_stats *sum, const struct engine_stats *stats) {
    sum->prompt_tokens += stats->prompt_tokens;
    sum->cached_tokens += stats->cached_tokens;
    sum->completion_tokens += stats->completion_tokens;
    sum->forced_tokens += stats->forced_tokens;
    sum->steps += stats->steps;
    sum->generations += stats->generations;
    sum->cache_hits += stats->cache_hits;
    sum->cache_misses += stats->cache_misses;
    sum->cache_evictions += stats->cache_evictions;
    sum->grammar_hits += stats->grammar_hits;
    sum->grammar_misses += stats->grammar_misses;
    sum->disk_read_blocks += stats->disk_read_blocks;
    sum->disk_written_blocks += stats->disk_written_blocks;
    sum->disk_rejected_blocks += stats->disk_rejected_blocks;
    sum->disk_failed_writes += stats->disk_failed_writes;
    if (stats->last_token_ns > sum->last_token_ns) sum->last_token_ns = stats->last_token_ns;
}

void models_unload(struct served *model, struct job *job) {
    struct engine_stats stats = served_stats(model);
    add_totals(&model->past, &stats);
    model->engine = NULL;
    model->state = MODEL_UNLOADING;
    job->finished.model = model;
    engine_thread_push(model->thread, job);
}

void models_unloaded(struct served *model) {
    engine_thread_stop(model->thread);
    model->thread = NULL;
    model->state = MODEL_UNLOADED;
}

bool models_ready(const struct served *model, struct error *error) {
    static const struct {
        const char *reason, *message;
    } why[] = {
        [MODEL_UNLOADED] = {"unloaded", "the model is not loaded"},
        [MODEL_LOADING] = {"loading", "the model is being loaded"},
        [MODEL_UNLOADING] = {"unloading", "the model is being unloaded"},
    };
    if (model->state == MODEL_READY) return true;
    bool failed = model->error.code != ERROR_NONE;
    snprintf(error->reason, sizeof error->reason, "%s",
             failed ? "load_failed" : why[model->state].reason);
    return error_set(error, ERROR_MODEL_NOT_READY, "%s",
                     failed ? "the model could not be loaded" : why[model->state].message);
}

/* ---- all of them ---- */

bool models_init(struct models *models, const struct options *options, struct mailbox *mailbox) {
    models->mailbox = mailbox;
    if (!cache_dir_find(options->engine.cache_dir, models->cache_dir, sizeof models->cache_dir))
        models->cache_dir[0] = '\0';
    for (models->n = 0; models->n < options->n_models; models->n++)
        if (!served_init(&models->of[models->n], options, &options->models[models->n],
                         models->cache_dir))
            return false;
    for (unsigned i = 0; i < models->n; i++)
        if (!models_load(models, &models->of[i], &(struct error){0})) return false;
    return true;
}

bool models_close(struct models *models) {
    for (unsigned i = 0; i < models->n; i++)
        if (models->of[i].state == MODEL_LOADING || models->of[i].state == MODEL_UNLOADING)
            return false;
    for (unsigned i = 0; i < models->n; i++) {
        if (models->of[i].thread) models_unloaded(&models->of[i]);
        queue_free(models->of[i].held);
    }
    return true;
}

struct served *models_find(struct models *models, struct text alias, struct error *error) {
    if (!alias.bytes) return &models->of[0];
    for (unsigned i = 0; i < models->n; i++) {
        const char *ours = models->of[i].alias;
        if (strlen(ours) == alias.len && memcmp(ours, alias.bytes, alias.len) == 0)
            return &models->of[i];
    }
    error_at(error, ERROR_INVALID_PARAMS, "model", "no model of this name is served");
    return NULL;
}

bool models_loading(const struct models *models) {
    for (unsigned i = 0; i < models->n; i++)
        if (models->of[i].state == MODEL_LOADING) return true;
    return false;
}

unsigned models_active(const struct models *models) {
    unsigned n = 0;
    for (unsigned i = 0; i < models->n; i++) n += served_active(&models->of[i]);
    return n;
}

unsigned models_submitted(const struct models *models) {
    unsigned n = 0;
    for (unsigned i = 0; i < models->n; i++) n += models->of[i].submitted;
    return n;
}

/* Which of an engine's prompts wait is not known: their share. */
uint64_t models_queued_tokens(const struct models *models) {
    uint64_t n = 0;
    for (unsigned i = 0; i < models->n; i++) {
        const struct served *model = &models->of[i];
        unsigned queued = model->submitted - served_active(model);
        if (queued) n += model->submitted_tokens / model->submitted * queued;
    }
    return n;
}

struct engine_stats models_stats(const struct models *models) {
    struct engine_stats sum = {0};
    for (unsigned i = 0; i < models->n; i++) {
        const struct engine_stats now = served_stats(&models->of[i]);
        add_totals(&sum, &models->of[i].past);
        add_totals(&sum, &now);
        sum.kv_blocks_total += now.kv_blocks_total;
        sum.kv_blocks_used += now.kv_blocks_used;
        sum.kv_bytes_used += now.kv_bytes_used;
        sum.cache_entries += now.cache_entries;
        sum.grammar_entries += now.grammar_entries;
        sum.grammar_bytes += now.grammar_bytes;
        if (now.disk_bytes > sum.disk_bytes) sum.disk_bytes = now.disk_bytes; /* all share it */
    }
    return sum;
}
