/* log_prompt: the beginning of a prompt in the log, when --log-prompts asks for it. */
#ifndef DAEMON_LOG_PROMPT_H
#define DAEMON_LOG_PROMPT_H

#include <stdint.h>

#include "base/generation.h"

/* Does nothing for a call without prompt. serial: of the connection. Of messages the last one; at
 * most 200 bytes, escaped to printable ASCII. */
void log_prompt(uint64_t serial, const char *method, const struct generation_spec *spec);

#endif
