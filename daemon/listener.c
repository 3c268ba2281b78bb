#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 512, INHERITED_FD = 3 };

static bool failed(struct error *error, const char *what, const char *path) {
    return error_set(error, ERROR_PERMISSION, "cannot %s %s: %s", what, path, strerror(errno));
}

/* ---- inherited ---- */

static bool environment_number(const char *name, long *number) {
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9') return false;
    errno = 0;
    *number = strtol(text, &end, 10);
    return !errno && !*end;
}

static bool inherited(void) {
    long pid, n;
    return environment_number("LISTEN_PID", &pid) && environment_number("LISTEN_FDS", &n) &&
           pid == (long)getpid() && n > 0;
}

static bool is_listening_unix_stream(int fd) {
    struct sockaddr_un address;
    socklen_t size = sizeof address, n = sizeof(int);
    int type = 0, accepting = 0;
    if (getsockname(fd, (struct sockaddr *)&address, &size) || address.sun_family != AF_UNIX)
        return false;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) || type != SOCK_STREAM) return false;
    n = sizeof(int);
    return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &n) && accepting;
}

static bool listener_inherit(struct listener *listener, struct error *error) {
    if (!is_listening_unix_stream(INHERITED_FD))
        return error_set(error, ERROR_INVALID_PARAMS,
                         "$LISTEN_FDS: descriptor 3 is not a listening unix stream socket");
    fcntl(INHERITED_FD, F_SETFD, FD_CLOEXEC);
    fcntl(INHERITED_FD, F_SETFL, fcntl(INHERITED_FD, F_GETFL) | O_NONBLOCK);
    listener->fd = INHERITED_FD;
    return true;
}

/* ---- the path and its directory ---- */

static bool listener_path(struct listener *listener, const char *path, struct error *error) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n;
    if (path)
        n = snprintf(listener->path, sizeof listener->path, "%s", path);
    else if (geteuid() == 0)
        n = snprintf(listener->path, sizeof listener->path, "/run/plmd/plmd.sock");
    else if (runtime && *runtime == '/')
        n = snprintf(listener->path, sizeof listener->path, "%s/plmd/plmd.sock", runtime);
    else
        return error_set(error, ERROR_INVALID_PARAMS,
                         "$XDG_RUNTIME_DIR is not set: say where with --socket PATH");
    if (n >= 0 && (size_t)n < sizeof listener->path) return true;
    listener->path[0] = '\0';
    return error_set(error, ERROR_INVALID_PARAMS,
                     "the socket's path is too long (limit: %zu bytes)", sizeof listener->path - 1);
}

static bool group_id(const char *group, gid_t *gid, struct error *error) {
    errno = 0;
    const struct group *entry = getgrnam(group);
    if (!entry) return error_set(error, ERROR_INVALID_PARAMS, "no group named '%s'", group);
    *gid = entry->gr_gid;
    return true;
}

/* The last directory of the path is made when it is missing; it is nobody else's unless a group may
 * connect. */
static bool make_directory(const char *path, const char *group, struct error *error) {
    char copy[sizeof((struct listener *)0)->path];
    gid_t gid = 0;
    snprintf(copy, sizeof copy, "%s", path);
    const char *directory = dirname(copy);
    if (mkdir(directory, 0700) != 0)
        return errno == EEXIST || failed(error, "make directory", directory);
    if (!group) return true;
    if (!group_id(group, &gid, error)) return false;
    if (chown(directory, (uid_t)-1, gid) || chmod(directory, 0750))
        return failed(error, "give the group access to", directory);
    return true;
}

/* ---- lock and bind ---- */

static bool take_lock(struct listener *listener, struct error *error) {
    char path[sizeof listener->path + 8];
    snprintf(path, sizeof path, "%s.lock", listener->path);
    listener->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (listener->lock_fd < 0) return failed(error, "open", path);
    if (flock(listener->lock_fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return failed(error, "lock", path);
    return error_set(error, ERROR_PERMISSION, "another plmd already serves %s", listener->path);
}

static struct sockaddr_un address_of(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

/* Somebody may listen there without our kind of lock. */
static bool is_served(const char *path) {
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return false;
    bool served = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return served;
}

/* Only with the lock held. */
static bool remove_stale(const char *path, struct error *error) {
    struct stat status;
    if (lstat(path, &status) != 0) return errno == ENOENT || failed(error, "look at", path);
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, ERROR_PERMISSION, "%s exists and is not a socket", path);
    if (is_served(path))
        return error_set(error, ERROR_PERMISSION, "another program already serves %s", path);
    return unlink(path) == 0 || failed(error, "remove stale socket", path);
}

static bool open_to_group(const char *path, const char *group, struct error *error) {
    gid_t gid = 0;
    if (!group) return true;
    if (!group_id(group, &gid, error)) return false;
    if (chown(path, (uid_t)-1, gid) || chmod(path, 0660))
        return failed(error, "give the group access to", path);
    return true;
}

static bool bind_and_listen(struct listener *listener, const char *group, struct error *error) {
    struct sockaddr_un address = address_of(listener->path);
    struct stat status;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0) return failed(error, "make a socket for", listener->path);
    mode_t mask = umask(0177); /* the socket is never open to others, not for a moment */
    int bound = bind(listener->fd, (struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (bound != 0) return failed(error, "bind", listener->path);
    if (lstat(listener->path, &status) != 0) return failed(error, "look at", listener->path);
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    if (!open_to_group(listener->path, group, error)) return false;
    return listen(listener->fd, BACKLOG) == 0 || failed(error, "listen on", listener->path);
}

bool listener_open(struct listener *listener, const char *path, const char *group,
                   struct error *error) {
    *listener = (struct listener){.fd = -1, .lock_fd = -1};
    if (inherited()) return listener_inherit(listener, error);
    if (listener_path(listener, path, error) && make_directory(listener->path, group, error) &&
        take_lock(listener, error) && remove_stale(listener->path, error) &&
        bind_and_listen(listener, group, error))
        return true;
    listener_close(listener);
    return false;
}

void listener_close(struct listener *listener) {
    struct stat status;
    if (listener->fd >= 0) close(listener->fd);
    if (listener->inode && lstat(listener->path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode)
        unlink(listener->path);
    if (listener->lock_fd >= 0) close(listener->lock_fd); /* releases the lock, after the unlink */
    *listener = (struct listener){.fd = -1, .lock_fd = -1};
}
