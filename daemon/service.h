/* service: what the daemon says about itself. Each function appends one JSON object. */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "base/buf.h"

struct conn;
struct engine;
struct server;
void service_hello(struct buf *out, const struct conn *conn);
void service_health(struct buf *out, const struct server *server);
void service_model_info(struct buf *out, const struct engine *engine);
void service_model_list(struct buf *out, const struct server *server);

/* For others that say it too. */
const char *service_status(const struct server *server);
double service_uptime(const struct server *server);

#endif
