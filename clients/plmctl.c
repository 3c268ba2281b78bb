/* plmctl: plmd from the command line. main, options and the help text. */
#include "clients/plmctl.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/proto.h"

static const char help_text[] =
    "usage: plmctl [OPTIONS] COMMAND [ARGUMENTS]\n"
    "\n"
    "Asks plmd, the local model daemon, for tool calls and text.\n"
    "\n"
    "Commands:\n"
    "  tool-call --tools FILE MESSAGE   choose tools and fill in their arguments; prints one line\n"
    "                                   per call: NAME ARGUMENTS\n"
    "  chat [MESSAGE]                   answer a message; without one: a conversation, line by "
    "line\n"
    "  complete TEXT                    continue a text, without a chat template\n"
    "  tokenize TEXT                    print the token ids of a text\n"
    "  health | stats | model           how the daemon is, what it counted, what it serves\n"
    "  call METHOD [PARAMS]             any method of the protocol, params and result as JSON\n"
    "                                   (`plmctl call rpc.discover` lists them)\n"
    "A MESSAGE, TEXT or PARAMS of - is read from standard input. Words are joined by blanks.\n"
    "\n"
    "Options:\n"
    "  --tools FILE         tools as JSON: an array of them, or {\"tools\": [...]}; - is stdin\n"
    "  --choice CHOICE      auto, required (the default of tool-call), none, or a tool's name\n"
    "  --system TEXT        a system message to begin with (tool-call, chat)\n"
    "  --schema FILE        a JSON Schema that the text must satisfy (chat, complete)\n"
    "  --regex PATTERN      a regular expression that the whole text must match (chat, complete)\n"
    "  --gbnf FILE          a grammar of the text, in llama.cpp's notation (chat, complete)\n"
    "  --max-tokens N       longest output, in tokens\n"
    "  --temperature T      0 (always the likeliest) to 5; default 0 for tool-call, else 0.8\n"
    "  --seed N             the same seed gives the same answer\n"
    "  --model ALIAS        one of the daemon's models; default its first\n"
    "  --timeout SECONDS    give up after so long (exit status 124)\n"
    "  --stream             print text as it comes, also when stdout is no terminal\n"
    "  --json               print the whole result as one line of JSON\n"
    "  --quiet              no progress on a terminal\n"
    "  --socket PATH        the daemon's socket; default $PLM_SOCKET, else\n"
    "                       $XDG_RUNTIME_DIR/plmd/plmd.sock, else /run/plmd/plmd.sock\n"
    "  -h, --help           this text\n"
    "  -V, --version        the version\n"
    "\n"
    "Results go to standard output, everything else to standard error. Ctrl-C cancels the "
    "request.\n"
    "\n"
    "Exit status: 0 done, 1 the daemon answered with an error, 2 no daemon reached, 3 wrong "
    "usage,\n"
    "124 timeout or deadline, 130 interrupted.\n"
    "\n"
    "Examples:\n"
    "  plmctl tool-call --tools tools.json \"What is the weather in Oslo?\"\n"
    "  plmctl chat --system \"Be brief.\" \"Why is the sky blue?\"\n"
    "  git diff | plmctl chat --max-tokens 80 -\n"
    "  plmctl call count '{\"prompt\": \"Hello\"}'\n";

enum {
    OPTION_SOCKET = 256,
    OPTION_MODEL,
    OPTION_JSON,
    OPTION_STREAM,
    OPTION_QUIET,
    OPTION_TIMEOUT,
    OPTION_TOOLS,
    OPTION_CHOICE,
    OPTION_SYSTEM,
    OPTION_SCHEMA,
    OPTION_REGEX,
    OPTION_GBNF,
    OPTION_MAX_TOKENS,
    OPTION_TEMPERATURE,
    OPTION_SEED,
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"model", required_argument, NULL, OPTION_MODEL},
    {"json", no_argument, NULL, OPTION_JSON},
    {"stream", no_argument, NULL, OPTION_STREAM},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"tools", required_argument, NULL, OPTION_TOOLS},
    {"choice", required_argument, NULL, OPTION_CHOICE},
    {"system", required_argument, NULL, OPTION_SYSTEM},
    {"schema", required_argument, NULL, OPTION_SCHEMA},
    {"regex", required_argument, NULL, OPTION_REGEX},
    {"gbnf", required_argument, NULL, OPTION_GBNF},
    {"max-tokens", required_argument, NULL, OPTION_MAX_TOKENS},
    {"temperature", required_argument, NULL, OPTION_TEMPERATURE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

int talk_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("plmctl: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry `plmctl --help`.\n", stderr);
    return EXIT_USAGE;
}

/* ---- options ---- */

/* A number as JSON spells it goes to the daemon as it is. */
static int set_number(const char **out, const char *name, const char *value) {
    struct error error = {0};
    bool digit = (*value >= '0' && *value <= '9') || *value == '-';
    if (!digit || !json_check((struct text){value, strlen(value)}, &error))
        return talk_usage("--%s wants a number, not \"%s\"", name, value);
    *out = value;
    return EXIT_OK;
}

static int set_timeout(struct options *options, const char *value) {
    char *end;
    double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds > 0) || seconds > 1e9)
        return talk_usage("--timeout wants seconds above 0, not \"%s\"", value);
    options->timeout_ms = (int64_t)(seconds * 1000 + 0.999);
    return EXIT_OK;
}

static int set_option(struct options *options, int option, const char *value) {
    switch (option) {
    case OPTION_SOCKET: options->socket = value; return EXIT_OK;
    case OPTION_MODEL: options->model = value; return EXIT_OK;
    case OPTION_JSON: options->json = true; return EXIT_OK;
    case OPTION_STREAM: options->stream = true; return EXIT_OK;
    case OPTION_QUIET: options->quiet = true; return EXIT_OK;
    case OPTION_TOOLS: options->tools = value; return EXIT_OK;
    case OPTION_CHOICE: options->choice = value; return EXIT_OK;
    case OPTION_SYSTEM: options->system = value; return EXIT_OK;
    case OPTION_SCHEMA: options->schema = value; return EXIT_OK;
    case OPTION_REGEX: options->regex = value; return EXIT_OK;
    case OPTION_GBNF: options->gbnf = value; return EXIT_OK;
    case OPTION_TIMEOUT: return set_timeout(options, value);
    case OPTION_MAX_TOKENS: return set_number(&options->max_tokens, "max-tokens", value);
    case OPTION_TEMPERATURE: return set_number(&options->temperature, "temperature", value);
    case OPTION_SEED: return set_number(&options->seed, "seed", value);
    default: fputs("Try `plmctl --help`.\n", stderr); return EXIT_USAGE;
    }
}

/* ---- commands ---- */

static int command_health(struct session *session) {
    return command_show(session, "health");
}

static int command_stats(struct session *session) {
    return command_show(session, "stats");
}

static int command_model(struct session *session) {
    return command_show(session, "model.info");
}

static const struct {
    const char *name;
    int (*run)(struct session *session);
    int words_min, words_max; /* max < 0: any number, joined */
    const char *wants;        /* what the words are */
} commands[] = {
    {"tool-call", command_tool_call, 1, -1, "a message"},
    {"chat", command_chat, 0, -1, "a message"},
    {"complete", command_complete, 1, -1, "a text"},
    {"tokenize", command_tokenize, 1, -1, "a text"},
    {"health", command_health, 0, 0, ""},
    {"stats", command_stats, 0, 0, ""},
    {"model", command_model, 0, 0, ""},
    {"call", command_call, 1, 2, "a method"},
};

static int run(const struct options *options, const char *name) {
    struct session session = {.options = options};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) != 0) continue;
        if (options->n_words < commands[i].words_min)
            return talk_usage("%s wants %s", name, commands[i].wants);
        if (commands[i].words_max >= 0 && options->n_words > commands[i].words_max)
            return talk_usage("%s: too many arguments", name);
        int status = commands[i].run(&session);
        talk_close(&session);
        return status;
    }
    return talk_usage("there is no command %s", name);
}

int main(int argc, char **argv) {
    struct options options = {0};
    int option;
    while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
        if (option == 'h') return fputs(help_text, stdout) < 0;
        if (option == 'V') return puts("plmctl " PLM_VERSION) < 0;
        int status = set_option(&options, option, optarg);
        if (status != EXIT_OK) return status;
    }
    if (optind == argc) return talk_usage("which command?");
    options.words = argv + optind + 1;
    options.n_words = argc - optind - 1;
    int status = run(&options, argv[optind]);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("plmctl: cannot write the result\n", stderr);
        return status == EXIT_OK ? EXIT_REFUSED : status;
    }
    return status;
}
