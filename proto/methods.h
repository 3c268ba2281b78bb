/* methods: the methods of protocol 1, each specified by one file in proto/methods/.
 *
 * The files are embedded in the binary and parsed once, when first needed, by
 * whichever thread comes first; after that the table is read-only and lives as
 * long as the process.
 */
#ifndef PROTO_METHODS_H
#define PROTO_METHODS_H

#include <jansson.h>

#include "proto/proto.h"

struct method_spec {
    enum method method;
    const char *name;              /* as on the wire; several names may mean the same method */
    const json_t *file;            /* the whole file */
    const json_t *params, *result; /* its schemas */
};

struct methods {
    size_t n;
    const json_t *errors;        /* the contract's table: code, name, when, data */
    const json_t *notifications; /* the files of what the daemon sends unasked */
    const json_t *components;    /* what schemas refer to by "#/components/schemas/NAME" */
    struct method_spec specs[];
};

const struct methods *methods_get(void); /* NULL when out of memory */
/* The method of that name (a JSON value); NULL if there is none. */
const struct method_spec *methods_find(const struct methods *methods, const json_t *name);
/* The first file of a method. */
const struct method_spec *methods_spec(const struct methods *methods, enum method method);

#endif
