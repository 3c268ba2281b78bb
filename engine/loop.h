/* loop: has an answer begun to go round in circles?
 *
 * A greedy model that repeats itself goes on to the end of its budget. Where a
 * grammar could end the value, the decoder ends it once the repetition is beyond
 * doubt. A function of the tokens alone, so that an answer never depends on how it
 * was computed. Any thread.
 */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last tokens of the output repeat, at least LOOP_TURNS times and over `least` tokens beyond the first
 * turn, what *period tokens say; and the prompt does not hold them, so they are no copy. A list of
 * numbers, a matrix of zeros, may well be meant and has to be repeated for longer. */
enum { LOOP_TURNS = 3, LOOP_WORDS = 24, LOOP_LIST = 64, LOOP_PERIOD = 64 };
bool loop_found(const uint32_t *prompt, size_t n_prompt, const uint32_t *output, size_t n_output,
                size_t least, size_t *period);

#endif
