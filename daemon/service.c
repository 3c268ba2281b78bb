#include "daemon/service.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/clock.h"
#include "daemon/outbox.h"
#include "daemon/server.h"

/* ---- objects of numbers and texts ---- */

struct member {
    const char *name;
    uint64_t value;
};

/* Appends the members without braces; those of an earlier call go before. */
static void add_numbers(struct buf *out, const struct member *members, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool first = out->bytes[out->len - 1] == '{';
        buf_printf(out, "%s\"%s\":%" PRIu64, first ? "" : ",", members[i].name, members[i].value);
        if (out->failed) return;
    }
}

static void add_object(struct buf *out, const char *name, const struct member *members, size_t n) {
    buf_printf(out, ",\"%s\":{", name);
    if (!out->failed) add_numbers(out, members, n);
    buf_add_char(out, '}');
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void add_text(struct buf *out, const char *name, const char *value) {
    buf_printf(out, "\"%s\":", name);
    json_quote(out, (struct text){value ? value : "", value ? strlen(value) : 0});
    buf_add_char(out, ',');
}

static double uptime(const struct server *server) {
    return (double)(clock_ns() - server->started_ns) / 1e9;
}

static const char *status(const struct server *server) {
    if (server->drain.state != DRAIN_NO) return "draining";
    return server->jobs.model == MODEL_LOADING ? "loading" : "ok";
}

/* ---- the model ---- */

void service_model_info(struct buf *out, const struct engine *engine) {
    const struct engine_info *info = engine_info(engine);
    buf_add_char(out, '{');
    add_text(out, "alias", info->alias);
    add_text(out, "path_hash", info->path_hash);
    add_text(out, "architecture", info->architecture);
    add_text(out, "quantization", info->quantization);
    add_text(out, "kv_type", info->kv_type);
    add_text(out, "isa", info->isa);
    buf_printf(out, "\"parameters\":%" PRIu64 ",\"file_bytes\":%" PRIu64, info->parameters,
               info->file_bytes);
    buf_printf(out, ",\"n_ctx\":%" PRIu32 ",\"n_vocab\":%" PRIu32 ",\"threads\":%u}", info->n_ctx,
               info->n_vocab, info->threads);
}

static void add_model(struct buf *out, const struct server *server) {
    buf_add_str(out, ",\"model\":");
    if (server->jobs.engine)
        service_model_info(out, server->jobs.engine);
    else
        buf_add_str(out, "{\"loaded\":false}");
}

/* ---- hello ---- */

static void add_capabilities(struct buf *out) {
    buf_add_char(out, '[');
    for (int i = METHOD_NONE + 1; i < METHOD_COUNT_; i++)
        buf_printf(out, "\"%s\",", method_name((enum method)i));
    buf_add_str(out, "\"stream\",\"progress\",\"batch\",\"deadline\"]");
}

void service_hello(struct buf *out, const struct server *server) {
    const struct options *options = server->options;
    const struct member limits[] = {
        {"max_line", options->max_line},
        {"connections", options->max_connections},
        {"connections_per_uid", options->max_connections_per_uid},
        {"in_flight", options->max_in_flight},
        {"batch", 64},
        {"queue_jobs", options->max_queue_jobs},
        {"queue_tokens", options->max_queue_tokens},
        {"output_bytes", options->max_output},
        {"stalled_output_bytes", options->stall_output},
        {"stalled_output_s", options->stall_seconds},
        {"partial_line_s", options->line_seconds},
        {"schema_bytes", 256 * 1024},
        {"schema_depth", 32},
        {"nesting", 64},
    };
    buf_add_str(out, "{\"server\":\"plmd\",\"version\":\"" PLM_VERSION "\",\"protocol\":1");
    buf_add_str(out, ",\"capabilities\":");
    add_capabilities(out);
    add_object(out, "limits", limits, COUNT(limits));
    add_model(out, server);
    buf_add_char(out, '}');
}

/* ---- health ---- */

static int64_t last_token_ns(const struct server *server) {
    struct engine_stats stats;
    if (!server->jobs.engine) return 0;
    engine_stats(server->jobs.engine, &stats);
    return stats.last_token_ns;
}

void service_health(struct buf *out, const struct server *server) {
    int64_t last_ns = last_token_ns(server), age_ns = clock_ns() - last_ns;
    buf_printf(out, "{\"status\":\"%s\",\"uptime_s\":%.3f", status(server), uptime(server));
    buf_printf(out, ",\"queue_depth\":%u,\"active\":%u", jobs_depth(&server->jobs),
               jobs_active(&server->jobs));
    if (last_ns == 0)
        buf_add_str(out, ",\"last_token_age_ms\":null}");
    else
        buf_printf(out, ",\"last_token_age_ms\":%" PRId64 "}", age_ns < 0 ? 0 : age_ns / 1000000);
}

/* ---- stats ---- */

static void add_daemon(struct buf *out, const struct server *server) {
    const struct counters *counters = &server->counters;
    const struct member connections[] = {
        {"open", server->n_conns},
        {"accepted", counters->connections},
        {"refused", counters->connections_refused},
        {"closed_by_limit", counters->connections_closed_by_limit},
    };
    const struct member traffic[] = {
        {"lines", counters->lines},
        {"too_long_lines", counters->too_long_lines},
        {"bytes_in", counters->bytes_in},
        {"bytes_out", counters->bytes_out},
        {"token_notifications_dropped", counters->tokens_dropped},
    };
    const struct member outcomes[] = {
        {"errors", counters->errors},
        {"overloaded", counters->overloaded},
        {"cancelled", counters->cancelled},
        {"deadline_exceeded", counters->deadline_exceeded},
    };
    add_object(out, "connections", connections, COUNT(connections));
    add_object(out, "traffic", traffic, COUNT(traffic));
    add_object(out, "outcomes", outcomes, COUNT(outcomes));
}

static void add_requests(struct buf *out, const struct counters *counters) {
    uint64_t total = counters->calls[METHOD_NONE];
    buf_add_str(out, ",\"requests\":{");
    for (int i = METHOD_NONE + 1; i < METHOD_COUNT_; i++) {
        buf_printf(out, "\"%s\":%" PRIu64 ",", method_name((enum method)i), counters->calls[i]);
        total += counters->calls[i];
    }
    buf_printf(out, "\"total\":%" PRIu64 "}", total);
}

static void add_engine(struct buf *out, const struct engine *engine) {
    struct engine_stats stats;
    engine_stats(engine, &stats);
    const struct member tokens[] = {
        {"generations", stats.generations},     {"prompt_tokens", stats.prompt_tokens},
        {"cached_tokens", stats.cached_tokens}, {"completion_tokens", stats.completion_tokens},
        {"forced_tokens", stats.forced_tokens}, {"steps", stats.steps},
    };
    const struct member kv[] = {
        {"blocks_total", stats.kv_blocks_total},
        {"blocks_used", stats.kv_blocks_used},
        {"bytes_used", stats.kv_bytes_used},
    };
    const struct member cache[] = {
        {"entries", stats.cache_entries},
        {"hits", stats.cache_hits},
        {"misses", stats.cache_misses},
        {"evictions", stats.cache_evictions},
    };
    add_object(out, "engine", tokens, COUNT(tokens));
    add_object(out, "kv", kv, COUNT(kv));
    add_object(out, "cache", cache, COUNT(cache));
}

void service_stats(struct buf *out, const struct server *server) {
    const struct jobs *jobs = &server->jobs;
    const struct member queue[] = {
        {"depth", jobs_depth(jobs)},
        {"active", jobs_active(jobs)},
        {"outside", jobs->outside},
    };
    buf_printf(out, "{\"status\":\"%s\",\"uptime_s\":%.3f", status(server), uptime(server));
    add_requests(out, &server->counters);
    add_daemon(out, server);
    add_object(out, "queue", queue, COUNT(queue));
    if (jobs->engine) add_engine(out, jobs->engine);
    buf_add_char(out, '}');
}
