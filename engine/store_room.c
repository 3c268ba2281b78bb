#include "engine/store_room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_DIGITS = 16, STALE_SECONDS = 600 /* a temporary file of a dead daemon */, MODEL_NAME = 16,
       UNSEEN_SHARE = 16 /* of the budget is written between two counts */ };

/* ---- opening ----------------------------------------------------------------------------------- */

static bool refuse(struct error *error, const char *what) {
    return error_set(error, ERROR_CACHE, "the cache directory %s: %s", what, strerror(errno));
}

/* Makes dir and what is missing above it. */
static bool make_path(const char *dir) {
    char path[PATH_MAX];
    if (strlen(dir) >= sizeof path) {
        errno = ENAMETOOLONG;
        return false;
    }
    strcpy(path, dir);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES) return false;
        *slash = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool store_room_open(struct store_room *room, const char *dir, uint64_t budget, struct error *error) {
    struct stat status;
    *room = (struct store_room){.dir = -1, .budget = budget};
    if (!make_path(dir)) return refuse(error, "can't be made");
    room->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (room->dir < 0 || fstat(room->dir, &status) != 0) return refuse(error, "can't be opened");
    if (status.st_uid != geteuid() || (status.st_mode & 077))
        return error_set(error, ERROR_CACHE,
                         "the cache directory must belong to the daemon's user and be closed to others (mode 0700)");
    return true;
}

void store_room_close(struct store_room *room) {
    if (room->dir >= 0) close(room->dir);
    room->dir = -1;
}

/* ---- names and times --------------------------------------------------------------------------- */

bool store_room_key(const char *name, uint64_t *key) {
    *key = 0;
    for (int i = 0; i < KEY_DIGITS; i++) {
        const char *digits = "0123456789abcdef", *digit = name[i] ? strchr(digits, name[i]) : NULL;
        if (!digit) return false;
        *key = *key << 4 | (uint64_t)(digit - digits);
    }
    return strcmp(name + KEY_DIGITS, STORE_SUFFIX) == 0;
}

struct store_times store_room_times(int64_t ns) {
    struct timespec at = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return (struct store_times){{at, at}};
}

/* ---- what is there ----------------------------------------------------------------------------- */

struct entry {
    int64_t used_ns;
    uint64_t bytes;
    char model[MODEL_NAME + 1], name[KEY_DIGITS + sizeof STORE_SUFFIX];
};

struct listing {
    struct entry *of;
    size_t n, cap;
    uint64_t bytes;
};

static struct entry *listing_add(struct listing *list) {
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 256;
        struct entry *of = realloc(list->of, cap * sizeof *of);
        if (!of) return NULL;
        list->of = of;
        list->cap = cap;
    }
    return &list->of[list->n++];
}

/* One file of a model: counted, or, left over by a daemon that died, removed. */
static bool list_file(struct listing *list, int dir, const char *model, const char *name) {
    struct stat status;
    uint64_t key;
    bool temporary = strncmp(name, STORE_TEMPORARY, strlen(STORE_TEMPORARY)) == 0;
    if (!temporary && !store_room_key(name, &key)) return true;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
    if (temporary) {
        if (time(NULL) - status.st_mtim.tv_sec > STALE_SECONDS) unlinkat(dir, name, 0);
        return true;
    }
    struct entry *entry = listing_add(list);
    if (!entry) return false;
    entry->used_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    entry->bytes = (uint64_t)status.st_size;
    memcpy(entry->model, model, sizeof entry->model);
    memcpy(entry->name, name, sizeof entry->name);
    list->bytes += entry->bytes;
    return true;
}

DIR *store_room_list(int parent, const char *name) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0) close(fd);
    return dir;
}

static bool list_model(struct listing *list, int parent, const char *model) {
    DIR *dir = store_room_list(parent, model);
    bool ok = true;
    for (struct dirent *entry; dir && ok && (entry = readdir(dir));)
        ok = list_file(list, dirfd(dir), model, entry->d_name);
    if (dir) closedir(dir);
    return ok;
}

static bool list_all(const struct store_room *room, struct listing *list) {
    DIR *dir = store_room_list(room->dir, ".");
    bool ok = dir != NULL;
    for (struct dirent *entry; ok && (entry = readdir(dir));)
        if (strlen(entry->d_name) == MODEL_NAME) ok = list_model(list, room->dir, entry->d_name);
    if (dir) closedir(dir);
    return ok;
}

/* ---- making room ------------------------------------------------------------------------------- */

static int older(const void *left, const void *right) {
    const struct entry *a = left, *b = right;
    return (a->used_ns > b->used_ns) - (a->used_ns < b->used_ns);
}

void store_room_remove(struct store_room *room, int dir, const char *name) {
    struct stat status;
    uint64_t bytes = fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)status.st_size : 0;
    if (unlinkat(dir, name, 0) == 0 || (errno == EISDIR && unlinkat(dir, name, AT_REMOVEDIR) == 0))
        room->used -= bytes < room->used ? bytes : room->used;
}

static bool same_dir(int own, int dir) {
    struct stat a, b;
    return fstat(own, &a) == 0 && fstat(dir, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void evict(struct store_room *room, int own, const struct entry *entry, struct key_set *removed) {
    int dir = openat(room->dir, entry->model, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t key;
    if (dir < 0) return;
    store_room_remove(room, dir, entry->name);
    if (same_dir(own, dir) && store_room_key(entry->name, &key)) key_set_add(removed, key);
    close(dir);
}

/* Down to nine tenths of the budget, so that it is not done for every file. */
static bool trim(struct store_room *room, int own, uint64_t bytes, struct key_set *removed) {
    struct listing list = {0};
    bool ok = list_all(room, &list);
    if (ok) {
        room->used = list.bytes;
        room->counted = true;
        room->unseen = 0;
        if (room->used + bytes > room->budget) {
            qsort(list.of, list.n, sizeof *list.of, older);
            for (size_t i = 0; i < list.n && room->used + bytes > room->budget / 10 * 9; i++)
                evict(room, own, &list.of[i], removed);
        }
    }
    free(list.of);
    return ok;
}

bool store_room_make(struct store_room *room, int own, uint64_t bytes, struct key_set *removed) {
    if (bytes > room->budget / 10 * 9) return false;
    bool recent = room->counted && room->unseen + bytes <= room->budget / UNSEEN_SHARE;
    if (recent && room->used + bytes <= room->budget) return true;
    return trim(room, own, bytes, removed) && room->used + bytes <= room->budget;
}
