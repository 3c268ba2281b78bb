#include "daemon/service.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/conn.h"
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

double service_uptime(const struct server *server) {
    return (double)(clock_ns() - server->started_ns) / 1e9;
}

const char *service_status(const struct server *server) {
    if (server->drain.state != DRAIN_NO) return "draining";
    return models_loading(&server->jobs.models) ? "loading" : "ok";
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

void service_model_list(struct buf *out, const struct server *server) {
    const struct models *models = &server->jobs.models;
    buf_add_str(out, "{\"models\":[");
    for (unsigned i = 0; i < models->n; i++) {
        buf_add_str(out, i ? ",{" : "{");
        add_text(out, "alias", models->of[i].alias);
        buf_printf(out, "\"loaded\":%s}", models->of[i].state == MODEL_READY ? "true" : "false");
    }
    buf_add_str(out, "]}");
}

/* The default model. */
static void add_model(struct buf *out, const struct server *server) {
    const struct served *model = &server->jobs.models.of[0];
    buf_add_str(out, ",\"model\":");
    if (model->engine) {
        service_model_info(out, model->engine);
        return;
    }
    buf_add_char(out, '{');
    add_text(out, "alias", model->alias);
    buf_add_str(out, "\"loaded\":false}");
}

/* ---- hello ---- */

static void add_capabilities(struct buf *out) {
    buf_add_char(out, '[');
    for (int i = METHOD_NONE + 1; i < METHOD_COUNT_; i++)
        buf_printf(out, "\"%s\",", method_name((enum method)i));
    buf_add_str(out, "\"stream\",\"progress\",\"batch\",\"deadline\",\"on_unsupported:widen\","
                     "\"response_format:regex\",\"response_format:gbnf\"]");
}

void service_hello(struct buf *out, const struct conn *conn) {
    const struct server *server = conn->server;
    const struct options *options = server->options;
    const struct member limits[] = {
        {"max_line", options->max_line},
        {"connections", options->max_connections},
        {"connections_per_uid", options->max_connections_per_uid},
        {"in_flight", options->max_in_flight},
        {"batch", RPC_BATCH_MAX},
        {"queue_jobs", options->max_queue_jobs},
        {"queue_tokens", options->max_queue_tokens},
        {"output_bytes", options->max_output},
        {"stalled_output_bytes", options->stall_output},
        {"stalled_output_s", options->stall_seconds},
        {"partial_line_s", options->line_seconds},
        {"schema_bytes", ENGINE_SCHEMA_BYTES},
        {"schema_depth", ENGINE_SCHEMA_DEPTH},
        {"nesting", RPC_NESTING_MAX},
    };
    buf_add_str(out, "{\"server\":\"plmd\",\"version\":\"" PLM_VERSION "\",\"protocol\":1");
    buf_printf(out, ",\"connection\":%" PRIu64, conn->serial);
    buf_add_str(out, ",\"capabilities\":");
    add_capabilities(out);
    add_object(out, "limits", limits, COUNT(limits));
    add_model(out, server);
    buf_add_char(out, '}');
}

/* ---- health ---- */

void service_health(struct buf *out, const struct server *server) {
    int64_t last_ns = models_stats(&server->jobs.models).last_token_ns,
            age_ns = clock_ns() - last_ns;
    buf_printf(out, "{\"status\":\"%s\",\"uptime_s\":%.3f", service_status(server),
               service_uptime(server));
    buf_printf(out, ",\"queue_depth\":%u,\"active\":%u", jobs_depth(&server->jobs),
               jobs_active(&server->jobs));
    if (last_ns == 0)
        buf_add_str(out, ",\"last_token_age_ms\":null}");
    else
        buf_printf(out, ",\"last_token_age_ms\":%" PRId64 "}", age_ns < 0 ? 0 : age_ns / 1000000);
}
