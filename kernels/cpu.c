/* cpu: which instruction sets may be used. The CPU must have one, and the operating system must
 * save its registers across a context switch (XCR0), or they would be lost at random. */
#include "kernels/table.h"

#if defined(__x86_64__)
#include <cpuid.h>

enum {
    LEAF1_ECX_FMA = 1 << 12,
    LEAF1_ECX_OSXSAVE = 1 << 27,
    LEAF1_ECX_AVX = 1 << 28,
    LEAF1_ECX_F16C = 1 << 29,
    LEAF7_EBX_AVX2 = 1 << 5,
    LEAF7_EBX_AVX512F = 1 << 16,
    LEAF7_EBX_AVX512DQ = 1 << 17,
    LEAF7_EBX_AVX512BW = 1 << 30,
    LEAF7_ECX_VNNI = 1 << 11,
    XCR0_YMM = 0x06, /* XMM and YMM halves */
    XCR0_ZMM = 0xe6, /* and mask registers, upper ZMM halves, ZMM16..31 */
};
#define LEAF7_EBX_AVX512VL (1u << 31) /* no int holds it */

static unsigned read_xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool all(unsigned value, unsigned bits) {
    return (value & bits) == bits;
}

int cpu_isa_bits(void) {
    const unsigned ecx1 = LEAF1_ECX_FMA | LEAF1_ECX_OSXSAVE | LEAF1_ECX_AVX | LEAF1_ECX_F16C;
    const unsigned ebx7 =
        LEAF7_EBX_AVX512F | LEAF7_EBX_AVX512DQ | LEAF7_EBX_AVX512BW | LEAF7_EBX_AVX512VL;
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, ecx1)) return 0;
    unsigned xcr0 = read_xcr0();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !all(b, LEAF7_EBX_AVX2) || !all(xcr0, XCR0_YMM))
        return 0;
    if (!all(b, ebx7) || !all(c, LEAF7_ECX_VNNI) || !all(xcr0, XCR0_ZMM)) return ISA_AVX2;
    return ISA_AVX2 | ISA_AVX512;
}

#else
int cpu_isa_bits(void) {
    return 0;
}
#endif
