/* stats: what the daemon counts, as JSON and as Prometheus's text, from one table. */
#ifndef DAEMON_STATS_H
#define DAEMON_STATS_H

#include "base/buf.h"

struct server;
void stats_json(struct buf *out, const struct server *server);
void stats_cache(struct buf *out, const struct server *server); /* cache.stats */
void stats_metrics(struct buf *out, const struct server *server); /* {"text": ..} */

#endif
