/* verdict: what schema.check finds out, as plain data that proto/ and engine/ share. */
#ifndef BASE_VERDICT_H
#define BASE_VERDICT_H

#include "base/error.h"
#include "base/generation.h"

struct schema_question {
    struct text schema; /* absent: the tools */
    const struct tool *tools;
    size_t n_tools;
    bool widen;           /* on_unsupported: all that can't be honoured is listed, and `accepts` is
                             said of the decoder without it */
    struct text instance; /* absent: about the schema only */
};

struct schema_verdict {
    struct error
        *unsupported; /* path, keyword, reason of each schema that can't be honoured; free() */
    size_t n_unsupported;
    bool asked;   /* there was an instance: */
    bool accepts; /* the decoder could produce exactly this text, in one of its JSON styles */
    bool judged;  /* the validator could be made: */
    bool valid;   /* it finds the text valid */
};

#endif
