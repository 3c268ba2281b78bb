#include "engine/loop.h"

#include <string.h>

/* How many of the last tokens, n at most, are what stood `period` before them. */
static size_t repeated(const uint32_t *output, size_t n, size_t period) {
    size_t count = 0;
    while (count + period < n && output[n - 1 - count] == output[n - 1 - count - period]) count++;
    return count;
}

static bool holds(const uint32_t *text, size_t n_text, const uint32_t *part, size_t n_part) {
    for (size_t i = 0; i + n_part <= n_text; i++)
        if (memcmp(text + i, part, n_part * sizeof *part) == 0) return true;
    return false;
}

bool loop_found(const uint32_t *prompt, size_t n_prompt, const uint32_t *output, size_t n_output,
                size_t least, size_t *period) {
    for (*period = 1; *period <= LOOP_PERIOD; ++*period) {
        size_t wanted = (LOOP_TURNS - 1) * *period;
        if (wanted < least) wanted = least;
        if (repeated(output, n_output, *period) >= wanted)
            return !holds(prompt, n_prompt, output + n_output - wanted, wanted);
    }
    return false;
}
