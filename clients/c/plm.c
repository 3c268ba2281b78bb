#include "clients/c/plm.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clients/c/connect.h"
#include "proto/proto.h"

enum {
    REPLY_MAX = 64 * 1024 * 1024, /* far beyond what the daemon buffers for one peer */
    READ_SIZE = 64 * 1024,
    GRACE_MS = 2000, /* how long a cancelled call waits for its response */
};

struct plm {
    int fd;
    struct frames *frames;
    struct buf method, message; /* decoded strings that replies and notifications lend out */
    struct buf result, data;
    int64_t last_id;
    bool cancelled; /* by plm_cancel */
    bool lost;
};

/* One call on its way. */
struct waiting {
    struct plm *plm;
    struct plm_reply *reply;
    const struct plm_call *call;
    int64_t id;
    int64_t until;          /* ms; 0: for ever */
    enum plm_status ending; /* PLM_OK: running; else why it was cancelled */
};

/* ---- time ---- */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int poll_timeout(const struct waiting *waiting) {
    if (!waiting->until) return -1;
    int64_t left = waiting->until - now_ms();
    return left <= 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}

/* ---- opening and closing ---- */

struct plm *plm_open_fd(int fd) {
    struct plm *plm = calloc(1, sizeof *plm);
    struct frames *frames = frames_new(REPLY_MAX);
    if (!plm || !frames) {
        free(plm);
        frames_free(frames);
        close(fd);
        return NULL;
    }
    plm->fd = fd;
    plm->frames = frames;
    return plm;
}

struct plm *plm_open(const char *socket, char *why, size_t why_size) {
    int fd = connect_daemon(socket, why, why_size);
    struct plm *plm = fd >= 0 ? plm_open_fd(fd) : NULL;
    if (fd >= 0 && !plm && why_size) strncpy(why, "out of memory", why_size)[why_size - 1] = '\0';
    return plm;
}

void plm_close(struct plm *plm) {
    if (!plm) return;
    close(plm->fd);
    frames_free(plm->frames);
    buf_free(&plm->method);
    buf_free(&plm->message);
    buf_free(&plm->result);
    buf_free(&plm->data);
    free(plm);
}

void plm_cancel(struct plm *plm) {
    plm->cancelled = true;
}

/* ---- endings ---- */

static enum plm_status finish(struct waiting *waiting, enum plm_status status) {
    return waiting->reply->status = status;
}

static enum plm_status lost(struct waiting *waiting, const char *what) {
    waiting->plm->lost = true;
    waiting->reply->message = what;
    return finish(waiting, PLM_LOST);
}

static enum plm_status no_memory(struct waiting *waiting) {
    waiting->plm->lost = true;
    waiting->reply->message = "out of memory";
    return finish(waiting, PLM_NO_MEMORY);
}

/* ---- waiting for the socket, the clock and the interrupt ---- */

enum wake { WAKE_READY, WAKE_NOTHING, WAKE_INTERRUPT, WAKE_BROKEN };

static bool take_interrupt(int fd) {
    char bytes[64];
    return read(fd, bytes, sizeof bytes) >= 0;
}

static enum wake wait_for(const struct waiting *waiting, short events) {
    struct pollfd polled[2] = {{waiting->plm->fd, events, 0},
                               {waiting->call->interrupt_fd, POLLIN, 0}};
    nfds_t n = waiting->call->interrupt_fd > 0 ? 2 : 1;
    int ready = poll(polled, n, poll_timeout(waiting));
    if (ready < 0) return errno == EINTR ? WAKE_NOTHING : WAKE_BROKEN;
    if (n == 2 && polled[1].revents && take_interrupt(polled[1].fd)) return WAKE_INTERRUPT;
    return polled[0].revents ? WAKE_READY : WAKE_NOTHING;
}

/* ---- sending ---- */

/* PLM_OK when all was sent, or nobody takes it: then what the peer said last is still to be read.
 * While it waits, only the clock and the interrupt end it. */
static enum plm_status send_all(struct waiting *waiting, const char *bytes, size_t n) {
    while (n) {
        ssize_t sent = send(waiting->plm->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
            continue;
        }
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return PLM_OK;
        enum wake wake = wait_for(waiting, POLLOUT);
        bool late = waiting->until && now_ms() >= waiting->until;
        if (wake == WAKE_BROKEN) return lost(waiting, "poll failed");
        if (wake != WAKE_INTERRUPT && !late) continue;
        lost(waiting,
             "the request could not be sent in time"); /* half a line cannot be taken back */
        return finish(waiting, wake == WAKE_INTERRUPT ? PLM_INTERRUPTED : PLM_DEADLINE);
    }
    return PLM_OK;
}

static enum plm_status send_request(struct waiting *waiting) {
    const struct plm_call *call = waiting->call;
    struct buf line = {0};
    buf_printf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":", (long long)waiting->id);
    json_quote(&line, (struct text){call->method, strlen(call->method)});
    if (call->params) {
        buf_add_str(&line, ",\"params\":");
        buf_add_str(&line, call->params);
    }
    buf_add_str(&line, "}\n");
    enum plm_status status =
        line.failed ? no_memory(waiting) : send_all(waiting, line.bytes, line.len);
    buf_free(&line);
    return status;
}

/* Asks the daemon to end the call and gives it a moment for the response. */
static enum plm_status send_cancel(struct waiting *waiting, enum plm_status why) {
    struct buf line = {0};
    waiting->ending = why;
    waiting->until = now_ms() + GRACE_MS;
    buf_printf(&line,
               "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":%lld}}\n",
               (long long)waiting->id);
    enum plm_status status =
        line.failed ? no_memory(waiting) : send_all(waiting, line.bytes, line.len);
    buf_free(&line);
    return status;
}

/* ---- receiving ---- */

/* A copy that outlives the line. */
static const char *lend(struct buf *buf, struct text text) {
    buf->len = 0;
    buf_add(buf, text.bytes ? text.bytes : "", text.len);
    return buf->failed ? "" : buf->bytes;
}

static void read_error(struct waiting *waiting, struct text error) {
    struct plm *plm = waiting->plm;
    struct plm_reply *reply = waiting->reply;
    struct text data = span_member(error, "data");
    int64_t code = 0;
    span_integer(&code, span_member(error, "code"));
    reply->code = (int)code;
    plm->message.len = 0;
    if (span_decode(&plm->message, span_member(error, "message")) && plm->message.len)
        reply->message = plm->message.bytes;
    reply->data = lend(&plm->data, data);
    reply->data_len = data.len;
}

static void read_response(struct waiting *waiting, struct text line, struct text result) {
    struct plm_reply *reply = waiting->reply;
    reply->status = result.bytes ? PLM_OK : PLM_REFUSED;
    if (result.bytes) {
        reply->result = lend(&waiting->plm->result, result);
        reply->result_len = result.len;
    } else {
        read_error(waiting, span_member(line, "error"));
    }
    if (waiting->ending != PLM_OK) reply->status = waiting->ending;
}

static void pass_notification(struct waiting *waiting, struct text line, struct text method) {
    struct plm *plm = waiting->plm;
    struct text params = span_member(line, "params");
    int64_t id;
    if (!waiting->call->notify || !span_integer(&id, span_member(params, "id")) ||
        id != waiting->id)
        return;
    plm->method.len = 0;
    if (span_decode(&plm->method, method) && plm->method.len)
        waiting->call->notify(waiting->call->user, plm->method.bytes, params.bytes, params.len);
}

/* Is the line the response to this call? An error with id null is: nothing else was sent. */
static bool take_line(struct waiting *waiting, struct text line) {
    struct text method = span_member(line, "method"), result = span_member(line, "result");
    struct text id = span_member(line, "id");
    int64_t number;
    if (method.bytes) {
        pass_notification(waiting, line, method);
        return false;
    }
    bool ours = span_integer(&number, id) && number == waiting->id;
    bool unnamed = id.len == 4 && memcmp(id.bytes, "null", 4) == 0 && !result.bytes;
    if (!ours && !unnamed) return false; /* a late response to an earlier call */
    read_response(waiting, line, result);
    return true;
}

/* True when the call has ended. */
static bool take_lines(struct waiting *waiting) {
    const char *bytes;
    size_t len;
    for (;;) {
        switch (frames_next(waiting->plm->frames, &bytes, &len)) {
        case FRAME_NONE: return false;
        case FRAME_TOO_LONG: lost(waiting, "the daemon sent an endless line"); return true;
        case FRAME_LINE:
            if (take_line(waiting, (struct text){bytes, len})) return true;
        }
    }
}

/* True when the call has ended. */
static bool receive(struct waiting *waiting) {
    char bytes[READ_SIZE];
    ssize_t n = recv(waiting->plm->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
    if (n <= 0) {
        lost(waiting, n ? strerror(errno) : "the daemon closed the connection");
        return true;
    }
    if (frames_feed(waiting->plm->frames, bytes, (size_t)n)) return take_lines(waiting);
    no_memory(waiting);
    return true;
}

/* ---- a call ---- */

/* Why the call must end now; PLM_OK: it need not. */
static enum plm_status must_end(struct waiting *waiting, enum wake wake) {
    bool cancelled = waiting->plm->cancelled;
    waiting->plm->cancelled = false;
    if (wake == WAKE_INTERRUPT || cancelled) return PLM_INTERRUPTED;
    return waiting->until && now_ms() >= waiting->until ? PLM_DEADLINE : PLM_OK;
}

static enum plm_status wait_response(struct waiting *waiting) {
    for (;;) {
        enum wake wake = wait_for(waiting, POLLIN);
        if (wake == WAKE_BROKEN) return lost(waiting, "poll failed");
        if (wake == WAKE_READY && receive(waiting)) return waiting->reply->status;
        enum plm_status why = must_end(waiting, wake);
        if (why == PLM_OK) continue;
        if (waiting->ending != PLM_OK) return finish(waiting, waiting->ending);
        if (send_cancel(waiting, why) != PLM_OK) return waiting->reply->status;
    }
}

enum plm_status plm_call(struct plm *plm, struct plm_reply *reply, const struct plm_call *call) {
    struct waiting waiting = {plm, reply, call, ++plm->last_id, 0, PLM_OK};
    *reply = (struct plm_reply){.result = "", .message = "", .data = ""};
    if (plm->lost) return lost(&waiting, "the connection was lost");
    plm->cancelled = false;
    if (call->timeout_ms > 0) waiting.until = now_ms() + call->timeout_ms;
    enum plm_status status = send_request(&waiting);
    return status == PLM_OK ? wait_response(&waiting) : status;
}
