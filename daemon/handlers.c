#include "daemon/handlers.h"

#include "daemon/server.h"
#include "daemon/service.h"

/* ---- answered by the loop at once ---- */

static const struct outcome *handle_hello(struct command *command) {
    struct error error = {0};
    struct buf result = {0};
    if (command->call->protocol != 0 && command->call->protocol != 1) {
        error_set(&error, ERROR_UNSUPPORTED_PROTOCOL, "this daemon speaks protocol 1");
        return command_fail(command, &error);
    }
    service_hello(&result, command->conn->server);
    return command_reply(command, &result);
}

static const struct outcome *handle_health(struct command *command) {
    struct buf result = {0};
    service_health(&result, command->conn->server);
    return command_reply(command, &result);
}

static const struct outcome *handle_stats(struct command *command) {
    struct buf result = {0};
    service_stats(&result, command->conn->server);
    return command_reply(command, &result);
}

static const struct outcome *handle_discover(struct command *command) {
    struct buf result = {0};
    rpc_discover(&result, PLM_VERSION);
    return command_reply(command, &result);
}

static const struct outcome *handle_model_info(struct command *command) {
    const struct jobs *jobs = &command->conn->server->jobs;
    struct error error = {0};
    struct buf result = {0};
    if (!jobs_model_ready(jobs, command->call->model, &error)) return command_fail(command, &error);
    service_model_info(&result, jobs->engine);
    return command_reply(command, &result);
}

/* What is to be cancelled may still be at the prep worker, its id unknown: then this waits too. */
static const struct outcome *handle_cancel(struct command *command) {
    struct conn *conn = command->conn;
    struct command *target = command_find(conn, command->call->cancel_id, command);
    struct buf result = {0};
    command->waits_for_parse = !target && conn->n_unparsed > 0;
    if (command->waits_for_parse) return command_pending(command);
    if (target) command_cancel(target, CANCEL_CLIENT);
    buf_printf(&result, "{\"cancelled\":%s}", target ? "true" : "false");
    return command_reply(command, &result);
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
};

command_handler *handlers_of(enum method method) {
    bool known = method >= 0 && method < METHOD_COUNT_ && table[method];
    return known ? table[method] : handle_unknown;
}
