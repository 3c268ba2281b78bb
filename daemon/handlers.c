#include "daemon/handlers.h"

#include <inttypes.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/server.h"
#include "daemon/service.h"
#include "daemon/stats.h"

/* ---- answered by the loop at once ---- */

static const struct outcome *handle_hello(struct command *command) {
    struct error error = {0};
    struct buf result = {0};
    if (command->call->protocol != 0 && command->call->protocol != 1) {
        error_set(&error, ERROR_UNSUPPORTED_PROTOCOL, "this daemon speaks protocol 1");
        return command_fail(command, &error);
    }
    service_hello(&result, command->conn);
    return command_reply(command, &result);
}

static const struct outcome *handle_health(struct command *command) {
    struct buf result = {0};
    service_health(&result, command->conn->server);
    return command_reply(command, &result);
}

static const struct outcome *handle_stats(struct command *command) {
    struct buf result = {0};
    stats_json(&result, command->conn->server);
    return command_reply(command, &result);
}

static const struct outcome *handle_metrics(struct command *command) {
    struct buf result = {0};
    stats_metrics(&result, command->conn->server);
    return command_reply(command, &result);
}

static const struct outcome *handle_cache_stats(struct command *command) {
    struct buf result = {0};
    stats_cache(&result, command->conn->server);
    return command_reply(command, &result);
}

static const struct outcome *handle_discover(struct command *command) {
    struct buf result = {0};
    rpc_discover(&result, PLM_VERSION);
    return command_reply(command, &result);
}

static const struct outcome *handle_model_info(struct command *command) {
    struct models *models = &command->conn->server->jobs.models;
    struct error error = {0};
    struct buf result = {0};
    const struct served *model = models_find(models, command->call->model, &error);
    if (!model || !models_ready(model, &error)) return command_fail(command, &error);
    service_model_info(&result, model->engine);
    return command_reply(command, &result);
}

static const struct outcome *handle_model_list(struct command *command) {
    struct buf result = {0};
    service_model_list(&result, command->conn->server);
    return command_reply(command, &result);
}

/* ---- for admins: root and the daemon's own user ---- */

static bool is_admin(const struct command *command) {
    return command->conn->uid == 0 || command->conn->uid == geteuid();
}

static const struct outcome *refuse(struct command *command) {
    struct error error = {0};
    error_set(&error, ERROR_PERMISSION, "only root and the daemon's own user may do this");
    return command_fail(command, &error);
}

static const struct outcome *handle_log_level(struct command *command) {
    const char *name = command->call->level.bytes;
    enum log_level level;
    struct buf result = {0};
    if (!is_admin(command)) return refuse(command);
    if (log_level_parse(name, &level)) log_set_level(level);
    log_info("connection %" PRIu64 ": log level %s", command->conn->serial, name);
    buf_printf(&result, "{\"level\":\"%s\"}", name); /* one of the method file's */
    return command_reply(command, &result);
}

static const struct outcome *handle_model_unload(struct command *command) {
    return is_admin(command) ? jobs_unload(command) : refuse(command);
}

static const struct outcome *handle_shutdown(struct command *command) {
    struct server *server = command->conn->server;
    struct buf result = {0};
    if (!is_admin(command)) return refuse(command);
    log_info("connection %" PRIu64 ": shutdown", command->conn->serial);
    buf_add_str(&result, "{\"status\":\"draining\"}");
    const struct outcome *outcome = command_reply(command, &result);
    drain_begin(server);
    return outcome;
}

/* ---- cancel ---- */

static const struct outcome *reply_cancelled(struct command *command, bool cancelled) {
    struct buf result = {0};
    buf_printf(&result, "{\"cancelled\":%s}", cancelled ? "true" : "false");
    return command_reply(command, &result);
}

static const struct outcome *cancel_elsewhere(struct command *command) {
    uint64_t serial = (uint64_t)command->call->connection;
    struct conn *conn;
    struct command *target = NULL;
    if (!is_admin(command)) return refuse(command);
    LIST_FOREACH(conn, &command->conn->server->conns, link)
    if (conn->serial == serial) target = command_find(conn, command->call->cancel_id, NULL);
    if (target) command_cancel(target, CANCEL_ADMIN);
    return reply_cancelled(command, target != NULL);
}

/* What is to be cancelled may still be at the prep worker, its id unknown: then this waits too. */
static const struct outcome *handle_cancel(struct command *command) {
    struct conn *conn = command->conn;
    uint64_t serial = (uint64_t)command->call->connection;
    if (serial != 0 && serial != conn->serial) return cancel_elsewhere(command);
    struct command *target = command_find(conn, command->call->cancel_id, command);
    command->waits_for_parse = !target && conn->n_unparsed > 0;
    if (command->waits_for_parse) return command_pending(command);
    if (target) command_cancel(target, CANCEL_CLIENT);
    return reply_cancelled(command, target != NULL);
}

/* ---- work for other threads ---- */

static const struct outcome *handle_generation(struct command *command) {
    return jobs_start(command, JOB_GENERATION);
}

static const struct outcome *handle_text(struct command *command) {
    return jobs_start(command, JOB_TEXT);
}

static const struct outcome *handle_unknown(struct command *command) {
    struct error error = {0};
    error_set(&error, ERROR_METHOD_NOT_FOUND, "this method is not served");
    return command_fail(command, &error);
}

static command_handler *const table[METHOD_COUNT_] = {
    [METHOD_HELLO] = handle_hello,
    [METHOD_HEALTH] = handle_health,
    [METHOD_STATS] = handle_stats,
    [METHOD_TOOL_CALL] = handle_generation,
    [METHOD_CHAT] = handle_generation,
    [METHOD_COMPLETE] = handle_generation,
    [METHOD_TOKENIZE] = handle_text,
    [METHOD_DETOKENIZE] = handle_text,
    [METHOD_COUNT] = handle_text,
    [METHOD_RENDER] = handle_text,
    [METHOD_CANCEL] = handle_cancel,
    [METHOD_MODEL_INFO] = handle_model_info,
    [METHOD_RPC_DISCOVER] = handle_discover,
    [METHOD_METRICS] = handle_metrics,
    [METHOD_SCHEMA_CHECK] = handle_text,
    [METHOD_MODEL_LIST] = handle_model_list,
    [METHOD_MODEL_UNLOAD] = handle_model_unload,
    [METHOD_CACHE_STATS] = handle_cache_stats,
    [METHOD_LOG_LEVEL] = handle_log_level,
    [METHOD_SHUTDOWN] = handle_shutdown,
};

command_handler *handlers_of(enum method method) {
    bool known = method >= 0 && method < METHOD_COUNT_ && table[method];
    return known ? table[method] : handle_unknown;
}
