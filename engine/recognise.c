#include "engine/recognise.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/hash.h"
#include "engine/vector.h"

enum { MOST_FACTS = 1 << 21 };

struct reading { /* of a node from a position */
    uint32_t node, start;
    uint32_t waiting, ends; /* lists */
};

struct wait { /* `reading` goes on with `progress` wherever another one ends */
    uint32_t reading, progress, next;
};

struct end {
    uint32_t at, next;
};

struct task { /* from: where the part that ended began; UINT32_MAX: the reading begins */
    uint32_t reading, progress, from, at;
};

struct fact { /* something known, so that it is found once */
    uint32_t kind, a, b, c;
};

enum { FACT_NONE, FACT_READING, FACT_WAIT, FACT_END };

struct recogniser {
    const struct gbnf *gbnf;
    const char *text;
    uint32_t len;
    struct reading *readings;
    struct wait *waits;
    struct end *ends;
    struct task *tasks;
    struct fact *facts;
    uint32_t *values; /* of facts */
    uint32_t n_readings, n_waits, n_ends, n_tasks, n_facts;
    uint32_t cap_readings, cap_waits, cap_ends, cap_tasks, cap_facts;
    bool failed;
};

#define NONE UINT32_MAX

/* ---- what is known ---- */

static uint32_t find_fact(const struct recogniser *r, struct fact fact) {
    uint64_t hash = hash_mix((uint64_t)fact.a << 32 | fact.b, (uint64_t)fact.c << 8 | fact.kind);
    uint32_t at = (uint32_t)(hash >> 16) & (r->cap_facts - 1);
    while (r->facts[at].kind != FACT_NONE && memcmp(&r->facts[at], &fact, sizeof fact) != 0)
        at = (at + 1) & (r->cap_facts - 1);
    return at;
}

static bool grow_facts(struct recogniser *r) {
    struct recogniser larger = {.cap_facts = r->cap_facts ? r->cap_facts * 2 : 1024};
    larger.facts = calloc(larger.cap_facts, sizeof *larger.facts);
    larger.values = malloc(larger.cap_facts * sizeof *larger.values);
    bool made = larger.facts && larger.values && r->n_facts < MOST_FACTS;
    for (uint32_t i = 0; made && i < r->cap_facts; i++) {
        if (r->facts[i].kind == FACT_NONE) continue;
        uint32_t at = find_fact(&larger, r->facts[i]);
        larger.facts[at] = r->facts[i];
        larger.values[at] = r->values[i];
    }
    free(made ? r->facts : larger.facts);
    free(made ? r->values : larger.values);
    if (!made) return false;
    r->facts = larger.facts;
    r->values = larger.values;
    r->cap_facts = larger.cap_facts;
    return true;
}

/* Its value; *known: it was there before, else it gets `value`. */
static uint32_t learn(struct recogniser *r, struct fact fact, uint32_t value, bool *known) {
    *known = true;
    if (2 * (r->n_facts + 1) > r->cap_facts && !grow_facts(r)) r->failed = true;
    if (r->failed) return 0;
    uint32_t at = find_fact(r, fact);
    if (r->facts[at].kind != FACT_NONE) return r->values[at];
    *known = false;
    r->n_facts++;
    r->facts[at] = fact;
    r->values[at] = value;
    return value;
}

/* ---- readings ---- */

static void add_task(struct recogniser *r, struct task task) {
    if (!vector_reserve((void **)&r->tasks, &r->cap_tasks, r->n_tasks + 1, sizeof *r->tasks))
        r->failed = true;
    else
        r->tasks[r->n_tasks++] = task;
}

static uint32_t read_node(struct recogniser *r, uint32_t node, uint32_t start) {
    bool known;
    uint32_t reading = learn(r, (struct fact){FACT_READING, node, start, 0}, r->n_readings, &known);
    if (known) return reading;
    if (!vector_reserve((void **)&r->readings, &r->cap_readings, r->n_readings + 1,
                        sizeof *r->readings)) {
        r->failed = true;
        return 0;
    }
    r->readings[r->n_readings++] = (struct reading){node, start, NONE, NONE};
    add_task(r, (struct task){reading, 0, NONE, start});
    return reading;
}

/* The reading waits for a node from here. */
static void await(struct recogniser *r, uint32_t node, uint32_t at, uint32_t reading,
                  uint32_t progress) {
    bool known;
    uint32_t other = read_node(r, node, at);
    learn(r, (struct fact){FACT_WAIT, other, reading, progress}, 0, &known);
    if (known || r->failed) return;
    if (!vector_reserve((void **)&r->waits, &r->cap_waits, r->n_waits + 1, sizeof *r->waits)) {
        r->failed = true;
        return;
    }
    r->waits[r->n_waits] = (struct wait){reading, progress, r->readings[other].waiting};
    r->readings[other].waiting = r->n_waits++;
    for (uint32_t i = r->readings[other].ends; i != NONE; i = r->ends[i].next)
        add_task(r, (struct task){reading, progress, at, r->ends[i].at});
}

static void end_at(struct recogniser *r, uint32_t reading, uint32_t at) {
    bool known;
    learn(r, (struct fact){FACT_END, reading, at, 0}, 0, &known);
    if (known || r->failed) return;
    if (!vector_reserve((void **)&r->ends, &r->cap_ends, r->n_ends + 1, sizeof *r->ends)) {
        r->failed = true;
        return;
    }
    struct reading *of = &r->readings[reading];
    r->ends[r->n_ends] = (struct end){at, of->ends};
    of->ends = r->n_ends++;
    for (uint32_t i = of->waiting; i != NONE; i = r->waits[i].next)
        add_task(r, (struct task){r->waits[i].reading, r->waits[i].progress, of->start, at});
}

/* ---- nodes ---- */

static bool set_holds(const struct gbnf *gbnf, uint32_t set, uint32_t character) {
    const struct pattern_set *of = &gbnf->pool.sets[set];
    for (uint32_t i = of->first; i < of->first + of->n; i++)
        if (gbnf->pool.ranges[i].from <= character && character <= gbnf->pool.ranges[i].to)
            return true;
    return false;
}

static void read_set(struct recogniser *r, uint32_t reading, uint32_t set, uint32_t at) {
    uint32_t c = 0;
    size_t n = at < r->len ? utf8_decode(r->text + at, r->len - at, &c) : 0;
    if (n && c && set_holds(r->gbnf, set, c)) end_at(r, reading, at + (uint32_t)n);
}

static void begin(struct recogniser *r, uint32_t reading, uint32_t at) {
    const struct gbnf_node *node = &r->gbnf->nodes[r->readings[reading].node];
    switch (node->kind) {
    case GBNF_SET: read_set(r, reading, node->of, at); break;
    case GBNF_RULE: await(r, r->gbnf->rules[node->of].body, at, reading, 0); break;
    case GBNF_CHOICE:
        for (uint32_t i = node->first; i != GBNF_NONE; i = r->gbnf->nodes[i].next)
            await(r, i, at, reading, 0);
        break;
    case GBNF_SEQUENCE:
        if (node->first == GBNF_NONE)
            end_at(r, reading, at);
        else
            await(r, node->first, at, reading, r->gbnf->nodes[node->first].next);
        break;
    default:
        if (node->min == 0) end_at(r, reading, at);
        if (node->max > 0) await(r, node->first, at, reading, 1);
    }
}

/* `done` iterations, the last of them from `from` to `at`. What is empty can stand as often as need
 * be, and leads no further. */
static void iterate(struct recogniser *r, const struct task *task, const struct gbnf_node *node) {
    uint32_t done = task->progress, enough = node->min ? node->min : 1;
    bool endless = node->max == GBNF_NONE && done >= enough;
    if (done >= node->min || task->from == task->at) end_at(r, task->reading, task->at);
    if (task->from == task->at || done >= node->max) return;
    await(r, node->first, task->at, task->reading, endless ? done : done + 1);
}

static void resume(struct recogniser *r, const struct task *task) {
    const struct gbnf_node *node = &r->gbnf->nodes[r->readings[task->reading].node];
    if (node->kind == GBNF_REPEAT)
        iterate(r, task, node);
    else if (node->kind == GBNF_SEQUENCE && task->progress != GBNF_NONE)
        await(r, task->progress, task->at, task->reading, r->gbnf->nodes[task->progress].next);
    else
        end_at(r, task->reading, task->at);
}

static void recogniser_free(struct recogniser *r) {
    free(r->readings);
    free(r->waits);
    free(r->ends);
    free(r->tasks);
    free(r->facts);
    free(r->values);
}

enum text_verdict recognise(const struct gbnf *gbnf, const char *text, size_t len) {
    struct recogniser r = {.gbnf = gbnf, .text = text, .len = (uint32_t)len};
    bool found = false;
    if (len >= NONE / 2) return TEXT_TOO_COMPLEX;
    uint32_t root = read_node(&r, gbnf->rules[gbnf->root].body, 0);
    while (r.n_tasks && !r.failed) {
        struct task task = r.tasks[--r.n_tasks];
        if (task.from == NONE)
            begin(&r, task.reading, task.at);
        else
            resume(&r, &task);
    }
    if (!r.failed)
        for (uint32_t i = r.readings[root].ends; i != NONE; i = r.ends[i].next)
            found |= r.ends[i].at == len;
    bool failed = r.failed;
    recogniser_free(&r);
    return failed ? TEXT_TOO_COMPLEX : found ? TEXT_YES : TEXT_NO;
}
