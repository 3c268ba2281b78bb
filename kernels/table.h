/* table: who fills which slots of struct kernels. Private to kernels/.
 *
 * kernels_get starts from the scalar table and lets each ISA that the CPU has
 * (and the caller allows) overwrite its slots, in ascending order.
 */
#ifndef KERNELS_TABLE_H
#define KERNELS_TABLE_H

struct kernels;

void rows_scalar_fill(struct kernels *kernels);
void attention_scalar_fill(struct kernels *kernels);
void matmul_scalar_fill(struct kernels *kernels);

void rows_avx2_fill(struct kernels *kernels);
void attention_avx2_fill(struct kernels *kernels);
void matmul_avx2_fill(struct kernels *kernels);

void rows_avx512_fill(struct kernels *kernels);
void attention_avx512_fill(struct kernels *kernels);
void matmul_avx512_fill(struct kernels *kernels);

#endif
