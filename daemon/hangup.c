#include "daemon/hangup.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64 };

static void hangup_ready(struct ev_loop *loop, ev_io *watcher, int revents) {
    (void)loop, (void)revents;
    struct hangup *hangup = watcher->data;
    struct epoll_event events[EVENTS_PER_TURN];
    int n = epoll_wait(hangup->fd, events, EVENTS_PER_TURN, 0);
    for (int i = 0; i < n; i++) hangup->gone(events[i].data.ptr);
}

bool hangup_init(struct hangup *hangup, struct ev_loop *loop, void (*gone)(void *peer)) {
    hangup->gone = gone;
    hangup->fd = epoll_create1(EPOLL_CLOEXEC);
    if (hangup->fd < 0) return false;
    ev_io_init(&hangup->ready, hangup_ready, hangup->fd, EV_READ);
    hangup->ready.data = hangup;
    ev_io_start(loop, &hangup->ready);
    return true;
}

void hangup_close(struct hangup *hangup, struct ev_loop *loop) {
    ev_io_stop(loop, &hangup->ready);
    close(hangup->fd);
}

bool hangup_add(struct hangup *hangup, int fd, void *peer) {
    struct epoll_event event = {.events = 0, .data.ptr = peer};
    return epoll_ctl(hangup->fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void hangup_remove(struct hangup *hangup, int fd) {
    epoll_ctl(hangup->fd, EPOLL_CTL_DEL, fd, NULL);
}
