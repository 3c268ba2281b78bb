/* pretok_stages: the stages that pre-tokenizers are made of.
 *
 * A stage cuts text into pieces that leave nothing out. It is one of two kinds:
 * `piece` cuts whole words; `match` isolates what one expression matches, and
 * what lies between matches is a piece too. Private to the pretok files.
 */
#ifndef ENGINE_PRETOK_STAGES_H
#define ENGINE_PRETOK_STAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pretok_stage {
    /* Bytes of the first piece of n > 0 bytes, at least 1. */
    size_t (*piece)(const struct pretok_stage *stage, const char *text, size_t n);
    /* Bytes that the expression matches right at the start of n bytes (0: none). */
    size_t (*match)(const struct pretok_stage *stage, const char *text, size_t n);
    uint8_t letters;    /* unicode_flags that make a word */
    uint8_t max_digits; /* digits a piece, 0: any number */
    bool contractions;  /* 's, 't, 're, ... are pieces of their own, whatever their case */
    bool slash;         /* slashes may follow punctuation as line ends may */
    const char *extra;  /* ASCII characters that count as punctuation besides \p{P} */
};
/* An array of stages ends with an empty one. */

/* \s*[\r\n]+ at the start, else \s+(?!\S)|\s+, else 0 */
size_t pretok_spaces(const char *text, size_t n);
size_t pretok_stage_piece(const struct pretok_stage *stage, const char *text, size_t n);

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
size_t pretok_piece_gpt2(const struct pretok_stage *stage, const char *text, size_t n);
/* (?i:'s|...)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,k}|
 * ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ with \p{L} as `letters` says. */
size_t pretok_piece_words(const struct pretok_stage *stage, const char *text, size_t n);
/* The same with words cut where lower case turns to upper case, contractions staying with them. */
size_t pretok_piece_cased(const struct pretok_stage *stage, const char *text, size_t n);
/* [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
 * \s*[\r\n]+|\s+(?!\S)|\s+ */
size_t pretok_match_deepseek3(const struct pretok_stage *stage, const char *text, size_t n);
/* \s+$ isolated */
size_t pretok_piece_trailing_space(const struct pretok_stage *stage, const char *text, size_t n);

size_t pretok_match_digits(const struct pretok_stage *stage, const char *text, size_t n);
/* [0-9][0-9][0-9] */
size_t pretok_match_three_digits(const struct pretok_stage *stage, const char *text, size_t n);
/* [\p{P}extra]+ */
size_t pretok_match_punctuation(const struct pretok_stage *stage, const char *text, size_t n);
/* [\r\n] */
size_t pretok_match_line_end(const struct pretok_stage *stage, const char *text, size_t n);
/* \s?[letters]+ with `letters` as flags */
size_t pretok_match_spaced_run(const struct pretok_stage *stage, const char *text, size_t n);
/* \s?[cased letters, but for some blocks]+ */
size_t pretok_match_deepseek_letters(const struct pretok_stage *stage, const char *text, size_t n);
/* \s?[!-/:-~ and their full-width and typographic kin]+ */
size_t pretok_match_deepseek_punctuation(const struct pretok_stage *stage, const char *text,
                                         size_t n);
/* [U+0800-U+9FA5 U+AC00-U+D7FF]+ */
size_t pretok_match_deepseek_cjk(const struct pretok_stage *stage, const char *text, size_t n);
/* [U+4E00-U+9FA5 U+3040-U+309F U+30A0-U+30FF]+ */
size_t pretok_match_deepseek3_cjk(const struct pretok_stage *stage, const char *text, size_t n);

#endif
