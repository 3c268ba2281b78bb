/* Scheduling: which rows the next forward pass computes (engine thread). */
#include "engine/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
    SHORT_ROWS = 32,        /* a generation with no more rows waiting than this goes whole */
    BUSY_PREFILL_ROWS = 192, /* rows of prefill a pass while others decode: bounds their latency */
    PROGRESS_NS = 500000000,
    PACE_ROWS = 128,
    SHORT_WAIT_NS = 2000000,
    LIKELY_BLOCK_NS = 100000000, /* the time to compute 32 tokens, before any were */
    LONG_WAIT_NS = 1000000000,
    GROUP_WEIGHT = 1 << 20, /* shared by the prefills of one group */
};

/* ---- lists ---------------------------------------------------------------------------------- */

static void list_append(struct generation_list *list, struct generation *g) {
    g->prev = list->last;
    g->next = NULL;
    *(list->last ? &list->last->next : &list->first) = g;
    list->last = g;
    list->n++;
}

static void list_remove(struct generation_list *list, struct generation *g) {
    *(g->prev ? &g->prev->next : &list->first) = g->next;
    *(g->next ? &g->next->prev : &list->last) = g->prev;
    list->n--;
}

static void publish(struct engine *engine) {
    struct counters *c = &engine->counters;
    struct prefix_stats stats = prefix_stats(engine->prefix);
    atomic_store_explicit(&c->active, engine->active.n, memory_order_relaxed);
    atomic_store_explicit(&c->queued, engine->queue.n, memory_order_relaxed);
    atomic_store_explicit(&c->blocks_used, engine->kv.n_used, memory_order_relaxed);
    atomic_store_explicit(&c->entries, stats.entries, memory_order_relaxed);
    atomic_store_explicit(&c->hits, stats.hits, memory_order_relaxed);
    atomic_store_explicit(&c->misses, stats.misses, memory_order_relaxed);
    atomic_store_explicit(&c->evictions, stats.evictions, memory_order_relaxed);
    if (!engine->disk) return;
    struct disk_stats disk = disk_stats(engine->disk);
    atomic_store_explicit(&c->disk_bytes, disk.bytes, memory_order_relaxed);
    atomic_store_explicit(&c->disk_read, disk.read_blocks, memory_order_relaxed);
    atomic_store_explicit(&c->disk_written, disk.written_blocks, memory_order_relaxed);
    atomic_store_explicit(&c->disk_rejected, disk.rejected_blocks, memory_order_relaxed);
    atomic_store_explicit(&c->disk_failed, disk.failed_writes, memory_order_relaxed);
}

static void count(atomic_uint_fast64_t *counter, uint64_t n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- leaving -------------------------------------------------------------------------------- */

/* Gives back what a finished generation held, keeps its KV for the next one, and tells its owner. */
static void retire(struct engine *engine, struct generation *g) {
    struct counters *c = &engine->counters;
    if (g->started) {
        list_remove(&engine->active, g);
        engine->reserved_blocks -= g->blocks;
        if (g->spec->cache_store)
            prefix_store(engine->prefix, &g->sequence, g->spec->cache_owner, g->tokens.ids,
                         g->sequence.n_tokens, g->spec->cache_pin ? PREFIX_PIN : 0);
        sequence_clear(&engine->kv, &g->sequence);
    } else {
        list_remove(&engine->queue, g);
        if (engine->asker == g) engine->asker = NULL;
    }
    count(&c->generations, 1);
    count(&c->completion_tokens, g->result.completion_tokens);
    count(&c->forced_tokens, g->result.forced_tokens);
    publish(engine);
    if (g->events.done) g->events.done(g->user);
}

static bool check_ended(struct generation *g, int64_t now) {
    struct error error = {0};
    static const char *const reasons[] = {"", "client", "disconnect", "admin"};
    int reason = atomic_load_explicit(&g->cancel, memory_order_relaxed);
    if (reason != CANCEL_NONE) {
        error_set(&error, ERROR_CANCELLED, "the request was cancelled");
        memcpy(error.reason, reasons[reason], strlen(reasons[reason]) + 1);
        generation_fail(g, &error);
    } else if (g->spec->deadline_ns && now >= g->spec->deadline_ns) {
        error_set(&error, ERROR_DEADLINE, "the deadline passed before the answer was complete");
        generation_fail(g, &error);
    }
    return g->done;
}

static void sweep(struct engine *engine, struct generation_list *list, int64_t now) {
    for (struct generation *g = list->first, *next; g; g = next) {
        next = g->next;
        if (!g->done) check_ended(g, now);
        if (g->done) retire(engine, g);
    }
}

/* ---- entering ------------------------------------------------------------------------------- */

void engine_submit(struct engine *engine, struct generation *g) {
    g->submit_ns = clock_ns();
    g->progress_ns = g->submit_ns;
    list_append(&engine->queue, g);
    publish(engine);
}

static uint64_t blocks_needed(const struct generation *g) {
    return ((uint64_t)g->n_prompt + g->max_tokens + KV_TILE - 1) / KV_TILE + 1;
}

/* Blocks of the pool that no active generation, and not the disk, may come to need. */
static uint64_t free_blocks(const struct engine *engine) {
    uint64_t taken = engine->reserved_blocks + disk_blocks_lent(engine->disk);
    return taken < engine->kv.max_blocks ? engine->kv.max_blocks - taken : 0;
}

/* How many generations of g's group are active. */
static size_t group_active(const struct engine *engine, const struct generation *g) {
    size_t n = 0;
    for (const struct generation *a = engine->active.first; a; a = a->next)
        n += a->spec->fair_group == g->spec->fair_group;
    return n;
}

/* Of those that need not wait for the disk: interactive ones before batch; then the group that has the fewest active; then the first. */
static struct generation *next_queued(struct engine *engine) {
    struct generation *best = NULL;
    size_t best_rank = SIZE_MAX;
    for (struct generation *g = engine->queue.first; g && best_rank; g = g->next) {
        if (g->fetching) continue;
        size_t rank = group_active(engine, g) + (g->spec->batch_priority ? engine->max_active + 1 : 0);
        if (rank < best_rank) best = g, best_rank = rank;
    }
    return best;
}

/* Whether g goes on only after the disk was read for it. */
static bool wait_for_disk(struct engine *engine, struct generation *g) {
    if (!engine->disk || g->fetched) return false;
    enum disk_answer answer = disk_fetch(engine->disk, g->spec->cache_owner, g->tokens.ids, g->n_prompt - 1,
                                         blocks_needed(g), engine->block_ns ? engine->block_ns : LIKELY_BLOCK_NS);
    if (answer == DISK_COMING) engine->asker = g;
    g->fetching = answer != DISK_NOTHING;
    g->fetched = !g->fetching;
    return g->fetching;
}

/* Takes in what the disk did, and lets those who waited ask again. */
static void hear_disk(struct engine *engine, int64_t wait_ns) {
    if (!engine->disk) return;
    struct disk_news news = disk_poll(engine->disk, wait_ns);
    bool stuck = disk_stuck(engine->disk);
    if (!news.ended && !stuck) return;
    if ((news.fetch || stuck) && engine->asker) {
        engine->asker->n_fetched = news.n_fetched;
        engine->asker->fetched = true;
        engine->asker = NULL;
    }
    for (struct generation *g = engine->queue.first; g; g = g->next) g->fetching = false;
}

static void admit_one(struct engine *engine, struct generation *g) {
    list_remove(&engine->queue, g);
    list_append(&engine->active, g);
    g->started = true;
    g->start_ns = clock_ns();
    g->blocks = blocks_needed(g);
    engine->reserved_blocks += g->blocks;
    prefix_key(engine->prefix, g->result.cache_key, g->spec->cache_owner, g->tokens.ids, g->n_prompt);
    /* The last token is always computed: its logits are what the answer starts from. */
    prefix_lookup(engine->prefix, &g->sequence, g->spec->cache_owner, g->tokens.ids, g->n_prompt - 1);
    g->result.cached_tokens = g->sequence.n_tokens;
    g->result.cache_hit = g->sequence.n_tokens > 0;
    g->result.cache_disk = g->n_fetched > 0;
    count(&engine->counters.prompt_tokens, g->n_prompt);
    count(&engine->counters.cached_tokens, g->result.cached_tokens);
    struct error error = {0};
    if (!generation_start(g, engine, &error)) generation_fail(g, &error);
}

static void admit(struct engine *engine) {
    struct generation *g;
    while (engine->active.n < engine->max_active && (g = next_queued(engine))) {
        /* The last place is kept for who has none. */
        if (engine->active.n && engine->active.n + 1 == engine->max_active && group_active(engine, g)) return;
        if ((engine->active.n || disk_working(engine->disk)) && blocks_needed(g) > free_blocks(engine)) return;
        if (!wait_for_disk(engine, g)) admit_one(engine, g);
    }
}

/* ---- a pass --------------------------------------------------------------------------------- */

static uint32_t pending(const struct generation *g) {
    return (uint32_t)g->tokens.len - g->sequence.n_tokens;
}

static struct kv_block *take_block(void *user) {
    return prefix_take(user);
}

static struct row row_of(struct generation *g, uint32_t position, uint32_t token, struct wanted wanted) {
    return (struct row){.sequence = &g->sequence,
                        .position = position,
                        .token = token,
                        .logits = wanted.logits,
                        .chosen = wanted.chosen,
                        .n_chosen = wanted.n_chosen};
}

/* How many tokens a generation may draft in this pass. The same in any company, as far as there is room:
 * so that a request takes the same steps. */
static uint32_t draft_share(const struct engine *engine) {
    uint32_t active = (uint32_t)engine->active.n, room = (engine->max_logits - active) / active;
    return room < engine->draft_max ? room : engine->draft_max;
}

/* Adds up to `limit` rows of g to the batch; returns how many. Behind the last row that is waiting go
 * those of its draft. */
static uint32_t add_rows(struct engine *engine, struct generation *g, uint32_t at, uint32_t limit) {
    static const struct wanted none;
    uint32_t waiting = pending(g), from = g->sequence.n_tokens, share = draft_share(engine);
    uint32_t room = engine->batch_rows - at;
    if (g->weight && waiting <= limit && waiting + share > room) limit = waiting - SHORT_ROWS; /* else without */
    bool all = waiting <= limit;
    uint32_t n = all ? waiting : limit;
    g->now = none;
    g->draft.n = 0;
    if (!n) return 0;
    if (all) generation_want(g, engine, g->matcher, &g->now);
    if (all) draft_make(g, engine, g->prefilled ? n : 2, share < room - n ? share : room - n);
    if (!sequence_reserve(&g->sequence, from + n + g->draft.n, take_block, engine->prefix)) {
        struct error error = {0};
        error_set(&error, ERROR_OUT_OF_MEMORY, "no memory left for the KV cache");
        generation_fail(g, &error);
        return 0;
    }
    for (uint32_t i = 0; i < n; i++)
        engine->rows[at + i] = row_of(g, from + i, g->tokens.ids[from + i], i + 1 < n ? none : g->now);
    for (uint32_t i = 0; i < g->draft.n; i++)
        engine->rows[at + n + i] = row_of(g, from + n + i, g->draft.tokens[i], g->draft.after[i]);
    return n + g->draft.n;
}

static bool has_long_prefill(const struct generation *g) {
    return !g->done && pending(g) > SHORT_ROWS;
}

/* Every group's prefills weigh the same together. Returns the sum. */
static uint64_t weigh_prefills(struct engine *engine) {
    uint64_t sum = 0;
    for (struct generation *g = engine->active.first; g; g = g->next) {
        uint32_t in_group = 0;
        g->weight = 0;
        if (!has_long_prefill(g)) continue;
        for (struct generation *other = engine->active.first; other; other = other->next)
            in_group += has_long_prefill(other) && other->spec->fair_group == g->spec->fair_group;
        sum += g->weight = GROUP_WEIGHT / in_group;
    }
    return sum;
}

/* Decodes and short remainders first; what room is left goes to prefills, in equal shares to the groups
 * and within each. */
static uint32_t build_batch(struct engine *engine) {
    uint32_t n = 0, room;
    uint64_t weights = weigh_prefills(engine);
    engine->n_full = engine->n_few = 0;
    for (struct generation *g = engine->active.first; g; g = g->next) {
        g->now.logits = NULL;
        if (!g->done && !g->weight) n += add_rows(engine, g, n, engine->batch_rows - n);
    }
    room = engine->batch_rows - n;
    if (n && room > BUSY_PREFILL_ROWS) room = BUSY_PREFILL_ROWS;
    for (struct generation *g = engine->active.first; g && room; g = g->next) {
        if (!g->weight) continue;
        uint32_t share = (uint32_t)((room * g->weight + weights - 1) / weights);
        uint32_t added = add_rows(engine, g, n, share);
        weights -= g->weight;
        n += added;
        room -= added < room ? added : room; /* a draft is no part of the share */
    }
    return n;
}

/* What of the prompt is computed may serve others from here on, and outlive the daemon. */
static void share_prompt(struct engine *engine, struct generation *g) {
    uint32_t n = g->sequence.n_tokens < g->n_prompt ? g->sequence.n_tokens : g->n_prompt;
    if (g->spec->cache_store)
        prefix_store(engine->prefix, &g->sequence, g->spec->cache_owner, g->tokens.ids,
                     n / KV_TILE * KV_TILE, PREFIX_PROMPT | (g->spec->cache_pin ? PREFIX_PIN : 0));
}

/* The first logits. */
static void note_prefilled(struct engine *engine, struct generation *g, int64_t now) {
    g->prefilled = true;
    g->prefill_ns = now;
    share_prompt(engine, g);
}

/* Does the next token follow the last one that KV is there for, and is it this one? */
static bool goes_on(const struct generation *g, uint32_t at, uint32_t token) {
    return g->sequence.n_tokens == at && g->tokens.len > at && g->tokens.ids[at] == token;
}

/* Takes what was drafted as far as it is what was chosen, and chooses by the logits that are there
 * then. A row whose logits are needed and missing is computed again. Returns how many were taken. */
static uint32_t use_draft(struct engine *engine, struct generation *g) {
    const struct draft *draft = &g->draft;
    uint32_t n = 0, at = g->sequence.n_tokens;
    for (; n < draft->n && goes_on(g, at + n, draft->tokens[n]); n++) {
        bool choice = !g->done && pending(g) == 1;
        if (choice && !draft->after[n].logits) break;
        g->sequence.n_tokens++;
        if (choice) generation_step(g, engine, &draft->after[n]);
    }
    return n;
}

static void use_logits(struct engine *engine, struct generation *g, int64_t now) {
    g->sequence.n_tokens -= g->draft.n; /* these positions are taken again, one by one, or written anew */
    if (!g->prefilled) note_prefilled(engine, g, now);
    else g->result.steps++;
    generation_step(g, engine, &g->now);
    uint32_t accepted = use_draft(engine, g);
    g->result.drafted_tokens += g->draft.n;
    g->result.accepted_tokens += accepted;
    draft_learn(&g->draft, accepted);
    count(&engine->counters.steps, 1);
    atomic_store_explicit(&engine->counters.last_token_ns, now, memory_order_relaxed);
}

static void fail_all(struct engine *engine, const struct error *error) {
    for (struct generation *g = engine->active.first; g; g = g->next) generation_fail(g, error);
}

/* ---- progress ------------------------------------------------------------------------------- */

static void tell_progress(struct generation *g, uint64_t queue_position, int64_t now) {
    if (!g->spec->progress || !g->events.progress || now - g->progress_ns < PROGRESS_NS) return;
    struct generation_progress p = {.phase = "decode", .done = generation_length(g), .total = g->max_tokens};
    if (!g->started) p = (struct generation_progress){"queued", 0, g->n_prompt, queue_position};
    else if (!g->prefilled) p = (struct generation_progress){"prefill", g->sequence.n_tokens, g->n_prompt, 0};
    g->progress_ns = now;
    g->events.progress(g->user, &p);
}

static void tell_all(struct engine *engine, int64_t now) {
    uint64_t position = 0;
    for (struct generation *g = engine->active.first; g; g = g->next) tell_progress(g, 0, now);
    for (struct generation *g = engine->queue.first; g; g = g->next) tell_progress(g, ++position, now);
}

/* ---- the step ------------------------------------------------------------------------------- */

static bool logits_ready(struct engine *engine) {
    if (engine->logits) return true;
    size_t n = (size_t)engine->max_logits * engine->info.n_vocab;
    if (!engine->chosen) engine->chosen = calloc(n / CHOSEN_SHARE + 1, sizeof *engine->chosen);
    if (!engine->chosen) return false;
    return posix_memalign((void **)&engine->logits, 64, n * sizeof *engine->logits) == 0 ||
           (engine->logits = NULL);
}

/* How fast prompts are computed, from passes that are mostly prompt. */
static void note_pace(struct engine *engine, uint32_t n, int64_t took_ns) {
    if (n < PACE_ROWS) return;
    int64_t block_ns = took_ns * KV_TILE / n;
    engine->block_ns = engine->block_ns ? (3 * engine->block_ns + block_ns) / 4 : block_ns;
}

static void run_pass(struct engine *engine) {
    struct error error = {0};
    int64_t from = clock_ns();
    uint32_t n = logits_ready(engine) ? build_batch(engine) : 0;
    if (!engine->logits) error_set(&error, ERROR_OUT_OF_MEMORY, "no memory for logits");
    else if (n) forward_run(engine->forward, engine->rows, n, &error);
    if (error.code != ERROR_NONE) {
        fail_all(engine, &error);
        return;
    }
    int64_t now = clock_ns();
    note_pace(engine, n, now - from);
    for (struct generation *g = engine->active.first; g; g = g->next) {
        if (g->now.logits && !g->done) use_logits(engine, g, now);
        else if (!g->done && !g->prefilled) share_prompt(engine, g);
    }
    tell_all(engine, now);
}

static void fall_idle(struct engine *engine) {
    forward_trim(engine->forward);
    free(engine->logits);
    free(engine->chosen);
    engine->logits = NULL;
    engine->chosen = NULL;
}

/* Only the disk is at work. Who waits for it may be cancelled meanwhile, and others may come; what is
 * being written has time: false, its wake will tell. */
static bool wait_for_news(struct engine *engine) {
    bool waited_for = engine->queue.first != NULL;
    if (!waited_for && engine->has_wake) return false;
    hear_disk(engine, waited_for ? SHORT_WAIT_NS : LONG_WAIT_NS);
    return true;
}

bool engine_step(struct engine *engine) {
    int64_t now = clock_ns();
    sweep(engine, &engine->active, now);
    sweep(engine, &engine->queue, now);
    hear_disk(engine, 0);
    admit(engine);
    disk_write(engine->disk, free_blocks(engine));
    bool computed = engine->active.first != NULL;
    if (computed) run_pass(engine);
    sweep(engine, &engine->active, clock_ns());
    if (!engine->active.first) disk_write(engine->disk, free_blocks(engine)); /* no other step may come */
    publish(engine);
    /* Who was not admitted though none is active waits for memory that the disk was lent. */
    if (engine->active.first || ((computed || !disk_working(engine->disk)) && next_queued(engine))) return true;
    if (!engine->queue.first) fall_idle(engine);
    return disk_working(engine->disk) && wait_for_news(engine);
}
