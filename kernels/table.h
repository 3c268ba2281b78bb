/* Inside kernels/ only: how kernels_get() fills its tables.
 *
 * Every function fills the slots it implements and leaves the others alone; they
 * run in ascending ISA order over one struct, so a slot that an ISA lacks keeps
 * the version of the ISA below. matmul_*_fill owns activation_bytes,
 * activation_quantize, matmul, matmul_scratch, matmul_panel and get_row;
 * rows_*_fill rms_norm .. argmax; attention_*_fill attention and its scratch.
 */
#ifndef KERNELS_TABLE_H
#define KERNELS_TABLE_H

#include "kernels/kernels.h"

void matmul_scalar_fill(struct kernels *kernels);
void rows_scalar_fill(struct kernels *kernels);
void attention_scalar_fill(struct kernels *kernels);

void matmul_avx2_fill(struct kernels *kernels);
void rows_avx2_fill(struct kernels *kernels);
void attention_avx2_fill(struct kernels *kernels);

void matmul_avx512_fill(struct kernels *kernels);
void rows_avx512_fill(struct kernels *kernels);
void attention_avx512_fill(struct kernels *kernels);

/* The ISA_* bits that this CPU and its operating system both support. */
int cpu_isa_bits(void);

#endif
