#include "clients/c/connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Adds "PATH (reason)" to the list of what was tried. */
static void tried(char *why, size_t size, const char *path, int reason) {
    size_t used = strlen(why);
    snprintf(why + used, size - used, "%s%s (%s)", used ? ", " : "", path, strerror(reason));
}

static int connect_fd(int fd, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int failed;
    do failed = connect(fd, (struct sockaddr *)&address, sizeof address);
    while (failed && errno == EINTR);
    return failed && errno != EISCONN ? -1 : 0;
}

/* How long a daemon may take to accept: connect() waits while its backlog is full. */
static const struct timeval patience = {.tv_sec = 10};

static int connect_path(const char *path, char *why, size_t size) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (fd >= 0 && connect_fd(fd, path) == 0) return fd;
    tried(why, size, path, errno);
    if (fd >= 0) close(fd);
    return -1;
}

static int connect_user(char *why, size_t size) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char path[4096];
    if (!runtime || !*runtime) return -1;
    int n = snprintf(path, sizeof path, "%s/plmd/plmd.sock", runtime);
    return n > 0 && (size_t)n < sizeof path ? connect_path(path, why, size) : -1;
}

int connect_daemon(const char *socket_path, char *why, size_t size) {
    const char *named = socket_path ? socket_path : getenv("PLM_SOCKET");
    if (size) why[0] = '\0';
    if (named && *named) return connect_path(named, why, size);
    int fd = connect_user(why, size);
    return fd >= 0 ? fd : connect_path("/run/plmd/plmd.sock", why, size);
}
