/* ahead: what follows from where a match stands, by trying. Internal to constrained decoding.
 *
 * Steps threads of its own on the match's machine, whose frames grow and shrink back.
 */
#ifndef ENGINE_AHEAD_H
#define ENGINE_AHEAD_H

#include <stddef.h>

#include "engine/machine.h"

bool ahead_may_end(const struct machine *machine, const struct thread *threads, uint32_t n);
/* The bytes that may come next, at most `enough` of them (in ascending order). */
uint32_t ahead_bytes(const struct machine *machine, const struct thread *threads, uint32_t n,
                     unsigned char *bytes, uint32_t enough);
/* As matcher_forced, matcher_shortest and matcher_closing say. */
size_t ahead_forced(struct machine *machine, const struct thread *threads, uint32_t n, char *bytes,
                    size_t cap);
uint32_t ahead_shortest(const struct machine *machine, const struct thread *threads, uint32_t n);
size_t ahead_closing(struct machine *machine, const struct thread *threads, uint32_t n, char *bytes,
                     size_t cap);

#endif
