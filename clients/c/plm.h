/* plm: a C client of plmd.
 *
 *     char why[256];
 *     struct plm *plm = plm_open(NULL, why, sizeof why);
 *     struct plm_call call = {.method = "health"};
 *     struct plm_reply reply;
 *     if (plm_call(plm, &reply, &call) == PLM_OK) fwrite(reply.result, 1, reply.result_len,
 * stdout); plm_close(plm);
 *
 * One struct plm is one connection with one call at a time; use one for each
 * thread. Calls block until the daemon has answered, the call's timeout has
 * passed, or it was cancelled. Params and results are JSON text: what they hold is
 * the protocol's matter (`plmctl call rpc.discover` describes it). Nothing here
 * prints, exits, or touches signal handlers.
 */
#ifndef PLM_H
#define PLM_H

#include <stddef.h>
#include <stdint.h>

struct plm;

enum plm_status {
    PLM_OK,          /* reply.result */
    PLM_REFUSED,     /* the daemon answered with an error: reply.code, message, data */
    PLM_DEADLINE,    /* the timeout passed; the call was cancelled */
    PLM_INTERRUPTED, /* interrupt_fd or plm_cancel ended the call */
    PLM_LOST,        /* the connection broke, or the peer does not speak the protocol */
    PLM_NO_MEMORY,
};

struct plm_call {
    const char *method;
    const char *params; /* JSON object on one line; NULL: none */
    int64_t timeout_ms; /* 0: none */
    /* A descriptor that becomes readable to cancel the call (a pipe that a signal handler writes
     * to); it must not block, and what is in it is read. 0: none. */
    int interrupt_fd;
    /* Called for every notification of this call, "token" and "progress", as asked for in params.
     * method is NUL-terminated; params is JSON text, borrowed for the call. NULL: they are dropped.
     */
    void (*notify)(void *user, const char *method, const char *params, size_t params_len);
    void *user;
};

/* Borrowed from the connection until its next call or its end; strings are NUL-terminated, and ""
 * where there is nothing. After PLM_DEADLINE and PLM_INTERRUPTED it holds the daemon's last word
 * (error 1010 with the partial result in data, or a result that was faster) if that came in time.
 */
struct plm_reply {
    enum plm_status status;
    const char *result; /* JSON text */
    size_t result_len;
    int code;            /* of the error; 0: none */
    const char *message; /* of the error, or what went wrong here */
    const char *data;    /* JSON text of the error's data */
    size_t data_len;
};

/* Connects to a daemon: at socket, if given; else at $PLM_SOCKET, if set; else at the user's socket
 * ($XDG_RUNTIME_DIR/plmd/plmd.sock) or the system's (/run/plmd/plmd.sock), whichever answers first.
 * NULL when there is none: `why` then says what was tried. */
struct plm *plm_open(const char *socket, char *why, size_t why_size);
/* Over a connected stream socket, which the result owns, also on failure. NULL when out of memory.
 */
struct plm *plm_open_fd(int fd);
void plm_close(struct plm *plm);

/* Sends a request and waits for its response. Returns reply->status. A call that ends by timeout or
 * interruption sends a cancel and waits a moment (2 s; a second interruption ends the wait) for the
 * response. After PLM_LOST every further call returns it too. */
enum plm_status plm_call(struct plm *plm, struct plm_reply *reply, const struct plm_call *call);

/* Cancels the running call; from inside its notify function only. */
void plm_cancel(struct plm *plm);

#endif
