/* KV blocks on disk: what is read back is what was written for exactly these tokens, this owner and
 * this model, or it is nothing; whatever happened to the file, the directory or the disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "engine/checksum.h"
#include "engine/engine_state.h"
#include "engine/store.h"
#include "tests/support.h"
#include "tests/unit/engine/model_builder.h"

enum { SHAPE_LAYERS = 2, SHAPE_HEADS = 1, SHAPE_DIM = 8, N_TOKENS = 64, BUDGET = 1 << 20 };
enum { BLOCK_VALUES = SHAPE_LAYERS * SHAPE_HEADS * 2 * KV_TILE * SHAPE_DIM };

static char dir[64];

static void make_dir(void) {
    strcpy(dir, "/tmp/plm-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void) {
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", dir, dir);
    ck_assert_int_eq(system(command), 0);
}

/* ---- what the store is given ---- */

static struct model shape(uint64_t fingerprint) {
    return (struct model){.n_layer = SHAPE_LAYERS, .n_head_kv = SHAPE_HEADS, .head_dim = SHAPE_DIM,
                          .fingerprint = fingerprint};
}

static struct store *opened(uint64_t fingerprint, uint64_t budget) {
    struct error error = {0};
    struct model model = shape(fingerprint);
    struct store *store = store_open(dir, budget, &model, &error);
    ck_assert_msg(store != NULL, "%s", error.message);
    return store;
}

static uint32_t tokens[N_TOKENS];
static uint16_t written[BLOCK_VALUES], found[BLOCK_VALUES];

static struct store_block block_of(uint64_t key, uint32_t owner, uint16_t *data) {
    for (uint32_t i = 0; i < N_TOKENS; i++) tokens[i] = i * 7;
    for (uint32_t i = 0; data == written && i < BLOCK_VALUES; i++) data[i] = (uint16_t)(i * 31 + key);
    if (data == found) memset(found, 0, sizeof found);
    return (struct store_block){key, tokens, N_TOKENS, owner, data, (int64_t)key * 1000000000};
}

static enum store_outcome write_block(struct store *store, uint64_t key, uint32_t owner) {
    struct key_set removed = {0};
    struct store_block block = block_of(key, owner, written);
    enum store_outcome outcome = store_write(store, &block, &removed);
    key_set_free(&removed);
    return outcome;
}

static enum store_outcome read_block(struct store *store, uint64_t key, uint32_t owner) {
    struct store_block block = block_of(key, owner, found);
    return store_read(store, &block);
}

/* DIR/MODEL/KEY.kv of the only model; with name NULL the folder. */
static const char *path_of(const char *name) {
    static char path[2][300];
    static int turn;
    char *out = path[turn++ % 2];
    DIR *list = opendir(dir);
    for (struct dirent *entry; (entry = readdir(list));)
        if (entry->d_name[0] != '.') snprintf(out, sizeof *path, "%s/%.20s%.1s%.40s", dir, entry->d_name,
                                              name ? "/" : "", name ? name : "");
    closedir(list);
    return out;
}

static size_t count_files(void) {
    size_t n = 0;
    DIR *list = opendir(path_of(NULL));
    for (struct dirent *entry; (entry = readdir(list));) n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(list);
    return n;
}

#define ONE "0000000000000001.kv"
#define TWO "0000000000000002.kv"

/* ---- the parts ---- */

START_TEST(keys_are_a_set) {
    enum { KEYS = 300, STEPS = 40000 };
    struct key_set set = {0};
    bool there[KEYS] = {false};
    unsigned random = 5;
    size_t n = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t i = (unsigned)(random = random * 1103515245 + 12345) / 65536 % KEYS, key = i % 3 ? i << 4 : hash_mix(9, i) | 1ull << 63;
        if (key == 1) continue;
        ck_assert(key_set_has(&set, key) == there[i]);
        if (random >> 8 & 1) {
            ck_assert(key_set_add(&set, key));
            n += !there[i];
            there[i] = true;
        } else {
            key_set_remove(&set, key);
            n -= there[i];
            there[i] = false;
        }
        ck_assert_uint_eq(set.n, n);
    }
    key_set_free(&set);
}
END_TEST

START_TEST(checksum_sees_each_bit) {
    unsigned char bytes[150] = {0};
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        uint64_t sum = checksum(3, bytes, n);
        if (n) ck_assert(sum != checksum(3, bytes, n - 1));
        ck_assert(sum != checksum(4, bytes, n));
        for (size_t bit = 0; bit < n * 8; bit++) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            ck_assert(sum != checksum(3, bytes, n));
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
    unsigned char swapped[64];
    memcpy(swapped, bytes + 32, 32);
    memcpy(swapped + 32, bytes, 32);
    ck_assert(checksum(3, bytes, 64) != checksum(3, swapped, 64));
}
END_TEST

START_TEST(reads_what_was_written) {
    struct store *store = opened(1, BUDGET);
    ck_assert_int_eq(read_block(store, 1, 0), STORE_ABSENT);
    ck_assert_int_eq(write_block(store, 1, 0), STORE_DONE);
    ck_assert_int_eq(write_block(store, 1, 0), STORE_DONE); /* there already */
    ck_assert_int_eq(read_block(store, 1, 0), STORE_DONE);
    ck_assert_mem_eq(found, written, sizeof written);
    ck_assert_uint_eq(count_files(), 1);
    struct stat status;
    ck_assert_int_eq(stat(path_of(ONE), &status), 0);
    ck_assert_uint_eq((uint64_t)status.st_size, store_file_bytes(store, N_TOKENS));
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    store_close(store);
    store = opened(1, BUDGET); /* another life */
    struct key_set keys = {0};
    ck_assert(store_keys(store, &keys));
    ck_assert(keys.n == 1 && key_set_has(&keys, 1));
    key_set_free(&keys);
    ck_assert_int_eq(read_block(store, 1, 0), STORE_DONE);
    store_close(store);
}
END_TEST

START_TEST(only_for_the_same) {
    struct store *store = opened(1, BUDGET);
    ck_assert_int_eq(write_block(store, 1, 5), STORE_DONE);
    ck_assert_int_eq(read_block(store, 1, 6), STORE_REJECTED); /* another owner's */
    ck_assert_int_eq(write_block(store, 1, 5), STORE_DONE);
    struct store_block block = block_of(1, 5, found);
    tokens[3]++; /* other tokens with the same hash */
    ck_assert_int_eq(store_read(store, &block), STORE_REJECTED);
    ck_assert_int_eq(write_block(store, 1, 5), STORE_DONE);
    block = block_of(1, 5, found);
    block.n_tokens = 32;
    ck_assert_int_eq(store_read(store, &block), STORE_REJECTED);
    ck_assert_int_eq(write_block(store, 1, 5), STORE_DONE);
    char from[300];
    strcpy(from, path_of(ONE));
    ck_assert_int_eq(rename(from, path_of(TWO)), 0); /* under another name */
    ck_assert_int_eq(read_block(store, 2, 5), STORE_REJECTED);
    ck_assert_uint_eq(count_files(), 0);
    ck_assert_int_eq(write_block(store, 1, 5), STORE_DONE);
    struct store *other = opened(2, BUDGET); /* another model does not see it */
    ck_assert_int_eq(read_block(other, 1, 5), STORE_ABSENT);
    store_close(other);
    store_close(store);
}
END_TEST

/* One byte of the file changed, at many places. */
START_TEST(damage_is_seen) {
    struct store *store = opened(1, BUDGET);
    size_t bytes = store_file_bytes(store, N_TOKENS);
    for (size_t at = 0; at < bytes; at += at < 512 ? 1 : 61) {
        ck_assert_int_eq(write_block(store, 1, 0), STORE_DONE);
        int fd = open(path_of(ONE), O_RDWR);
        unsigned char byte;
        ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
        byte ^= (unsigned char)(1 << at % 8);
        ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
        close(fd);
        ck_assert_msg(read_block(store, 1, 0) == STORE_REJECTED, "byte %zu", at);
        ck_assert_int_eq(read_block(store, 1, 0), STORE_ABSENT); /* it was removed */
    }
    for (size_t size = 0; size < bytes + 64; size += size < 256 ? 16 : 997) {
        if (size == bytes) continue;
        ck_assert_int_eq(write_block(store, 1, 0), STORE_DONE);
        ck_assert_int_eq(truncate(path_of(ONE), (off_t)size), 0);
        ck_assert_int_eq(read_block(store, 1, 0), STORE_REJECTED);
    }
    store_close(store);
}
END_TEST

/* Under the name lies something that is no file. */
START_TEST(what_is_no_file) {
    struct store *store = opened(1, BUDGET);
    const char *path = path_of(ONE);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(read_block(store, 1, 0), STORE_REJECTED); /* and does not hang */
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(read_block(store, 1, 0), STORE_REJECTED);
    ck_assert_int_eq(write_block(store, 1, 0), STORE_DONE);
    char real[300];
    snprintf(real, sizeof real, "%s/elsewhere", dir);
    ck_assert_int_eq(rename(path, real), 0);
    ck_assert_int_eq(symlink(real, path), 0);
    ck_assert_int_eq(read_block(store, 1, 0), STORE_REJECTED);
    ck_assert_int_eq(access(real, F_OK), 0);
    ck_assert_int_eq(write_block(store, 1, 0), STORE_DONE);
    ck_assert_int_eq(read_block(store, 1, 0), STORE_DONE);
    store_close(store);
}
END_TEST

static const char *refusal(const char *path) {
    static struct error error;
    struct model model = shape(1);
    error = (struct error){0};
    ck_assert_ptr_null(store_open(path, BUDGET, &model, &error));
    ck_assert_int_eq(error.code, ERROR_CACHE);
    return error.message;
}

START_TEST(directory_is_ours_alone) {
    char inner[128], file[128];
    snprintf(inner, sizeof inner, "%s/a/b", dir);
    struct model model = shape(1);
    struct error error = {0};
    struct store *store = store_open(inner, BUDGET, &model, &error); /* made with what is above it */
    ck_assert_ptr_nonnull(store);
    store_close(store);
    ck_assert_int_eq(chmod(inner, 0750), 0);
    ck_assert_ptr_nonnull(strstr(refusal(inner), "closed to others"));
    snprintf(file, sizeof file, "%s/file", dir);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    ck_assert_ptr_nonnull(strstr(refusal(file), "can't be"));
    snprintf(inner, sizeof inner, "%s/file/below", dir);
    ck_assert_ptr_nonnull(strstr(refusal(inner), "can't be made"));
    ck_assert_ptr_nonnull(strstr(refusal("/proc/plm"), "can't be made"));
    if (geteuid() == 0) {
        snprintf(inner, sizeof inner, "%s/other", dir);
        ck_assert(mkdir(inner, 0700) == 0 && chown(inner, 12345, 12345) == 0);
        ck_assert_ptr_nonnull(strstr(refusal(inner), "belong to the daemon's user"));
    }
}
END_TEST

/* ---- the budget ---- */

START_TEST(least_recently_used_go) {
    struct store *store = opened(1, 0);
    uint64_t one = store_file_bytes(store, N_TOKENS);
    ck_assert_int_eq(write_block(store, 1, 0), STORE_FAILED); /* no room at all */
    store_close(store);
    store = opened(1, one * 20);
    for (uint64_t key = 1; key <= 20; key++) ck_assert_int_eq(write_block(store, key, 0), STORE_DONE);
    ck_assert_uint_eq(store_bytes(store), one * 20);
    struct store_block block = block_of(1, 0, found);
    block.used_ns = INT64_C(100) * 1000000000;
    ck_assert_int_eq(store_read(store, &block), STORE_DONE); /* 1 is the youngest now */
    struct key_set removed = {0};
    block = block_of(21, 0, written);
    ck_assert_int_eq(store_write(store, &block, &removed), STORE_DONE);
    ck_assert_uint_eq(removed.n, 3); /* down to nine tenths */
    for (uint64_t key = 2; key <= 4; key++) ck_assert(key_set_has(&removed, key));
    key_set_free(&removed);
    for (uint64_t key = 1; key <= 21; key++)
        ck_assert_int_eq(read_block(store, key, 0), key >= 2 && key <= 4 ? STORE_ABSENT : STORE_DONE);
    store_close(store);
}
END_TEST

/* The budget is the directory's: other models' files count and go too. */
START_TEST(budget_of_all_models) {
    struct store *a = opened(1, BUDGET), *b;
    uint64_t one = store_file_bytes(a, N_TOKENS);
    for (uint64_t key = 1; key <= 5; key++) ck_assert_int_eq(write_block(a, key, 0), STORE_DONE);
    b = opened(2, one * 10);
    for (uint64_t key = 11; key <= 17; key++) ck_assert_int_eq(write_block(b, key, 0), STORE_DONE);
    int left = 0;
    for (uint64_t key = 1; key <= 5; key++) left += read_block(a, key, 0) == STORE_DONE;
    ck_assert_int_le(left, 3);
    for (uint64_t key = 11; key <= 17; key++) ck_assert_int_eq(read_block(b, key, 0), STORE_DONE);
    store_close(a);
    store_close(b);
}
END_TEST

/* Also while several write at once. */
START_TEST(budget_of_several_writers) {
    enum { FILES = 64, WRITERS = 3 };
    struct store *stores[WRITERS];
    uint64_t one = 0, all = 0;
    for (uint64_t i = 0; i < WRITERS; i++) {
        stores[i] = opened(1 + i, 0);
        one = store_file_bytes(stores[i], N_TOKENS);
        store_close(stores[i]);
        stores[i] = opened(1 + i, one * FILES);
    }
    for (uint64_t key = 1; key <= WRITERS * (FILES - 4); key++)
        ck_assert_int_eq(write_block(stores[key % WRITERS], key, 0), STORE_DONE);
    for (int i = 0; i < WRITERS; i++) {
        struct key_set keys = {0};
        ck_assert(store_keys(stores[i], &keys));
        all += keys.n;
        key_set_free(&keys);
        store_close(stores[i]);
    }
    ck_assert_uint_gt(all, FILES / 2);
    ck_assert_uint_le(all, FILES + FILES / 16 * WRITERS);
}
END_TEST

START_TEST(what_a_crash_left) {
    struct store *store = opened(1, BUDGET);
    char path[300];
    snprintf(path, sizeof path, "%s/.new-1-1", path_of(NULL));
    close(open(path, O_CREAT | O_WRONLY, 0600));
    struct timespec old[2] = {{time(NULL) - 10000, 0}, {time(NULL) - 10000, 0}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    struct key_set keys = {0};
    ck_assert(store_keys(store, &keys) && keys.n == 0);
    store_count(store);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_eq(store_bytes(store), 0);
    store_close(store);
}
END_TEST

/* A process of the same number died, or another store of this process writes the same model. */
START_TEST(temporary_names_are_taken) {
    struct store *store = opened(1, BUDGET);
    char path[300];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/.new-%ld-%d", path_of(NULL), (long)getpid(), i);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    ck_assert_int_eq(write_block(store, 1, 0), STORE_DONE);
    ck_assert_int_eq(read_block(store, 1, 0), STORE_DONE);
    ck_assert_uint_eq(count_files(), 4);
    store_close(store);
}
END_TEST

/* ---- a disk that fails ---- */

/* In a process of its own, whose files may not grow beyond a limit. */
static void write_limited(uint64_t limit) {
    pid_t child = fork();
    if (child == 0) {
        struct rlimit small = {limit, limit};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        struct model model = shape(1);
        struct error error = {0};
        struct store *store = store_open(dir, BUDGET, &model, &error);
        _exit(store && write_block(store, 1, 0) == STORE_FAILED ? 0 : 1);
    }
    int status;
    ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(failed_writes_leave_nothing) {
    struct store *store = opened(1, BUDGET);
    size_t bytes = store_file_bytes(store, N_TOKENS);
    for (uint64_t limit = 0; limit < bytes; limit += 701) {
        write_limited(limit);
        ck_assert_uint_eq(count_files(), 0);
    }
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(path_of(NULL), 0500), 0);
        ck_assert_int_eq(write_block(store, 1, 0), STORE_FAILED);
    }
    store_close(store);
}
END_TEST

/* Writers that are killed at any instant: what is there is whole. */
START_TEST(killed_writers) {
    for (int round = 0; round < 40; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct model model = shape(1);
            struct error error = {0};
            struct store *store = store_open(dir, BUDGET, &model, &error);
            for (uint64_t key = 1;; key++) write_block(store, key % 50 + 1, 0);
        }
        usleep((useconds_t)(1000 + round * 300));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        struct store *store = opened(1, BUDGET);
        struct key_set keys = {0};
        ck_assert(store_keys(store, &keys));
        for (uint64_t key = 1; key <= 50; key++)
            ck_assert_int_eq(read_block(store, key, 0), key_set_has(&keys, key) ? STORE_DONE : STORE_ABSENT);
        key_set_free(&keys);
        store_close(store);
        remove_dir();
        make_dir();
    }
}
END_TEST

/* ---- the version of the numbers ---- */

/* Of the KV of a few tokens of a model, as it will lie on disk. */
static uint64_t sum_of_kv(const char *path) {
    struct error error = {0};
    struct engine_settings settings = {.model_path = path, .threads = 1, .n_ctx = 64};
    struct engine *engine = engine_new(&settings, &error);
    ck_assert_msg(engine != NULL, "%s", error.message);
    struct sequence *sequence = engine_sequence_new(engine, &error);
    uint32_t ids[40];
    for (uint32_t i = 0; i < 40; i++) ids[i] = (i * 5 + 7) % 260;
    ck_assert(engine_sequence_extend(engine, sequence, ids, 40, NULL, 0, &error));
    uint64_t sum = checksum(0, sequence->blocks[0]->data, engine->kv.block_values * sizeof(uint16_t));
    engine_sequence_free(engine, sequence);
    engine_free(engine);
    return sum;
}

/* When this fails on purpose: count STORE_NUMERICS up and put the new sums here. */
START_TEST(numbers_have_a_version) {
    char path[] = "/tmp/plm-store-model-XXXXXX";
    write_model(path);
    uint64_t tiny = sum_of_kv(path);
    unlink(path);
    ck_assert_int_eq(STORE_NUMERICS, 1);
    ck_assert_msg(tiny == UINT64_C(0x2a87f2a2cecdaee4), "tiny model: %#jx", (uintmax_t)tiny);
    if (getenv("PLM_TEST_MODEL") || !present(model_file())) return;
    uint64_t real = sum_of_kv(model_file());
    ck_assert_msg(real == UINT64_C(0xa2282eb5270eedd7), "SmolLM2 Q4_1: %#jx", (uintmax_t)real);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("store");
    TCase *files = tcase_create("files"), *numbers = tcase_create("numbers");
    tcase_add_checked_fixture(files, make_dir, remove_dir);
    tcase_set_timeout(files, 120);
    tcase_add_test(files, keys_are_a_set);
    tcase_add_test(files, checksum_sees_each_bit);
    tcase_add_test(files, reads_what_was_written);
    tcase_add_test(files, only_for_the_same);
    tcase_add_test(files, damage_is_seen);
    tcase_add_test(files, what_is_no_file);
    tcase_add_test(files, directory_is_ours_alone);
    tcase_add_test(files, least_recently_used_go);
    tcase_add_test(files, budget_of_all_models);
    tcase_add_test(files, budget_of_several_writers);
    tcase_add_test(files, what_a_crash_left);
    tcase_add_test(files, temporary_names_are_taken);
    tcase_add_test(files, failed_writes_leave_nothing);
    tcase_add_test(files, killed_writers);
    tcase_add_test(numbers, numbers_have_a_version);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, numbers);
    return run_suite(suite);
}
