/* tile, AVX-512: a panel of 32 weight rows times a tile of up to 6 activation rows, all of whose
 * sums stay in registers. One function body a format, compiled once for every tile height. */
#include "kernels/avx512/tile.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 load_y(const float *y, __mmask16 rows, bool more) {
    return more ? _mm512_maskz_loadu_ps(rows, y) : _mm512_setzero_ps();
}

INLINE __m512i broadcast4(const void *bytes) {
    int32_t word;
    memcpy(&word, bytes, sizeof word);
    return _mm512_set1_epi32(word);
}

/* The next tile, while this one is read: large batches stream through from the L3 cache. */
INLINE void prefetch_tile(const char *p, size_t n) {
    for (size_t i = 0; i < n; i += 64) _mm_prefetch(p + i, _MM_HINT_T0);
}

/* acc[i] += the products of STEPS * 4 values: q is [STEPS][PANEL][4]. */
INLINE void dot_steps(__m512i acc[][2], const uint8_t *q, const int8_t (*a)[BLOCK], int from,
                      int to, int n) {
#pragma GCC unroll 8
    for (int s = from; s < to; s++) {
        __m512i w0 = _mm512_load_si512(q + s * 128), w1 = _mm512_load_si512(q + s * 128 + 64);
#pragma GCC unroll 6
        for (int i = 0; i < n; i++) {
            __m512i x = broadcast4(a[i] + 4 * s);
            acc[i][0] = _mm512_dpbusd_epi32(acc[i][0], w0, x);
            acc[i][1] = _mm512_dpbusd_epi32(acc[i][1], w1, x);
        }
    }
}

INLINE void scale_block(__m512 f[][2], __m512i acc[][2], const struct panel_block *w,
                        const struct tile_block *a, bool minimum, int n) {
    __m512 d0 = _mm512_load_ps(w->d), d1 = _mm512_load_ps(w->d + 16);
    __m512 m0 = _mm512_load_ps(w->m), m1 = _mm512_load_ps(w->m + 16);
#pragma GCC unroll 6
    for (int i = 0; i < n; i++) {
        __m512 d = _mm512_set1_ps(a->d[i]);
        f[i][0] = _mm512_fmadd_ps(_mm512_mul_ps(d0, d), _mm512_cvtepi32_ps(acc[i][0]), f[i][0]);
        f[i][1] = _mm512_fmadd_ps(_mm512_mul_ps(d1, d), _mm512_cvtepi32_ps(acc[i][1]), f[i][1]);
        if (!minimum) continue;
        __m512 ds = _mm512_set1_ps(a->ds[i]);
        f[i][0] = _mm512_fmadd_ps(m0, ds, f[i][0]);
        f[i][1] = _mm512_fmadd_ps(m1, ds, f[i][1]);
    }
}

INLINE void tile_blocks(const struct tile_call *call, bool minimum, int n) {
    const struct panel_block *w = call->panel;
    const struct tile_block *a = call->tile;
    __mmask16 lo = (__mmask16)call->rows, hi = (__mmask16)(call->rows >> 16);
    __m512 f[TILE][2];
    __m512i acc[TILE][2];
#pragma GCC unroll 6
    for (int i = 0; i < n; i++) {
        f[i][0] = load_y(call->y + i * call->ldy, lo, call->more);
        f[i][1] = load_y(call->y + i * call->ldy + 16, hi, call->more);
    }
    for (size_t b = 0; b < call->count; b++, w++, a++) {
#pragma GCC unroll 6
        for (int i = 0; i < n; i++)
            acc[i][0] = acc[i][1] =
                minimum ? _mm512_setzero_si512() : _mm512_set1_epi32(a->start[i]);
        dot_steps(acc, w->q[0][0], a->q, 0, STEPS, n);
        scale_block(f, acc, w, a, minimum, n);
    }
#pragma GCC unroll 6
    for (int i = 0; i < n; i++) {
        _mm512_mask_storeu_ps(call->y + i * call->ldy, lo, f[i][0]);
        _mm512_mask_storeu_ps(call->y + i * call->ldy + 16, hi, f[i][1]);
    }
}

/* y[i] = fma(-(dmin * d), minimums, fma(dw * d, sums, y[i])): once per 256 values, so y need not
 * stay in registers. */
INLINE void scale_super(const struct tile_call *call, __m512i sum[][2], __m512i min[][2],
                        const struct panel_super *w, const struct tile_super *a, bool more, int n) {
    __mmask16 mask[2] = {(__mmask16)call->rows, (__mmask16)(call->rows >> 16)};
#pragma GCC unroll 6
    for (int i = 0; i < n; i++) {
        __m512 d = _mm512_set1_ps(a->d[i]);
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            float *y = call->y + i * call->ldy + 16 * h;
            __m512 dw = _mm512_load_ps(w->d + 16 * h), f = load_y(y, mask[h], more);
            f = _mm512_fmadd_ps(_mm512_mul_ps(dw, d), _mm512_cvtepi32_ps(sum[i][h]), f);
            if (min != NULL) {
                __m512 dmin = _mm512_mul_ps(_mm512_load_ps(w->dmin + 16 * h), d);
                f = _mm512_fnmadd_ps(dmin, _mm512_cvtepi32_ps(min[i][h]), f);
            }
            _mm512_mask_storeu_ps(y, mask[h], f);
        }
    }
}

INLINE void add_scaled(__m512i sum[][2], __m512i acc[][2], const int32_t *scale, int n) {
    __m512i s0 = _mm512_load_si512(scale), s1 = _mm512_load_si512(scale + 16);
#pragma GCC unroll 6
    for (int i = 0; i < n; i++) {
        sum[i][0] = _mm512_add_epi32(sum[i][0], _mm512_mullo_epi32(acc[i][0], s0));
        sum[i][1] = _mm512_add_epi32(sum[i][1], _mm512_mullo_epi32(acc[i][1], s1));
    }
}

INLINE void clear(__m512i acc[][2], int n) {
#pragma GCC unroll 6
    for (int i = 0; i < n; i++) acc[i][0] = acc[i][1] = _mm512_setzero_si512();
}

INLINE void tile_supers_32(const struct tile_call *call, int n) {
    const struct panel_super *w = call->panel;
    const struct tile_super *a = call->tile;
    for (size_t b = 0; b < call->count; b++, w++, a++) {
        __m512i sum[TILE][2], acc[TILE][2];
        clear(sum, n);
#pragma GCC unroll 1
        for (int j = 0; j < 8; j++) {
            clear(acc, n);
            prefetch_tile((const char *)a->q[j] + call->to_next, sizeof a->q[j]);
            dot_steps(acc, w->q[j][0][0], a->q[j], 0, STEPS, n);
            add_scaled(sum, acc, w->scale32[j], n);
        }
        clear(acc, n);
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            __m512i m0 = _mm512_load_si512(w->min[j]), m1 = _mm512_load_si512(w->min[j] + 16);
#pragma GCC unroll 6
            for (int i = 0; i < n; i++) {
                __m512i s = broadcast4(a->sum32[i] + 2 * j);
                acc[i][0] = _mm512_dpwssd_epi32(acc[i][0], m0, s);
                acc[i][1] = _mm512_dpwssd_epi32(acc[i][1], m1, s);
            }
        }
        scale_super(call, sum, acc, w, a, call->more || b > 0, n);
    }
}

INLINE void tile_supers_16(const struct tile_call *call, int n) {
    const struct panel_super *w = call->panel;
    const struct tile_super *a = call->tile;
    for (size_t b = 0; b < call->count; b++, w++, a++) {
        __m512i sum[TILE][2], acc[TILE][2];
        clear(sum, n);
#pragma GCC unroll 1
        for (int j = 0; j < 8; j++) {
            prefetch_tile((const char *)a->q[j] + call->to_next, sizeof a->q[j]);
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) {
#pragma GCC unroll 6
                for (int i = 0; i < n; i++)
                    acc[i][0] = acc[i][1] = _mm512_set1_epi32(a->start16[2 * j + h][i]);
                dot_steps(acc, w->q[j][0][0], a->q[j], h * 4, h * 4 + 4, n);
                add_scaled(sum, acc, w->scale16[2 * j + h], n);
            }
        }
        scale_super(call, sum, NULL, w, a, call->more || b > 0, n);
    }
}

/* A height of 1 has no tile: see linear.h. */
#define FOR_HEIGHT(body, ...)                                                                      \
    switch (n_rows) {                                                                              \
    case 2: body(__VA_ARGS__, 2); break;                                                           \
    case 3: body(__VA_ARGS__, 3); break;                                                           \
    case 4: body(__VA_ARGS__, 4); break;                                                           \
    case 5: body(__VA_ARGS__, 5); break;                                                           \
    default: body(__VA_ARGS__, 6); break;                                                          \
    }

void tile_q4_0_avx512(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_blocks, call, false)
}

void tile_q4_1_avx512(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_blocks, call, true)
}

void tile_q4_k_avx512(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_supers_32, call)
}

void tile_q6_k_avx512(const struct tile_call *call, size_t n_rows) {
    FOR_HEIGHT(tile_supers_16, call)
}
