#include "engine/disk.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "engine/disk_thread.h"

/* After a write that failed (no room, no permission) the disk is left alone for this long. */
static const int64_t PAUSE_NS = INT64_C(60) * 1000000000;

/* At the end the thread has this long for the block at hand. */
static const int64_t STOP_NS = INT64_C(1) * 1000000000;

struct disk {
    struct kv *kv;
    struct prefix *prefix;
    struct disk_thread *thread;
    struct key_set keys;       /* on disk, as far as known: what is missing there is noticed on reading */
    struct disk_order *order;  /* the thread has it */
    uint32_t n_written_off;    /* of its blocks: the pool goes on without them */
    int64_t paused_until_ns;
    struct disk_stats stats;
};

/* ---- orders ---- */

static void order_free(struct disk *disk, struct disk_order *order) {
    for (uint32_t i = 0; order->blocks && i < order->n; i++) kv_unref(disk->kv, order->blocks[i]);
    disk_order_free(order);
}

static void give(struct disk *disk, struct disk_order *order) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    order->used_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    disk->order = order;
    disk->n_written_off = 0;
    disk_thread_give(disk->thread, order);
}

/* ---- opening and closing ---- */

struct disk *disk_open(const struct disk_settings *settings, const struct model *model, struct kv *kv,
                       struct prefix *prefix, struct error *error) {
    struct disk *disk = calloc(1, sizeof *disk);
    struct store *store = disk ? store_open(settings->dir, settings->budget_bytes, model, error) : NULL;
    if (store) {
        disk->kv = kv;
        disk->prefix = prefix;
        if (store_keys(store, &disk->keys)) disk->thread = disk_thread_start(store, settings->wake, settings->user);
        if (disk->thread) return disk;
        key_set_free(&disk->keys);
        store_close(store);
    }
    error_set(error, ERROR_CACHE, "no memory for the cache on disk");
    free(disk);
    return NULL;
}

void disk_finish(struct disk *disk, int64_t patience_ns) {
    if (!disk) return;
    int64_t until = clock_ns() + patience_ns;
    prefix_refresh(disk->prefix);
    for (int64_t left; (left = until - clock_ns()) > 0;) {
        disk_poll(disk, left);
        disk_write(disk, 2 * PREFIX_RUN);
        if (!disk->order) break;
    }
}

void disk_close(struct disk *disk) {
    if (!disk) return;
    bool stopped = disk_thread_stop(disk->thread, STOP_NS);
    if (disk->order && stopped) order_free(disk, disk->order); /* else it is the thread's for good */
    key_set_free(&disk->keys);
    free(disk);
}

/* ---- reading ahead ---- */

/* How many blocks of a chain from the first-th on are on disk. */
static uint32_t count_there(const struct disk *disk, const uint64_t *keys, uint32_t first, uint32_t n) {
    uint32_t i = first;
    while (i < n && key_set_has(&disk->keys, keys[i])) i++;
    return i - first;
}

static bool take_blocks(struct disk *disk, struct disk_order *order, uint32_t n) {
    order->blocks = calloc(n, sizeof(struct kv_block *));
    while (order->blocks && order->n < n && (order->blocks[order->n] = prefix_take(disk->prefix))) order->n++;
    return order->n > 0;
}

/* keys: moves to the order. */
static bool start_fetch(struct disk *disk, uint32_t owner, const uint32_t *tokens, uint64_t *keys,
                        uint32_t first, uint32_t n, int64_t pace_ns) {
    struct disk_order *order = calloc(1, sizeof *order);
    size_t bytes = (size_t)(first + n) * KV_TILE * sizeof *tokens;
    if (order) {
        *order = (struct disk_order){.work = DISK_FETCH, .owner = owner, .first = first, .keys = keys,
                                      .pace_ns = pace_ns};
        order->tokens = malloc(bytes);
        if (order->tokens && take_blocks(disk, order, n)) {
            memcpy(order->tokens, tokens, bytes);
            give(disk, order);
            return true;
        }
        order->keys = NULL;
        order_free(disk, order);
    }
    return false;
}

enum disk_answer disk_fetch(struct disk *disk, uint32_t owner, const uint32_t *tokens, uint32_t limit,
                            uint64_t room, int64_t pace_ns) {
    uint32_t n = limit / KV_TILE;
    if (!n || !disk->keys.n) return DISK_NOTHING;
    uint64_t *keys = malloc(n * sizeof *keys);
    if (!keys) return DISK_NOTHING;
    uint32_t first = prefix_missing(disk->prefix, owner, tokens, limit, keys);
    uint32_t there = count_there(disk, keys, first, n);
    if (there > room) there = (uint32_t)room;
    if (disk_stuck(disk)) there = 0;
    enum disk_answer answer = there ? DISK_BUSY : DISK_NOTHING;
    if (there && !disk->order)
        answer = start_fetch(disk, owner, tokens, keys, first, there, pace_ns) ? DISK_COMING : DISK_NOTHING;
    else if (there)
        disk_thread_hurry(disk->thread);
    if (answer != DISK_COMING) free(keys);
    return answer;
}

static void end_fetch(struct disk *disk, struct disk_order *order) {
    prefix_insert(disk->prefix, order->owner, order->tokens, order->keys, order->blocks, order->first,
                  order->n_done);
    disk->stats.read_blocks += order->n_done;
    disk->stats.rejected_blocks += order->rejected;
    if (order->n_done == order->n || order->left) return;
    key_set_remove(&disk->keys, order->keys[order->first + order->n_done]); /* not there after all */
    memset(order->blocks[order->n_done]->data, 0, disk->kv->block_values * sizeof(uint16_t));
}

/* ---- writing behind ---- */

static void end_keep(struct disk *disk, struct disk_order *order) {
    for (uint32_t i = 0; i < order->n_done; i++)
        if (key_set_add(&disk->keys, order->keys[i])) prefix_mark_kept(disk->prefix, order->keys[i], true);
    for (size_t i = 0; i < order->removed.n_slots; i++) {
        if (!order->removed.slots[i]) continue;
        key_set_remove(&disk->keys, order->removed.slots[i]);
        prefix_mark_kept(disk->prefix, order->removed.slots[i], false);
    }
    for (uint32_t i = order->n_done; i < order->n && !order->failed; i++) /* it had to hurry */
        prefix_mark_fresh(disk->prefix, order->keys[i]);
    disk->stats.written_blocks += order->n_done;
    disk->stats.failed_writes += order->failed;
    if (order->failed) disk->paused_until_ns = clock_ns() + PAUSE_NS;
}

/* An order from what is fresh. NULL: nothing is, or no memory. */
static struct disk_order *next_keep(struct disk *disk, uint32_t most) {
    struct prefix_run run;
    if (!prefix_next_fresh(disk->prefix, &run, most)) return NULL;
    struct disk_order *order = calloc(1, sizeof *order);
    struct kv_block **blocks = malloc(sizeof run.blocks);
    uint64_t *keys = malloc(sizeof run.keys);
    if (order && blocks && keys && run.tokens) {
        memcpy(blocks, run.blocks, sizeof run.blocks);
        memcpy(keys, run.keys, sizeof run.keys);
        *order = (struct disk_order){.work = DISK_KEEP, .owner = run.owner, .first = run.first, .n = run.n,
                                     .tokens = run.tokens, .keys = keys, .blocks = blocks};
        return order;
    }
    for (uint32_t i = 0; i < run.n; i++) kv_unref(disk->kv, run.blocks[i]);
    free(run.tokens);
    free(order);
    free(blocks);
    free(keys);
    return NULL;
}

struct disk_news disk_poll(struct disk *disk, int64_t wait_ns) {
    struct disk_news news = {0};
    struct disk_order *order = disk->order ? disk_thread_take(disk->thread, wait_ns) : NULL;
    if (order) {
        disk->order = NULL;
        disk->kv->max_blocks -= disk->n_written_off;
        disk->n_written_off = 0;
        news = (struct disk_news){true, order->work == DISK_FETCH, order->n_done};
        if (order->work == DISK_FETCH) end_fetch(disk, order);
        else end_keep(disk, order);
        order_free(disk, order);
    }
    return news;
}

void disk_write(struct disk *disk, uint64_t room) {
    uint32_t most = room / 2 < PREFIX_RUN ? (uint32_t)(room / 2) : PREFIX_RUN; /* others may want some */
    if (!disk || disk->order || !most || clock_ns() < disk->paused_until_ns) return;
    struct disk_order *order = next_keep(disk, most);
    if (order) give(disk, order);
}

/* ---- what others see ---- */

bool disk_working(const struct disk *disk) {
    return disk && disk->order;
}

bool disk_stuck(struct disk *disk) {
    if (!disk || !disk->order) return false;
    if (disk->n_written_off) return true;
    if (!disk_thread_stuck(disk->thread)) return false;
    disk->n_written_off = disk->order->n;
    disk->kv->max_blocks += disk->n_written_off;
    return true;
}

uint64_t disk_blocks_lent(const struct disk *disk) {
    return disk && disk->order ? disk->order->n : 0;
}

struct disk_stats disk_stats(const struct disk *disk) {
    if (!disk) return (struct disk_stats){0};
    struct disk_stats stats = disk->stats;
    stats.bytes = disk_thread_bytes(disk->thread);
    return stats;
}
