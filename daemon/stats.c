#include "daemon/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/server.h"
#include "daemon/service.h"

enum { METRICS = 48 };

struct metric {
    const char *group, *name;
    bool counter; /* only ever grows; else a gauge */
    uint64_t value;
    const char *help;
};

struct table {
    struct metric metrics[METRICS];
    size_t n;
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void add(struct table *table, const struct metric *metrics, size_t n) {
    for (size_t i = 0; i < n && table->n < METRICS; i++) table->metrics[table->n++] = metrics[i];
}

/* ---- the table ---- */

static void add_traffic(struct table *table, const struct server *server) {
    const struct counters *c = &server->counters;
    const struct metric metrics[] = {
        {"connections", "open", false, server->n_conns, "Connections that are open."},
        {"connections", "accepted", true, c->connections, "Connections accepted."},
        {"connections", "refused", true, c->connections_refused, "Connections past a limit."},
        {"connections", "closed_by_limit", true, c->connections_closed_by_limit,
         "Connections closed because a peer read too slowly or did not finish a line."},
        {"traffic", "lines", true, c->lines, "Lines received."},
        {"traffic", "too_long_lines", true, c->too_long_lines, "Lines longer than the limit."},
        {"traffic", "bytes_in", true, c->bytes_in, "Bytes received."},
        {"traffic", "bytes_out", true, c->bytes_out, "Bytes sent."},
        {"traffic", "token_notifications_dropped", true, c->tokens_dropped,
         "Token notifications that slow readers lost."},
        {"outcomes", "errors", true, c->errors, "Requests answered with an error."},
        {"outcomes", "overloaded", true, c->overloaded, "Requests refused with 1001."},
        {"outcomes", "cancelled", true, c->cancelled, "Requests cancelled."},
        {"outcomes", "deadline_exceeded", true, c->deadline_exceeded, "Requests past a deadline."},
    };
    add(table, metrics, COUNT(metrics));
}

static void add_queue(struct table *table, const struct server *server) {
    const struct jobs *jobs = &server->jobs;
    const struct metric metrics[] = {
        {"queue", "depth", false, jobs_depth(jobs), "Requests waiting."},
        {"queue", "active", false, jobs_active(jobs), "Requests being generated."},
        {"queue", "outside", false, jobs->outside, "Pieces of work that other threads have."},
    };
    add(table, metrics, COUNT(metrics));
}

static void add_engine(struct table *table, const struct engine_stats *s) {
    const struct metric metrics[] = {
        {"engine", "generations", true, s->generations, "Generations finished."},
        {"engine", "prompt_tokens", true, s->prompt_tokens, "Tokens of prompts."},
        {"engine", "cached_tokens", true, s->cached_tokens, "Those that the cache had."},
        {"engine", "completion_tokens", true, s->completion_tokens, "Tokens generated."},
        {"engine", "forced_tokens", true, s->forced_tokens, "Those that a grammar determined."},
        {"engine", "steps", true, s->steps, "Tokens drawn."},
        {"kv", "blocks_total", false, s->kv_blocks_total, "KV blocks that the budget allows."},
        {"kv", "blocks_used", false, s->kv_blocks_used, "KV blocks in use."},
        {"kv", "bytes_used", false, s->kv_bytes_used, "Bytes of them."},
    };
    add(table, metrics, COUNT(metrics));
}

static void add_cache(struct table *table, const struct engine_stats *s) {
    const struct metric metrics[] = {
        {"cache", "entries", false, s->cache_entries, "Prefixes kept."},
        {"cache", "hits", true, s->cache_hits, "Prompts that began with one."},
        {"cache", "misses", true, s->cache_misses, "Prompts that did not."},
        {"cache", "evictions", true, s->cache_evictions, "Prefixes given up for others."},
        {"cache", "disk_bytes", false, s->disk_bytes, "In the cache directory, as last seen."},
        {"cache", "disk_read_blocks", true, s->disk_read_blocks, "Blocks read from it."},
        {"cache", "disk_written_blocks", true, s->disk_written_blocks, "Blocks written to it."},
        {"cache", "disk_rejected_blocks", true, s->disk_rejected_blocks,
         "Files that did not verify and were removed."},
        {"cache", "disk_failed_writes", true, s->disk_failed_writes, "Blocks that could not be written."},
    };
    add(table, metrics, COUNT(metrics));
}

static void add_grammars(struct table *table, const struct engine_stats *s) {
    const struct metric metrics[] = {
        {"grammars", "entries", false, s->grammar_entries, "Compiled tools and formats kept."},
        {"grammars", "bytes", false, s->grammar_bytes, "Bytes of them."},
        {"grammars", "hits", true, s->grammar_hits, "Requests that found theirs."},
        {"grammars", "misses", true, s->grammar_misses, "Requests that did not."},
    };
    add(table, metrics, COUNT(metrics));
}

static void collect(struct table *table, const struct server *server) {
    const struct engine_stats engines = models_stats(&server->jobs.models);
    table->n = 0;
    add_traffic(table, server);
    add_queue(table, server);
    add_engine(table, &engines);
    add_cache(table, &engines);
    add_grammars(table, &engines);
}

/* ---- as JSON ---- */

static void add_requests(struct buf *out, const struct counters *counters) {
    uint64_t total = counters->calls[METHOD_NONE];
    buf_add_str(out, ",\"requests\":{");
    for (int i = METHOD_NONE + 1; i < METHOD_COUNT_; i++) {
        buf_printf(out, "\"%s\":%" PRIu64 ",", method_name((enum method)i), counters->calls[i]);
        total += counters->calls[i];
    }
    buf_printf(out, "\"total\":%" PRIu64 "}", total);
}

void stats_json(struct buf *out, const struct server *server) {
    struct table table;
    const char *group = "";
    collect(&table, server);
    buf_printf(out, "{\"status\":\"%s\",\"uptime_s\":%.3f", service_status(server),
               service_uptime(server));
    add_requests(out, &server->counters);
    for (size_t i = 0; i < table.n; i++) {
        const struct metric *metric = &table.metrics[i];
        bool same = strcmp(metric->group, group) == 0;
        if (!same) buf_printf(out, "%s,\"%s\":{", *group ? "}" : "", metric->group);
        group = metric->group;
        buf_printf(out, "%s\"%s\":%" PRIu64, same ? "," : "", metric->name, metric->value);
    }
    buf_add_str(out, "}}");
}

void stats_cache(struct buf *out, const struct server *server) {
    const struct engine_stats s = models_stats(&server->jobs.models);
    struct table table = {.n = 0};
    add_cache(&table, &s);
    buf_printf(out, "{\"prompt_tokens\":%" PRIu64 ",\"cached_tokens\":%" PRIu64, s.prompt_tokens,
               s.cached_tokens);
    buf_printf(out, ",\"blocks_total\":%" PRIu64 ",\"blocks_used\":%" PRIu64, s.kv_blocks_total,
               s.kv_blocks_used);
    buf_printf(out, ",\"bytes_used\":%" PRIu64, s.kv_bytes_used);
    for (size_t i = 0; i < table.n; i++)
        buf_printf(out, ",\"%s\":%" PRIu64, table.metrics[i].name, table.metrics[i].value);
    buf_add_char(out, '}');
}

/* ---- as Prometheus's text ---- */

static void add_head(struct buf *out, const char *name, const char *type, const char *help) {
    buf_printf(out, "# HELP plmd_%s %s\n# TYPE plmd_%s %s\n", name, help, name, type);
}

static void add_stat(struct buf *out, const struct metric *metric) {
    char name[80];
    snprintf(name, sizeof name, "%s_%s%s", metric->group, metric->name,
             metric->counter ? "_total" : "");
    add_head(out, name, metric->counter ? "counter" : "gauge", metric->help);
    buf_printf(out, "plmd_%s %" PRIu64 "\n", name, metric->value);
}

static void add_methods(struct buf *out, const struct counters *counters) {
    add_head(out, "requests_total", "counter", "Requests by method; \"\": not understood.");
    for (int i = METHOD_NONE; i < METHOD_COUNT_; i++)
        buf_printf(out, "plmd_requests_total{method=\"%s\"} %" PRIu64 "\n",
                   method_name((enum method)i), counters->calls[i]);
}

/* A label's value: the format wants these three escaped. */
static void add_label(struct buf *out, const char *value) {
    for (; *value; value++) {
        if (*value == '\\' || *value == '"') buf_add_char(out, '\\');
        if (*value == '\n')
            buf_add_str(out, "\\n");
        else
            buf_add_char(out, *value);
    }
}

static void add_models(struct buf *out, const struct models *models) {
    add_head(out, "model_loaded", "gauge", "Is the model in memory.");
    for (unsigned i = 0; i < models->n; i++) {
        buf_add_str(out, "plmd_model_loaded{model=\"");
        add_label(out, models->of[i].alias);
        buf_printf(out, "\"} %d\n", models->of[i].state == MODEL_READY);
    }
}

void stats_metrics(struct buf *out, const struct server *server) {
    struct table table;
    struct buf text = {0};
    collect(&table, server);
    add_head(&text, "uptime_seconds", "gauge", "Since the daemon started.");
    buf_printf(&text, "plmd_uptime_seconds %.3f\n", service_uptime(server));
    add_methods(&text, &server->counters);
    add_models(&text, &server->jobs.models);
    for (size_t i = 0; i < table.n; i++) add_stat(&text, &table.metrics[i]);
    if (text.failed) out->failed = true;
    buf_add_str(out, "{\"text\":");
    if (!text.failed) json_quote(out, (struct text){text.bytes, text.len});
    buf_add_char(out, '}');
    buf_free(&text);
}
