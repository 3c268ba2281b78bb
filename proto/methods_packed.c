#include "proto/methods_packed.h"

#include <stdlib.h>
#include <string.h>

struct unpacking {
    const uint8_t *in, *end;
    char *out;
    size_t n, capacity;
};

static int take_literals(struct unpacking *u, size_t n) {
    if ((size_t)(u->end - u->in) < n || u->capacity - u->n < n) return -1;
    memcpy(u->out + u->n, u->in, n);
    u->in += n;
    u->n += n;
    return 0;
}

/* What is copied may reach into what the copy writes. */
static int take_copy(struct unpacking *u, size_t n) {
    if (u->end - u->in < 2 || u->capacity - u->n < n) return -1;
    size_t distance = u->in[0] + 256u * u->in[1];
    u->in += 2;
    if (distance == 0 || distance > u->n) return -1;
    for (; n > 0; n--, u->n++) u->out[u->n] = u->out[u->n - distance];
    return 0;
}

char *methods_unpack(const struct methods_packed *packed) {
    struct unpacking u = {packed->bytes, packed->bytes + packed->n, NULL, 0, packed->text_bytes};
    int status = 0;
    if (packed->text_bytes == 0 || !(u.out = malloc(packed->text_bytes))) return NULL;
    while (status == 0 && u.in < u.end) {
        size_t token = *u.in++;
        status = token < 128 ? take_literals(&u, token + 1) : take_copy(&u, token - 124);
    }
    if (status == 0 && u.n == u.capacity && u.out[u.n - 1] == '\0') return u.out;
    free(u.out);
    return NULL;
}
