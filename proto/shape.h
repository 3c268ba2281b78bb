/* shape: checks JSON values against the schemas of the method files.
 *
 * Knows only the JSON Schema keywords that the method files use (shape_known
 * tells; a unit test holds every file to it), and is not meant for schemas of
 * clients: those are the engine's. Reads both sides only, so that several threads
 * may share the schemas.
 */
#ifndef PROTO_SHAPE_H
#define PROTO_SHAPE_H

#include <jansson.h>

#include "base/error.h"
#include "proto/path.h"

/* False with -32602 and the path of the first offence. components: what "#/components/schemas/NAME"
 * refers to. */
bool shape_check(const json_t *schema, const json_t *value, const json_t *components,
                  const struct path *path, struct error *error);

/* Does a schema of ours use known keywords only, and refer to what is there? */
bool shape_known(const json_t *schema, const json_t *components, struct error *error);

#endif
