/* The end of a generation: result or error (engine thread). */
#include "base/clock.h"
#include "engine/answer.h"

static const char *phase_of(const struct generation *g) {
    return !g->started ? "queued" : !g->prefilled ? "prefill" : "decode";
}

static double milliseconds(int64_t from, int64_t to) {
    return from && to > from ? (double)(to - from) / 1e6 : 0;
}

static void fill_timing(struct generation *g) {
    struct generation_result *r = &g->result;
    int64_t now = clock_ns();
    r->queue_ms = milliseconds(g->submit_ns, g->start_ns ? g->start_ns : now);
    r->prefill_ms = milliseconds(g->start_ns, g->prefill_ns ? g->prefill_ns : now);
    r->decode_ms = milliseconds(g->prefill_ns, now);
    r->total_ms = milliseconds(g->submit_ns, now);
}

static void fill_usage(struct generation *g) {
    struct generation_result *r = &g->result;
    r->prompt_tokens = g->n_prompt;
    r->completion_tokens = generation_length(g);
    r->seed = g->spec->sampling.seed;
    r->now = g->spec->now;
    r->has_now = g->spec->source == PROMPT_MESSAGES;
    r->logprobs = g->logprobs.of;
    r->n_logprobs = g->logprobs.n;
    r->warnings = g->form ? g->form->warnings.of : NULL;
    r->n_warnings = g->form ? g->form->warnings.n : 0;
    r->phase = phase_of(g);
    fill_timing(g);
}

void generation_finish(struct generation *g, enum finish_reason reason) {
    struct error error = {0};
    g->done = true;
    g->result.finish = reason;
    fill_usage(g);
    if (!output_finish(&g->output)) error_set(&error, ERROR_OUT_OF_MEMORY, "no memory for the answer");
    if (error.code != ERROR_NONE || !answer_build(g, &error)) g->error = error;
}

void generation_fail(struct generation *g, const struct error *error) {
    if (g->done) return;
    g->done = true;
    g->error = *error;
    fill_usage(g);
    output_finish(&g->output);
    if (g->output.text.bytes) g->result.content = (struct text){g->output.text.bytes, g->output.text.len};
}
