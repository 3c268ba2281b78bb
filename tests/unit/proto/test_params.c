/* Params of every method: what is refused and where, defaults, raw bytes kept. */
#include <check.h>
#include <string.h>

#include "proto/proto.h"
#include "tests/support.h"

static struct rpc_message *call(const char *method, const char *params) {
    struct buf line = {0};
    buf_printf(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
               params);
    struct rpc_message *message = rpc_parse(line.bytes, line.len);
    ck_assert_ptr_nonnull(message);
    buf_free(&line);
    ck_assert_int_eq(message->error.code, ERROR_NONE);
    ck_assert_uint_eq(message->n_calls, 1);
    return message;
}

#define T "\"tools\":[{\"name\":\"t\"}]"
#define P "\"prompt\":\"x\""

static const struct {
    const char *method, *params;
    int code; /* 0: fine */
    const char *path;
} params[] = {
    {"tool_call", "{" P "," T "}", 0, ""},
    {"tool_call", "{" P "}", -32602, "tools"},
    {"tool_call", "{" T "}", -32602, "messages"},
    {"tool_call", "{" P "," T ",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", -32602,
     "prompt"},
    {"tool_call", "{" P ",\"tools\":[]}", -32602, "tools"},
    {"tool_call", "{" P ",\"tools\":{}}", -32602, "tools"},
    {"tool_call", "{" P ",\"tools\":[5]}", -32602, "tools[0]"},
    {"tool_call", "{" P ",\"tools\":[{}]}", -32602, "tools[0].name"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"\"}]}", -32602, "tools[0].name"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"a b\"}]}", -32602, "tools[0].name"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"\\u00e9\"}]}", -32602, "tools[0].name"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"a\\u0000\"}]}", -32602, "tools[0].name"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"A-z0_.:/-9\"}]}", 0, ""},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"t\"},{\"name\":\"u\"},{\"name\":\"t\"}]}", -32602,
     "tools[2].name"},
    {"tool_call", "{" P ",\"tools\":[{\"type\":\"function\"}]}", -32602, "tools[0].name"},
    {"tool_call", "{" P ",\"tools\":[{\"type\":\"x\",\"function\":{\"name\":\"t\"}}]}", -32602,
     "tools[0].type"},
    {"tool_call", "{" P ",\"tools\":[{\"function\":{}}]}", -32602, "tools[0].function.name"},
    {"tool_call", "{" P ",\"tools\":[{\"function\":5}]}", -32602, "tools[0].function"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"t\",\"parameters\":5}]}", -32602,
     "tools[0].parameters"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"t\",\"parameters\":[]}]}", -32602,
     "tools[0].parameters"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"t\",\"inputSchema\":\"x\"}]}", -32602,
     "tools[0].inputSchema"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"t\",\"inputSchema\":{},\"parameters\":{}}]}",
     -32602, "tools[0].inputSchema"},
    {"tool_call", "{" P ",\"tools\":[{\"name\":\"t\",\"annotations\":{\"x\":1},\"strict\":true}]}",
     0, ""},
    {"tool_call", "{" P "," T ",\"tool_choice\":\"auto\"}", 0, ""},
    {"tool_call", "{" P "," T ",\"tool_choice\":\"any\"}", -32602, "tool_choice"},
    {"tool_call", "{" P "," T ",\"tool_choice\":5}", -32602, "tool_choice"},
    {"tool_call", "{" P "," T ",\"tool_choice\":{\"name\":\"t\"}}", 0, ""},
    {"tool_call", "{" P "," T ",\"tool_choice\":{\"name\":\"u\"}}", -32602, "tool_choice.name"},
    {"tool_call", "{" P "," T ",\"tool_choice\":{}}", -32602, "tool_choice.name"},
    {"tool_call", "{" P "," T ",\"max_calls\":0}", -32602, "max_calls"},
    {"tool_call", "{" P "," T ",\"max_calls\":16}", 0, ""},
    {"tool_call", "{" P "," T ",\"max_calls\":17}", -32602, "max_calls"},
    {"tool_call", "{" P "," T ",\"max_calls\":1.5}", -32602, "max_calls"},
    {"tool_call", "{" P "," T ",\"max_calls\":\"1\"}", -32602, "max_calls"},
    {"tool_call", "{" P "," T ",\"response_format\":{\"type\":\"text\"}}", -32602,
     "response_format"},
    {"chat", "{}", -32602, "messages"},
    {"chat", "{" P "}", 0, ""},
    {"chat", "{" P ",\"_meta\":{\"progressToken\":1}}", 0, ""},
    {"chat", "{" P ",\"unknown\":1}", -32602, "unknown"},
    {"chat", "{" P ",\"tools\":[]}", 0, ""},
    {"chat", "{" P ",\"tool_choice\":\"required\"}", -32602, "tool_choice"},
    {"chat", "{" P ",\"tool_choice\":{\"name\":\"t\"}}", -32602, "tool_choice.name"},
    {"chat", "{" P ",\"tool_choice\":\"none\"}", 0, ""},
    {"chat", "{\"prompt\":5}", -32602, "prompt"},
    {"chat", "{\"messages\":[]}", -32602, "messages"},
    {"chat", "{\"messages\":5}", -32602, "messages"},
    {"chat", "{\"messages\":[5]}", -32602, "messages[0]"},
    {"chat", "{\"messages\":[{\"content\":\"x\"}]}", -32602, "messages[0].role"},
    {"chat", "{\"messages\":[{\"role\":\"developer\",\"content\":\"x\"}]}", -32602,
     "messages[0].role"},
    {"chat", "{\"messages\":[{\"role\":5,\"content\":\"x\"}]}", -32602, "messages[0].role"},
    {"chat", "{\"messages\":[{\"role\":\"user\"}]}", -32602, "messages[0].content"},
    {"chat", "{\"messages\":[{\"role\":\"user\",\"content\":null}]}", 0, ""},
    {"chat", "{\"messages\":[{\"role\":\"user\",\"content\":5}]}", -32602, "messages[0].content"},
    {"chat", "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}", 0, ""},
    {"chat",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}]}", 0,
     ""},
    {"chat", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}", -32602,
     "messages[0].content[0].text"},
    {"chat", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", -32602,
     "messages[0].content[0].type"},
    {"chat", "{\"messages\":[{\"role\":\"user\",\"content\":[\"x\"]}]}", -32602,
     "messages[0].content[0]"},
    {"chat",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_"
     "control\":{\"type\":\"x\"}}]}]}",
     -32602, "messages[0].content[0].cache_control.type"},
    {"chat",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"refusal\":null,\"tool_calls\":null,"
     "\"name\":null}]}",
     0, ""},
    {"chat",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[{\"name\":\"a\","
     "\"arguments\":{}}]}]}",
     -32602, "messages[0].tool_calls"},
    {"chat",
     "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"name\":\"a\",\"arguments\":{}}]}]}",
     0, ""},
    {"chat", "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"name\":\"a\"}]}]}", -32602,
     "messages[0].tool_calls[0].arguments"},
    {"chat", "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"arguments\":{}}]}]}",
     -32602, "messages[0].tool_calls[0].name"},
    {"chat",
     "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"a\","
     "\"arguments\":\"[]\"}}]}]}",
     -32602, "messages[0].tool_calls[0].function.arguments"},
    {"chat",
     "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"a\","
     "\"arguments\":\"{\"}}]}]}",
     -32602, "messages[0].tool_calls[0].function.arguments"},
    {"chat",
     "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"a\","
     "\"arguments\":\"\"}}]}]}",
     -32602, "messages[0].tool_calls[0].function.arguments"},
    {"chat",
     "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"a\","
     "\"arguments\":\"{\\\"a\\\":1,\\\"a\\\":2}\"}}]}]}",
     -32602, "messages[0].tool_calls[0].function.arguments"},
    {"chat",
     "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"a\","
     "\"arguments\":[]}}]}]}",
     -32602, "messages[0].tool_calls[0].function.arguments"},
    {"chat", "{" P ",\"max_tokens\":0}", -32602, "max_tokens"},
    {"chat", "{" P ",\"max_tokens\":9007199254740992}", 0, ""},
    {"chat", "{" P ",\"max_tokens\":-1}", -32602, "max_tokens"},
    {"chat", "{" P ",\"deadline_ms\":0}", -32602, "deadline_ms"},
    {"chat", "{" P ",\"stop\":[\"a\"]}", 0, ""},
    {"chat", "{" P ",\"stop\":[\"\"]}", -32602, "stop[0]"},
    {"chat", "{" P ",\"stop\":[1]}", -32602, "stop[0]"},
    {"chat", "{" P ",\"stop\":\"a\"}", -32602, "stop"},
    {"chat",
     "{" P ",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"a\",\"b\",\"c\","
     "\"d\",\"e\",\"f\",\"g\",\"h\"]}",
     -32602, "stop"},
    {"chat", "{" P ",\"now\":\"x\"}", -32602, "now"},
    {"chat", "{" P ",\"model\":5}", -32602, "model"},
    {"chat", "{" P ",\"priority\":\"high\"}", -32602, "priority"},
    {"chat", "{" P ",\"json_style\":\"pretty\"}", -32602, "json_style"},
    {"chat", "{" P ",\"reasoning\":{\"enabled\":true}}", -32602, "reasoning"},
    {"chat", "{" P ",\"reasoning\":{\"enabled\":false}}", 0, ""},
    {"chat", "{" P ",\"reasoning\":{\"max_tokens\":5}}", -32602, "reasoning"},
    {"chat", "{" P ",\"temperature\":-0.1}", -32602, "temperature"},
    {"chat", "{" P ",\"temperature\":5}", 0, ""},
    {"chat", "{" P ",\"temperature\":5.01}", -32602, "temperature"},
    {"chat", "{" P ",\"temperature\":1e999}", -32602, "temperature"},
    {"chat", "{" P ",\"temperature\":null}", -32602, "temperature"},
    {"chat", "{" P ",\"top_k\":-1}", -32602, "top_k"},
    {"chat", "{" P ",\"top_k\":0}", 0, ""},
    {"chat", "{" P ",\"top_p\":0}", -32602, "top_p"},
    {"chat", "{" P ",\"top_p\":1}", 0, ""},
    {"chat", "{" P ",\"top_p\":1.01}", -32602, "top_p"},
    {"chat", "{" P ",\"typical_p\":0}", -32602, "typical_p"},
    {"chat", "{" P ",\"min_p\":1}", -32602, "min_p"},
    {"chat", "{" P ",\"min_p\":0}", 0, ""},
    {"chat", "{" P ",\"repeat_penalty\":0.09}", -32602, "repeat_penalty"},
    {"chat", "{" P ",\"repeat_penalty\":0.1}", 0, ""},
    {"chat", "{" P ",\"presence_penalty\":-2.5}", -32602, "presence_penalty"},
    {"chat", "{" P ",\"frequency_penalty\":2.5}", -32602, "frequency_penalty"},
    {"chat", "{" P ",\"seed\":-1}", -32602, "seed"},
    {"chat", "{" P ",\"seed\":9007199254740992}", 0, ""},
    {"chat", "{" P ",\"seed\":9007199254740993}", -32602, "seed"},
    {"chat", "{" P ",\"seed\":99999999999999999999}", -32602, "seed"},
    {"chat", "{" P ",\"logprobs\":20}", 0, ""},
    {"chat", "{" P ",\"logprobs\":21}", -32602, "logprobs"},
    {"chat", "{" P ",\"logprobs\":true}", -32602, "logprobs"},
    {"chat", "{" P ",\"logit_bias\":{\"5\":1.5,\"0\":-100}}", 0, ""},
    {"chat", "{" P ",\"logit_bias\":{\"x\":1}}", -32602, "logit_bias.x"},
    {"chat", "{" P ",\"logit_bias\":{\"05\":1}}", -32602, "logit_bias.05"},
    {"chat", "{" P ",\"logit_bias\":{\"-1\":1}}", -32602, "logit_bias.-1"},
    {"chat", "{" P ",\"logit_bias\":{\"99999999999\":1}}", -32602, "logit_bias.99999999999"},
    {"chat", "{" P ",\"logit_bias\":{\"5\":\"1\"}}", -32602, "logit_bias.5"},
    {"chat", "{" P ",\"logit_bias\":[]}", -32602, "logit_bias"},
    {"chat", "{" P ",\"stream\":1}", -32602, "stream"},
    {"chat", "{" P ",\"progress\":\"yes\"}", -32602, "progress"},
    {"chat", "{" P ",\"cache\":{\"store\":false,\"pin\":true}}", 0, ""},
    {"chat", "{" P ",\"cache\":{\"stroe\":false}}", -32602, "cache.stroe"},
    {"chat", "{" P ",\"cache\":true}", -32602, "cache"},
    {"chat", "{" P ",\"overflow\":\"error\"}", 0, ""},
    {"chat", "{" P ",\"overflow\":\"shift\"}", -32602, "overflow"},
    {"chat", "{" P ",\"overflow\":\"x\"}", -32602, "overflow"},
    {"chat", "{" P ",\"on_unsupported\":\"widen\"}", 0, ""},
    {"chat", "{" P ",\"on_unsupported\":\"wider\"}", -32602, "on_unsupported"},
    {"chat", "{" P ",\"response_format\":{\"type\":\"text\"}}", 0, ""},
    {"chat", "{" P ",\"response_format\":{\"type\":\"json_object\"}}", 0, ""},
    {"chat", "{" P ",\"response_format\":{\"type\":\"json_schema\"}}", -32602,
     "response_format.schema"},
    {"chat", "{" P ",\"response_format\":{\"type\":\"json_schema\",\"schema\":5}}", -32602,
     "response_format.schema"},
    {"chat", "{" P ",\"response_format\":{\"type\":\"json_schema\",\"schema\":{}}}", 0, ""},
    {"chat", "{" P ",\"response_format\":{\"type\":\"xml\"}}", -32602, "response_format.type"},
    {"chat", "{" P ",\"response_format\":{}}", -32602, "response_format.type"},
    {"chat", "{" P ",\"response_format\":\"json\"}", -32602, "response_format"},
    {"chat", "{" P ",\"response_format\":{\"type\":\"regex\",\"pattern\":\"a\"}}", 0, ""},
    {"chat", "{" P ",\"response_format\":{\"type\":\"gbnf\",\"grammar\":\"a\"}}", 0, ""},
    {"chat", "{" P ",\"response_format\":{\"type\":\"regex\",\"grammar\":\"a\"}}", -32602,
     "response_format.pattern"},
    {"chat", "{" P ",\"response_format\":{\"type\":\"gbnf\"}}", -32602, "response_format.grammar"},
    {"complete", "{" P "}", 0, ""},
    {"complete", "{}", -32602, "prompt"},
    {"complete", "{\"prompt\":[]}", 0, ""},
    {"complete", "{\"prompt\":[1,2.5]}", -32602, "prompt[1]"},
    {"complete", "{\"prompt\":[\"a\"]}", -32602, "prompt[0]"},
    {"complete", "{" P ",\"messages\":[]}", -32602, "messages"},
    {"complete", "{" P ",\"tools\":[]}", -32602, "tools"},
    {"complete", "{" P ",\"echo\":1}", -32602, "echo"},
    {"tokenize", "{\"text\":\"a\\u0000b\"}", 0, ""},
    {"tokenize", "{\"text\":5}", -32602, "text"},
    {"tokenize", "{\"text\":\"\",\"add_special\":0}", -32602, "add_special"},
    {"detokenize", "{\"tokens\":[]}", 0, ""},
    {"detokenize", "{\"tokens\":[1e3]}", 0, ""},
    {"detokenize", "{\"tokens\":[4294967296]}", -32602, "tokens[0]"},
    {"count", "{" P "}", 0, ""},
    {"render", "{" P "," T "}", 0, ""},
    {"cancel", "{}", -32602, "id"},
    {"cancel", "{\"id\":1.5}", -32602, "id"},
    {"cancel", "{\"id\":true}", -32602, "id"},
    {"hello", "{\"client\":\"x\",\"protocol\":2}", 0, ""},
    {"hello", "{\"protocol\":\"1\"}", -32602, "protocol"},
    {"health", "{\"a.b\":1}", -32602, "a.b"},
};

START_TEST(params_and_paths) {
    struct rpc_message *message = call(params[_i].method, params[_i].params);
    const struct error *error = &message->calls->error;
    ck_assert_msg((int)error->code == params[_i].code && strcmp(error->path, params[_i].path) == 0,
                  "%s %s gave %d at \"%s\": %s", params[_i].method, params[_i].params,
                  (int)error->code, error->path, error->message);
    ck_assert_int_eq(error->code != ERROR_NONE, error->message[0] != '\0');
    rpc_message_free(message);
}
END_TEST

static void text_is(struct text text, const char *wanted) {
    ck_assert_ptr_nonnull(text.bytes);
    ck_assert_msg(text.len == strlen(wanted) && memcmp(text.bytes, wanted, text.len) == 0,
                  "%.*s is not %s", (int)text.len, text.bytes, wanted);
}

START_TEST(defaults) {
    struct rpc_message *message = call("tool_call", "{" P "," T "}");
    const struct generation_spec *spec = &message->calls->spec;
    ck_assert_int_eq(spec->source, PROMPT_MESSAGES);
    ck_assert_uint_eq(spec->n_messages, 1);
    ck_assert_int_eq(spec->messages->role, ROLE_USER);
    text_is(spec->messages->parts->text, "x");
    ck_assert_int_eq(spec->choice, CHOICE_REQUIRED);
    ck_assert_uint_eq(spec->max_calls, 1);
    ck_assert_uint_eq(spec->max_tokens, 0);
    ck_assert(spec->sampling.temperature == 0.0f);
    ck_assert(spec->sampling.repeat_penalty == 1.0f && spec->sampling.typical_p == 1.0f);
    ck_assert(!spec->sampling.want_logprobs && !spec->stream && !spec->progress);
    ck_assert(spec->cache_store && !spec->cache_pin && spec->deadline_ns == 0);
    ck_assert(!message->calls->seed_given && !message->calls->now_given);
    ck_assert_ptr_null(spec->tools->schema.bytes);
    ck_assert_ptr_null(spec->tools->description.bytes);
    rpc_message_free(message);
    message = call("chat", "{" P "," T "}");
    ck_assert_int_eq(message->calls->spec.choice, CHOICE_AUTO);
    ck_assert(message->calls->spec.sampling.temperature == 0.8f);
    rpc_message_free(message);
    message = call("chat", "{" P "}");
    ck_assert_int_eq(message->calls->spec.choice, CHOICE_NONE);
    rpc_message_free(message);
}
END_TEST

START_TEST(typed_options) {
    struct rpc_message *message =
        call("chat",
             "{" P "," T ",\"tool_choice\":{\"name\":\"t\"},\"max_calls\":3,\"max_tokens\":77,"
             "\"deadline_ms\":1500,\"stop\":[\"a\",\"\\n\"],\"now\":1700000000,\"model\":\"m\","
             "\"priority\":\"batch\",\"json_style\":\"compact\",\"temperature\":0.25,\"top_k\":7,"
             "\"top_p\":0.5,\"min_p\":0.999999999999,\"typical_p\":1e-60,\"seed\":5,\"logprobs\":0,"
             "\"logit_bias\":{\"9\":1e300,\"2\":-1.5},\"stream\":true,\"progress\":true,"
             "\"cache\":{\"store\":false,\"pin\":true},"
             "\"response_format\":{\"type\":\"json_schema\",\"schema\":{\"const\" : 1.10}}}");
    const struct rpc_call *c = message->calls;
    const struct generation_spec *spec = &c->spec;
    ck_assert_int_eq(c->error.code, ERROR_NONE);
    ck_assert_int_eq(spec->choice, CHOICE_NAMED);
    text_is(spec->choice_name, "t");
    text_is(c->model, "m");
    ck_assert_uint_eq(spec->max_calls, 3);
    ck_assert_uint_eq(spec->max_tokens, 77);
    ck_assert_int_eq(spec->deadline_ns, 1500000000);
    ck_assert_uint_eq(spec->n_stop, 2);
    text_is(spec->stop[1], "\n");
    ck_assert(c->now_given && spec->now == 1700000000 && spec->batch_priority);
    ck_assert_int_eq(spec->style, STYLE_COMPACT);
    ck_assert(spec->sampling.temperature == 0.25f && spec->sampling.top_k == 7);
    ck_assert(spec->sampling.min_p < 1.0f && spec->sampling.typical_p > 0.0f);
    ck_assert(c->seed_given && spec->sampling.seed == 5);
    ck_assert(spec->sampling.want_logprobs && spec->sampling.logprobs == 0);
    ck_assert_uint_eq(spec->sampling.n_bias, 2);
    ck_assert(spec->sampling.bias[0].token == 2 && spec->sampling.bias[0].bias == -1.5f);
    ck_assert(spec->sampling.bias[1].token == 9 && spec->sampling.bias[1].bias == 1e6f);
    ck_assert(spec->stream && spec->progress && !spec->cache_store && spec->cache_pin);
    ck_assert_int_eq(spec->format, FORMAT_JSON_SCHEMA);
    text_is(spec->format_schema, "{\"const\" : 1.10}");
    rpc_message_free(message);
}
END_TEST

/* Schemas and arguments are the bytes received: spelling of numbers, order, blanks. */
START_TEST(raw_bytes) {
    struct rpc_message *message = call(
        "tool_call",
        "{\"_meta\":{\"tools\":[{\"name\":\"decoy\"}]},\"tools\":["
        "{\"name\":\"a\",\"parameters\":{\"b\":0.1, \"a\": "
        "123456789012345678901234567890,\"e\":1E400}},"
        "{\"type\":\"function\",\"x\":{\"parameters\":1},\"function\":{\"description\":\"d "
        "\\\"q\\\"\","
        "\"p\\u0061rameters\":{\"x\":[1.0,\"\\\"}\"]},\"name\":\"b\"}},"
        "{\"inputSchema\":{ },\"name\":\"c\"},{\"name\":\"d\",\"parameters\":true}],"
        "\"messages\":[{\"content\":\"c\",\"role\":\"user\"},{\"role\":\"assistant\",\"content\":"
        "null,"
        "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"a\","
        "\"arguments\":"
        "\"  {\\\"n\\\": 1.50}\\n\"}},{\"name\":\"b\",\"arguments\":{\"z\":1e2,\"y\":[ ]}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"name\":\"a\",\"content\":[{\"type\":\"text\","
        "\"text\":\"r\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":"
        "\"s\"}]}]}");
    const struct generation_spec *spec = &message->calls->spec;
    ck_assert_int_eq(message->calls->error.code, ERROR_NONE);
    ck_assert_uint_eq(spec->n_tools, 4);
    text_is(spec->tools[0].schema,
            "{\"b\":0.1, \"a\": 123456789012345678901234567890,\"e\":1E400}");
    text_is(spec->tools[1].schema, "{\"x\":[1.0,\"\\\"}\"]}");
    text_is(spec->tools[1].description, "d \"q\"");
    text_is(spec->tools[2].schema, "{ }");
    text_is(spec->tools[3].schema, "true");
    const struct message *assistant = &spec->messages[1], *tool = &spec->messages[2];
    ck_assert_uint_eq(assistant->n_calls, 2);
    ck_assert_uint_eq(assistant->n_parts, 0);
    text_is(assistant->calls[0].id, "1");
    text_is(assistant->calls[0].arguments, "{\"n\": 1.50}");
    ck_assert_ptr_null(assistant->calls[1].id.bytes);
    text_is(assistant->calls[1].name, "b");
    text_is(assistant->calls[1].arguments, "{\"z\":1e2,\"y\":[ ]}");
    ck_assert_uint_eq(tool->n_parts, 2);
    ck_assert(tool->parts[0].stable && !tool->parts[1].stable);
    text_is(tool->tool_call_id, "1");
    rpc_message_free(message);
}
END_TEST

START_TEST(other_methods) {
    struct rpc_message *message = call("complete", "{\"prompt\":[1,2,2147483647],\"echo\":true}");
    const struct generation_spec *spec = &message->calls->spec;
    ck_assert_int_eq(spec->source, PROMPT_TOKENS);
    ck_assert(spec->n_tokens == 3 && spec->tokens[2] == 2147483647 && spec->echo);
    rpc_message_free(message);
    message = call("tokenize", "{\"text\":\"a\\u0000b\",\"parse_special\":true}");
    ck_assert(message->calls->input.len == 3 &&
              memcmp(message->calls->input.bytes, "a\0b", 3) == 0);
    ck_assert(message->calls->parse_special && !message->calls->add_special);
    rpc_message_free(message);
    message = call("cancel", "{\"id\":\"\\u0041\"}");
    ck_assert_str_eq(message->calls->cancel_id, "\"A\"");
    rpc_message_free(message);
    message = call("notifications/cancelled", "{\"requestId\":-7,\"reason\":\"r\"}");
    ck_assert_int_eq(message->calls->method, METHOD_CANCEL);
    ck_assert_str_eq(message->calls->cancel_id, "-7");
    rpc_message_free(message);
    message = call("hello", "{\"protocol\":2,\"client\":{\"name\":\"x\"}}");
    ck_assert_int_eq(message->calls->protocol, 2);
    rpc_message_free(message);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("params");
    add_test(suite, "params", params_and_paths, sizeof params / sizeof *params);
    add_test(suite, "defaults", defaults, 0);
    add_test(suite, "options", typed_options, 0);
    add_test(suite, "raw", raw_bytes, 0);
    add_test(suite, "others", other_methods, 0);
    return run_suite(suite);
}
