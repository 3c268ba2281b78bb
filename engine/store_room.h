/* store_room: the budget of a store's directory; internal to the store. */
#ifndef ENGINE_STORE_ROOM_H
#define ENGINE_STORE_ROOM_H

#include <dirent.h>
#include <time.h>

#include "base/error.h"
#include "engine/key_set.h"

#define STORE_SUFFIX    ".kv"
#define STORE_TEMPORARY ".new-"

struct store_room {
    int dir; /* DIR */
    uint64_t budget, used; /* bytes; `used` as last counted, and our writes since */
    uint64_t unseen;       /* of our writes since: others may have written as much */
    bool counted;
};

/* ERROR_CACHE: it can't be made, or it is not ours alone. */
bool store_room_open(struct store_room *room, const char *dir, uint64_t budget, struct error *error);
void store_room_close(struct store_room *room);

/* Room for so many bytes more: the least recently used files go. `removed` receives the keys of those
 * in `own`, a descriptor of one of the subdirectories. False: there is none. */
bool store_room_make(struct store_room *room, int own, uint64_t bytes, struct key_set *removed);
void store_room_remove(struct store_room *room, int dir, const char *name);

/* A subdirectory to be read, or NULL. */
DIR *store_room_list(int parent, const char *name);
/* "0123456789abcdef.kv" -> its key. */
bool store_room_key(const char *name, uint64_t *key);

struct store_times {
    struct timespec at[2]; /* for futimens: accessed, modified */
};
struct store_times store_room_times(int64_t ns);

#endif
