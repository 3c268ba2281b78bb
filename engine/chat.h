/* chat: how conversations and tools become a prompt.
 *
 * ChatML is built in, with a tool prompt of its own for models whose template
 * knows no tools. A model with another template has kind CHAT_OTHER: messages are
 * refused with 1013, raw completion works. Immutable after chat_init.
 */
#ifndef ENGINE_CHAT_H
#define ENGINE_CHAT_H

#include "base/buf.h"
#include "base/generation.h"
#include "engine/grammar.h"
#include "engine/tokenizer.h"

enum chat_kind { CHAT_NONE, CHAT_CHATML, CHAT_OTHER };

struct chat {
    enum chat_kind kind;
    const struct vocab *vocab;
    uint32_t start, end;        /* <|im_start|>, <|im_end|> */
    struct text default_system; /* what the model's template says when no system message leads */
};

void chat_init(struct chat *chat, const struct gguf *gguf, const struct vocab *vocab);

/* How calls are written after this chat's prompt. */
struct grammar_syntax chat_syntax(const struct chat *chat, enum json_style style);

/* Renders spec's messages and tools up to the assistant's turn. text (may be NULL) receives the prompt as text,
 * tokens (may be NULL) its ids: special tokens come from the template alone, never from content.
 * Errors: 1013, -32602 (tool schemas that are not JSON), 1007. */
bool chat_render(const struct chat *chat, const struct generation_spec *spec, struct buf *text,
                 struct tokens *tokens, struct error *error);

#endif
