/* connect: finding the daemon's socket (private to the client library). */
#ifndef CLIENTS_C_CONNECT_H
#define CLIENTS_C_CONNECT_H

#include <stddef.h>

/* A connected descriptor, or -1 with a sentence in why. */
int connect_daemon(const char *socket_path, char *why, size_t size);

#endif
