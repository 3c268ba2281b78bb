/* service: what the daemon says about itself. Each function appends one JSON object. */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "base/buf.h"

struct engine;
struct server;
void service_hello(struct buf *out, const struct server *server);
void service_health(struct buf *out, const struct server *server);
void service_stats(struct buf *out, const struct server *server);
void service_model_info(struct buf *out, const struct engine *engine);

#endif
