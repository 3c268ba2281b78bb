/* formats: the GGUF block formats that can be computed, as they lie in the file.
 *
 * Everything is bytes, so a block may sit at any address; f16 fields are two bytes,
 * little-endian. weight_format() (kernels.h) knows the names and sizes of all types.
 */
#ifndef KERNELS_FORMATS_H
#define KERNELS_FORMATS_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernels.h"

enum { BLOCK = 32, SUPER = 256 };

struct q4_0 {
    uint8_t d[2];
    uint8_t q[16]; /* low nibbles: values 0..15, high nibbles: 16..31; value - 8 */
};
static_assert(sizeof(struct q4_0) == 18, "Q4_0");

struct q4_1 {
    uint8_t d[2], m[2];
    uint8_t q[16]; /* as Q4_0, without the offset */
};
static_assert(sizeof(struct q4_1) == 20, "Q4_1");

struct q8_0 {
    uint8_t d[2];
    int8_t q[32];
};
static_assert(sizeof(struct q8_0) == 34, "Q8_0");

struct q4_k {
    uint8_t d[2], dmin[2];
    uint8_t scales[12]; /* 8 scales and 8 minimums of 6 bits, see k_scales */
    uint8_t q[128];     /* 4 groups of 32 bytes: low nibbles are sub-block 2g, high ones 2g+1 */
};
static_assert(sizeof(struct q4_k) == 144, "Q4_K");

struct q5_k {
    uint8_t d[2], dmin[2];
    uint8_t scales[12];
    uint8_t high[32]; /* bit j of byte i: fifth bit of value i of sub-block j */
    uint8_t q[128];
};
static_assert(sizeof(struct q5_k) == 176, "Q5_K");

struct q6_k {
    uint8_t low[128];  /* per half of 128: 64 bytes, low nibbles values 0..63, high 64..127 */
    uint8_t high[64];  /* per half: 32 bytes, bits 2g..2g+1 of byte i: top bits of value 32g+i */
    int8_t scales[16]; /* per 16 values */
    uint8_t d[2];
};
static_assert(sizeof(struct q6_k) == 210, "Q6_K");

/* Unpacks Q4_K's and Q5_K's scales: bytes 0..7 of `out` are the scales, 8..15 the minimums.
 * File: bytes 0..3 and 4..7 hold the low six bits of scales and minimums 0..3, and in their top two
 * bits the top of 4..7, whose low nibbles are bytes 8..11 (scale low, minimum high). */
static inline void k_scales(uint8_t out[16], const uint8_t in[12]) {
    uint32_t a, b, c, words[4];
    memcpy(&a, in, 4);
    memcpy(&b, in + 4, 4);
    memcpy(&c, in + 8, 4);
    words[0] = a & 0x3f3f3f3f;
    words[1] = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030);
    words[2] = b & 0x3f3f3f3f;
    words[3] = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
    memcpy(out, words, 16);
}

/* Bytes of one row of k values; k is a multiple of the type's block. */
static inline size_t row_bytes(uint32_t type, size_t k) {
    const struct weight_format *format = weight_format(type);
    return k / format->block * format->block_bytes;
}

#endif
