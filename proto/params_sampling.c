#include "proto/params.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

enum { BIAS_LIMIT = 1000000 }; /* past any logit; keeps floats finite */

/* A token id in plain decimal. */
static bool token_key(uint32_t *out, const char *key) {
    size_t n = strlen(key);
    if (n == 0 || n > 10 || strspn(key, "0123456789") != n || (key[0] == '0' && n > 1))
        return false;
    unsigned long long id = strtoull(key, NULL, 10);
    *out = (uint32_t)id;
    return id <= INT32_MAX;
}

static int by_token(const void *a, const void *b) {
    const struct logit_bias *x = a, *y = b;
    return (x->token > y->token) - (x->token < y->token);
}

static float clamped(double bias) {
    return (float)(bias > BIAS_LIMIT ? BIAS_LIMIT : bias < -BIAS_LIMIT ? -BIAS_LIMIT : bias);
}

/* Sorted by token, so that the order of members changes nothing. */
static bool read_bias(struct params *params, const json_t *object) {
    struct sampling *sampling = &params->call->spec.sampling;
    size_t n = json_object_size(object);
    if (n == 0) return true;
    struct logit_bias *bias = arena_alloc(params->arena, n, sizeof *bias);
    if (!bias) return true; /* the arena knows */
    const char *key;
    const json_t *value;
    size_t i = 0;
    json_object_foreach((json_t *)object, key, value) {
        const struct path *path = PATH_MEMBER(PATH_MEMBER(PATH_ROOT, "logit_bias"), key);
        if (!token_key(&bias[i].token, key))
            return path_error(params->error, path, "expected a token id as the member's name");
        bias[i++].bias = clamped(json_number_value(value));
    }
    qsort(bias, n, sizeof *bias, by_token);
    sampling->bias = bias;
    sampling->n_bias = n;
    return true;
}

/* A number above 0 stays above 0 as float. */
static float positive(double value) {
    return value < FLT_MIN ? FLT_MIN : (float)value;
}

/* A number below 1 stays below 1 as float. */
static float below_one(double value) {
    return (float)value < 1.0f ? (float)value : 1.0f - FLT_EPSILON / 2;
}

bool params_sampling(struct params *params) {
    struct sampling *sampling = &params->call->spec.sampling;
    double temperature = params->call->method == METHOD_TOOL_CALL ? 0.0 : 0.8;
    sampling->temperature = (float)params_number(params, "temperature", temperature);
    sampling->top_k = (uint32_t)params_integer(params, "top_k", 40);
    sampling->top_p = positive(params_number(params, "top_p", 0.95));
    sampling->typical_p = positive(params_number(params, "typical_p", 1.0));
    sampling->min_p = below_one(params_number(params, "min_p", 0.05));
    sampling->repeat_penalty = (float)params_number(params, "repeat_penalty", 1.0);
    sampling->presence_penalty = (float)params_number(params, "presence_penalty", 0.0);
    sampling->frequency_penalty = (float)params_number(params, "frequency_penalty", 0.0);
    params->call->seed_given = params_get(params, "seed") != NULL;
    sampling->seed = (uint64_t)params_integer(params, "seed", 0);
    sampling->want_logprobs = params_get(params, "logprobs") != NULL;
    sampling->logprobs = (unsigned)params_integer(params, "logprobs", 0);
    return read_bias(params, params_get(params, "logit_bias"));
}
