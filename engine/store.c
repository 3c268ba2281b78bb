#include "engine/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/checksum.h"
#include "engine/kv.h"
#include "engine/store_room.h"

/* The file begins with this; then the tokens, padded to HEAD_ALIGN; then the block's numbers. */
struct head {
    char magic[8];
    uint64_t checksum; /* of all that follows, to the file's end */
    uint64_t fingerprint, key, data_bytes;
    uint32_t byte_order, numerics, kv_type;
    uint32_t n_layer, n_head_kv, head_dim, tile;
    uint32_t owner, n_tokens;
    uint32_t reserved;
};
_Static_assert(sizeof(struct head) == 80, "no padding, so that every byte is under the checksum");

enum { HEAD_ALIGN = 64, KV_F16 = 1, SUMMED_FROM = 16, FREE_SHARE = 20, NAME_BYTES = 24 };
enum { TEMPORARY_BYTES = 48, TEMPORARY_TRIES = 100 };
static const char magic[8] = "plmkv\r\n\1";

struct store {
    struct store_room room;
    int dir; /* DIR/MODEL */
    struct head same; /* what every file of this model says */
    unsigned serial;  /* of temporary names */
};

/* ---- names ------------------------------------------------------------------------------------- */

static void name_of(uint64_t key, char name[static NAME_BYTES]) {
    snprintf(name, NAME_BYTES, "%016" PRIx64 STORE_SUFFIX, key);
}

bool store_keys(const struct store *store, struct key_set *keys) {
    DIR *dir = store_room_list(store->dir, ".");
    bool ok = dir != NULL;
    for (struct dirent *entry; ok && (entry = readdir(dir));) {
        uint64_t key;
        if (store_room_key(entry->d_name, &key)) ok = key_set_add(keys, key);
    }
    if (dir) closedir(dir);
    return ok;
}

/* ---- opening ----------------------------------------------------------------------------------- */

static struct head same_for(const struct model *model) {
    struct head same = {
        .fingerprint = model->fingerprint,
        .data_bytes = kv_block_bytes(model),
        .byte_order = 0x01020304,
        .numerics = STORE_NUMERICS,
        .kv_type = KV_F16,
        .n_layer = model->n_layer,
        .n_head_kv = model->n_head_kv,
        .head_dim = model->head_dim,
        .tile = KV_TILE,
    };
    memcpy(same.magic, magic, sizeof magic);
    return same;
}

/* DIR/MODEL, ours alone. */
static int open_model_dir(int parent, const struct head *same) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%016" PRIx64, checksum(1, same, sizeof *same));
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

struct store *store_open(const char *dir, uint64_t budget_bytes, const struct model *model,
                         struct error *error) {
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        error_set(error, ERROR_CACHE, "no memory for the cache on disk");
        return NULL;
    }
    store->same = same_for(model);
    store->dir = -1;
    if (store_room_open(&store->room, dir, budget_bytes, error)) {
        store->dir = open_model_dir(store->room.dir, &store->same);
        if (store->dir >= 0) return store;
        error_set(error, ERROR_CACHE, "the cache directory can't be written: %s", strerror(errno));
    }
    store_close(store);
    return NULL;
}

void store_close(struct store *store) {
    if (!store) return;
    store_room_close(&store->room);
    if (store->dir >= 0) close(store->dir);
    free(store);
}

/* ---- the head ---------------------------------------------------------------------------------- */

static size_t head_bytes(uint32_t n_tokens) {
    size_t bytes = sizeof(struct head) + (size_t)n_tokens * sizeof(uint32_t);
    return (bytes + HEAD_ALIGN - 1) / HEAD_ALIGN * HEAD_ALIGN;
}

uint64_t store_file_bytes(const struct store *store, uint32_t n_tokens) {
    return head_bytes(n_tokens) + store->same.data_bytes;
}

void store_count(struct store *store) {
    struct key_set none = {0};
    store_room_make(&store->room, store->dir, 0, &none);
    key_set_free(&none);
}

uint64_t store_bytes(const struct store *store) {
    return store->room.used;
}

/* The head with tokens that a file of this block has, but for the checksum. NULL: no memory. */
static unsigned char *head_new(const struct store *store, const struct store_block *block) {
    unsigned char *bytes = calloc(1, head_bytes(block->n_tokens));
    if (!bytes) return NULL;
    struct head head = store->same;
    head.key = block->key;
    head.owner = block->owner;
    head.n_tokens = block->n_tokens;
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, block->tokens, block->n_tokens * sizeof *block->tokens);
    return bytes;
}

static uint64_t sum_of(const struct store *store, const unsigned char *head, const struct store_block *block) {
    uint64_t sum = checksum(STORE_NUMERICS, head + SUMMED_FROM, head_bytes(block->n_tokens) - SUMMED_FROM);
    return checksum(sum, block->data, store->same.data_bytes);
}

/* ---- whole reads and writes --------------------------------------------------------------------- */

typedef ssize_t transfer(int fd, const struct iovec *parts, int n);

/* Moves both parts to their end. */
static bool move_whole(transfer *move, int fd, void *head, size_t head_len, void *data, size_t data_len) {
    struct iovec parts[2] = {{head, head_len}, {data, data_len}};
    for (int at = 0; at < 2;) {
        ssize_t n = move(fd, parts + at, 2 - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        for (size_t left = (size_t)n; at < 2; at++) {
            size_t step = left < parts[at].iov_len ? left : parts[at].iov_len;
            parts[at].iov_base = (char *)parts[at].iov_base + step;
            parts[at].iov_len -= step;
            left -= step;
            if (parts[at].iov_len) break;
        }
    }
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* An open regular file of the size that the block must have. -1: there is none. */
static int open_block(const struct store *store, const char *name, uint64_t bytes, bool *wrong) {
    struct stat status;
    /* Non-blocking: whatever lies there under the name can't hold us up. */
    int fd = openat(store->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *wrong = fd < 0 && errno == ELOOP;
    if (fd < 0) return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size == bytes) return fd;
    *wrong = true;
    close(fd);
    return -1;
}

/* found: as read; wanted: as it must be, but for the checksum, which is set. */
static bool verify(const struct store *store, const struct store_block *block, const unsigned char *found,
                   unsigned char *wanted) {
    size_t n = head_bytes(block->n_tokens);
    struct head *head = (struct head *)wanted;
    head->checksum = ((const struct head *)found)->checksum;
    return memcmp(found, wanted, n) == 0 && sum_of(store, found, block) == head->checksum;
}

enum store_outcome store_read(struct store *store, const struct store_block *block) {
    char name[NAME_BYTES];
    bool wrong, good = false;
    name_of(block->key, name);
    int fd = open_block(store, name, store_file_bytes(store, block->n_tokens), &wrong);
    if (fd >= 0) {
        size_t n = head_bytes(block->n_tokens);
        unsigned char *wanted = head_new(store, block), *found = malloc(n);
        bool read = wanted && found && move_whole(readv, fd, found, n, block->data, store->same.data_bytes);
        good = read && verify(store, block, found, wanted);
        wrong = read && !good; /* a read that failed may succeed another time */
        if (good) futimens(fd, store_room_times(block->used_ns).at);
        free(wanted);
        free(found);
        close(fd);
    }
    if (wrong) store_room_remove(&store->room, store->dir, name);
    return good ? STORE_DONE : wrong ? STORE_REJECTED : STORE_ABSENT;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* The rest of the machine keeps some room on the file system. */
static bool has_space(const struct store *store, uint64_t bytes) {
    struct statvfs fs;
    if (fstatvfs(store->dir, &fs) != 0) return false;
    return fs.f_bavail * fs.f_frsize >= bytes + fs.f_blocks * fs.f_frsize / FREE_SHARE;
}

static bool write_file(struct store *store, int fd, unsigned char *head, const struct store_block *block) {
    ((struct head *)head)->checksum = sum_of(store, head, block);
    return move_whole(writev, fd, head, head_bytes(block->n_tokens), block->data, store->same.data_bytes) &&
           futimens(fd, store_room_times(block->used_ns).at) == 0 && fdatasync(fd) == 0;
}

/* True if it is there. */
static bool touch_file(struct store *store, const struct store_block *block) {
    char name[NAME_BYTES];
    name_of(block->key, name);
    return utimensat(store->dir, name, store_room_times(block->used_ns).at, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A new file. What a daemon of the same number left, or another store of this one is writing, has such
 * a name too. -1: it can't be made. */
static int make_temporary(struct store *store, char name[static TEMPORARY_BYTES]) {
    int fd = -1;
    for (int i = 0; fd < 0 && i < TEMPORARY_TRIES; i++) {
        snprintf(name, TEMPORARY_BYTES, STORE_TEMPORARY "%ld-%u", (long)getpid(), store->serial++);
        fd = openat(store->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) break;
    }
    return fd;
}

static bool write_renamed(struct store *store, unsigned char *head, const struct store_block *block) {
    char name[NAME_BYTES], temporary[TEMPORARY_BYTES];
    name_of(block->key, name);
    int fd = make_temporary(store, temporary);
    if (fd < 0) return false;
    bool written = write_file(store, fd, head, block);
    written = close(fd) == 0 && written && renameat(store->dir, temporary, store->dir, name) == 0;
    if (!written) unlinkat(store->dir, temporary, 0);
    return written;
}

enum store_outcome store_write(struct store *store, const struct store_block *block,
                               struct key_set *removed) {
    uint64_t bytes = store_file_bytes(store, block->n_tokens);
    if (touch_file(store, block)) return STORE_DONE;
    if (!store_room_make(&store->room, store->dir, bytes, removed) || !has_space(store, bytes))
        return STORE_FAILED;
    unsigned char *head = head_new(store, block);
    bool written = head && write_renamed(store, head, block);
    free(head);
    if (written) store->room.used += bytes, store->room.unseen += bytes;
    return written ? STORE_DONE : STORE_FAILED;
}

void store_sync(struct store *store) {
    fsync(store->dir);
}
