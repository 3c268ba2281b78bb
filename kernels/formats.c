/* formats: every tensor type that GGUF numbers, computable here or not. */
#include "kernels/formats.h"

#define COMPUTED(name, block, type)                                                                \
    { name, block, sizeof(type), true }
#define KNOWN(name, block, bytes)                                                                  \
    { name, block, bytes, false }

static const struct weight_format formats[] = {
    [WEIGHT_F32] = COMPUTED("F32", 1, float),
    [WEIGHT_F16] = COMPUTED("F16", 1, uint16_t),
    [WEIGHT_Q4_0] = COMPUTED("Q4_0", BLOCK, struct q4_0),
    [WEIGHT_Q4_1] = COMPUTED("Q4_1", BLOCK, struct q4_1),
    [6] = KNOWN("Q5_0", 32, 22),
    [7] = KNOWN("Q5_1", 32, 24),
    [WEIGHT_Q8_0] = COMPUTED("Q8_0", BLOCK, struct q8_0),
    [9] = KNOWN("Q8_1", 32, 36),
    [10] = KNOWN("Q2_K", 256, 84),
    [11] = KNOWN("Q3_K", 256, 110),
    [WEIGHT_Q4_K] = COMPUTED("Q4_K", SUPER, struct q4_k),
    [WEIGHT_Q5_K] = COMPUTED("Q5_K", SUPER, struct q5_k),
    [WEIGHT_Q6_K] = COMPUTED("Q6_K", SUPER, struct q6_k),
    [15] = KNOWN("Q8_K", 256, 292),
    [16] = KNOWN("IQ2_XXS", 256, 66),
    [17] = KNOWN("IQ2_XS", 256, 74),
    [18] = KNOWN("IQ3_XXS", 256, 98),
    [19] = KNOWN("IQ1_S", 256, 50),
    [20] = KNOWN("IQ4_NL", 32, 18),
    [21] = KNOWN("IQ3_S", 256, 110),
    [22] = KNOWN("IQ2_S", 256, 82),
    [23] = KNOWN("IQ4_XS", 256, 136),
    [24] = KNOWN("I8", 1, 1),
    [25] = KNOWN("I16", 1, 2),
    [26] = KNOWN("I32", 1, 4),
    [27] = KNOWN("I64", 1, 8),
    [28] = KNOWN("F64", 1, 8),
    [29] = KNOWN("IQ1_M", 256, 56),
    [30] = KNOWN("BF16", 1, 2),
    [34] = KNOWN("TQ1_0", 256, 54),
    [35] = KNOWN("TQ2_0", 256, 66),
    [39] = KNOWN("MXFP4", 32, 17),
    [40] = KNOWN("NVFP4", 64, 36),
};

/* 4, 5 (Q4_2, Q4_3) and 31..33, 36..38 (repacked Q4_0, IQ4_NL) were withdrawn from the format. */
const struct weight_format *weight_format(uint32_t type) {
    if (type >= sizeof formats / sizeof formats[0] || formats[type].name == NULL) return NULL;
    return &formats[type];
}
