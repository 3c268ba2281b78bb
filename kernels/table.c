/* table: builds the function tables once and hands them out. */
#include "kernels/table.h"

#include <stdatomic.h>

enum { SCALAR, AVX2, AVX512, N_TABLES };

static struct kernels tables[N_TABLES];

/* Table `level` holds the best version of every slot among the ISAs up to it. */
static void fill(struct kernels *kernels, int level) {
    kernels->isa = "scalar";
    kernels->second_row = kernels->further_row = 0.65f;
    matmul_scalar_fill(kernels);
    rows_scalar_fill(kernels);
    attention_scalar_fill(kernels);
    if (level < AVX2) return;
#if defined(__x86_64__)
    kernels->isa = "avx2";
    kernels->second_row = 0.5f;
    kernels->further_row = 0.45f;
    matmul_avx2_fill(kernels);
    rows_avx2_fill(kernels);
    attention_avx2_fill(kernels);
    if (level < AVX512) return;
    kernels->isa = "avx512";
    kernels->second_row = 0.45f;
    kernels->further_row = 0.12f;
    matmul_avx512_fill(kernels);
    rows_avx512_fill(kernels);
    attention_avx512_fill(kernels);
#endif
}

/* The first caller fills; others that come meanwhile wait the microsecond it takes. */
static void fill_once(void) {
    static atomic_int state; /* 0 untouched, 1 being filled, 2 ready */
    int untouched = 0;
    if (atomic_load_explicit(&state, memory_order_acquire) == 2) return;
    if (atomic_compare_exchange_strong(&state, &untouched, 1)) {
        for (int level = SCALAR; level < N_TABLES; level++) fill(&tables[level], level);
        atomic_store_explicit(&state, 2, memory_order_release);
    }
    while (atomic_load_explicit(&state, memory_order_acquire) != 2) continue;
}

const struct kernels *kernels_get(int allowed) {
    int bits = allowed & cpu_isa_bits();
    fill_once();
    if (!(bits & ISA_AVX2)) return &tables[SCALAR];
    if (!(bits & ISA_AVX512)) return &tables[AVX2];
    return &tables[AVX512];
}
