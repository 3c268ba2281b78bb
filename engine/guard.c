#include "engine/guard.h"

#include <stdlib.h>
#include <string.h>

#include "engine/hash.h"
#include "engine/held.h"
#include "engine/vector.h"

enum { NESTING = 128, STEPS = 1 << 19 /* of one question to the validator */ };

void guards_free(struct guards *guards) {
    for (uint32_t i = 0; i < guards->n_judges; i++) {
        validator_free(guards->judges[i].validator);
        json_free(guards->judges[i].doc);
        free(guards->judges[i].text);
    }
    free(guards->judges);
    free(guards->list);
    *guards = (struct guards){0};
}

size_t guards_bytes(const struct guards *guards) {
    size_t bytes = held(guards->judges) + held(guards->list);
    for (uint32_t i = 0; i < guards->n_judges; i++) {
        const struct guard_judge *judge = &guards->judges[i];
        bytes += held(judge->text) + json_bytes(judge->doc) + validator_bytes(judge->validator);
    }
    return bytes;
}

static bool add_judge(struct guards *guards, uint32_t *judge) {
    if (!vector_reserve((void **)&guards->judges, &guards->cap_judges, guards->n_judges + 1,
                        sizeof *guards->judges))
        return false;
    guards->judges[guards->n_judges] = (struct guard_judge){0};
    *judge = guards->n_judges++;
    return true;
}

bool guards_add(struct guards *guards, uint32_t *judge, uint32_t at, bool negated, bool open,
                uint32_t *guard) {
    if (*judge == VALIDATE_NONE && !add_judge(guards, judge)) return false;
    struct guard made = {
        .judge = *judge, .at = at, .schema = VALIDATE_NONE, .negated = negated, .open = open};
    for (uint32_t i = guards->n; i-- > 0 && guards->list[i].judge == made.judge;) {
        const struct guard *other = &guards->list[i];
        if (other->at != at || other->negated != negated || other->open != open) continue;
        *guard = i;
        return true;
    }
    if (!vector_reserve((void **)&guards->list, &guards->cap, guards->n + 1, sizeof made))
        return false;
    *guard = guards->n;
    guards->list[guards->n++] = made;
    return true;
}

static bool judge_init(struct guard_judge *judge, const char *text, size_t len, bool closed,
                       struct error *error) {
    judge->text = malloc(len + 1);
    if (!judge->text) return error_set(error, ERROR_OUT_OF_MEMORY, "no memory for a guard");
    memcpy(judge->text, text, len);
    judge->text[len] = '\0';
    judge->doc = json_parse(judge->text, len, NESTING * 2, error);
    if (judge->doc)
        judge->validator =
            validator_new(json_root(judge->doc), VALIDATE_ALL_FORMATS | (closed ? VALIDATE_CLOSED : 0), error);
    return judge->validator != NULL;
}

bool guards_make_judge(struct guards *guards, uint32_t judge, const char *text, size_t len,
                       bool closed, struct error *error) {
    const struct guard_judge *made = &guards->judges[judge];
    if (made->validator) return true;
    if (!judge_init(&guards->judges[judge], text, len, closed, error)) return false;
    for (uint32_t i = 0; i < guards->n; i++) {
        struct guard *guard = &guards->list[i];
        if (guard->judge != judge) continue;
        guard->schema = validator_find(made->validator, made->text + guard->at);
        if (guard->schema == VALIDATE_NONE)
            return error_set(error, ERROR_SCHEMA_UNSUPPORTED, "a subschema can't be judged by itself");
    }
    return true;
}

/* ---- judging ---- */

static enum validate_answer ask(const struct guards *guards, uint32_t guard, const struct json *value,
                                uint64_t *budget) {
    const struct guard *at = &guards->list[guard];
    uint64_t steps = *budget < STEPS ? *budget : STEPS, left = steps;
    enum validate_answer answer = validator_ask(guards->judges[at->judge].validator, at->schema, value,
                                                at->open, &left);
    *budget -= steps - left;
    return answer;
}

static struct json_doc *parse(const char *text, size_t len, uint64_t *budget) {
    uint64_t cost = 1 + len / 64;
    if (*budget < cost) return NULL;
    *budget -= cost;
    return json_parse(text, len, NESTING, &(struct error){0});
}

bool guards_allow(const struct guards *guards, const uint32_t *list, uint32_t n, const char *text,
                  size_t len, uint64_t *budget) {
    struct json_doc *doc = parse(text, len, budget);
    bool allowed = doc != NULL;
    for (uint32_t i = 0; allowed && i < n; i++) {
        enum validate_answer wanted =
            guards->list[list[i]].negated ? VALIDATE_FAILS : VALIDATE_HOLDS;
        allowed = ask(guards, list[i], json_root(doc), budget) == wanted;
    }
    json_free(doc);
    return allowed;
}

bool guards_hold(const struct guards *guards, uint32_t guard, bool *told, const char *text, size_t len,
                 uint64_t *budget) {
    struct json_doc *doc = parse(text, len, budget);
    enum validate_answer answer = VALIDATE_UNTOLD;
    if (doc) answer = ask(guards, guard, json_root(doc), budget);
    json_free(doc);
    *told = answer != VALIDATE_UNTOLD;
    return answer == VALIDATE_HOLDS;
}

/* ---- values by what they are ---- */

/* Significant digits, sign and the power of ten of the last: 1, 1.0 and 10e-1 agree. */
static uint64_t number_hash(const char *text, uint32_t len) {
    uint64_t hash = 5, zeros = 0;
    int64_t power = 0, exponent = 0;
    bool negative = len && *text == '-', point = false, begun = false;
    uint32_t i = negative;
    for (; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        power -= point;
        if (text[i] == '0') {
            zeros += begun;
            continue;
        }
        for (; zeros; zeros--) hash = hash_mix(hash, '0');
        hash = hash_mix(hash, (unsigned char)text[i]);
        begun = true;
    }
    if (!begun) return 3; /* zero has no sign and no power */
    bool down = i + 1 < len && text[i + 1] == '-';
    for (i++; i < len; i++)
        if (text[i] >= '0' && text[i] <= '9' && exponent < INT64_C(1) << 50)
            exponent = exponent * 10 + (text[i] - '0');
    power += (int64_t)zeros + (down ? -exponent : exponent);
    return hash_mix(hash_mix(hash, (uint64_t)power), negative);
}

/* Depth is that of the JSON text. */
uint64_t guard_json_hash(const struct json *value) {
    uint64_t hash = hash_mix(value->type, value->type == JSON_NUMBER ? 0 : value->len);
    switch (value->type) {
    case JSON_NUMBER: return hash_mix(hash, number_hash(value->text, value->len));
    case JSON_STRING: return hash_bytes(hash, value->text, value->len);
    case JSON_ARRAY:
        for (uint32_t i = 0; i < value->len; i++) hash = hash_mix(hash, guard_json_hash(value->items[i]));
        return hash;
    case JSON_OBJECT: /* a sum: members have no order */
        for (uint32_t i = 0; i < value->len; i++)
            hash += hash_bytes(guard_json_hash(value->items[i]), value->keys[i].text, value->keys[i].len);
        return hash;
    default: return hash;
    }
}

bool guard_value_hash(const char *text, size_t len, uint64_t *hash, uint64_t *budget) {
    struct json_doc *doc = parse(text, len, budget);
    if (doc) *hash = guard_json_hash(json_root(doc));
    json_free(doc);
    return doc != NULL;
}
