/* counters: what the daemon has seen since it started. Loop thread only. */
#ifndef DAEMON_COUNTERS_H
#define DAEMON_COUNTERS_H

#include <stdint.h>

#include "proto/proto.h"

struct counters {
    uint64_t connections, connections_refused, connections_closed_by_limit;
    uint64_t lines, too_long_lines, bytes_in, bytes_out;
    uint64_t calls[METHOD_COUNT_]; /* by method; METHOD_NONE: not understood */
    uint64_t errors, overloaded, cancelled, deadline_exceeded;
    uint64_t tokens_dropped; /* token notifications that a slow reader lost */
};

#endif
