/* text_corpus: grammars of text, such as people write and such as nobody should. Header-only, for tests
 * and benches. */
#ifndef TESTS_TEXT_CORPUS_H
#define TESTS_TEXT_CORPUS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text_sample {
    const char *name, *text;
    bool regex;
};

static const struct text_sample text_real[] = {
    {"json",
     "root ::= object # a comment\n"
     "value ::= object | array | string | number | (\"true\" | \"false\" | \"null\") ws\n"
     "object ::= \"{\" ws (\n  string \":\" ws value (\",\" ws string \":\" ws value)*\n)? \"}\" ws\n"
     "array ::= \"[\" ws (value (\",\" ws value)*)? \"]\" ws\n"
     "string ::= \"\\\"\" ([^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\bfnrt] | \"u\" [0-9a-fA-F]{4}))* "
     "\"\\\"\" ws\n"
     "number ::= (\"-\"? ([0-9] | [1-9] [0-9]{0,15})) (\".\" [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws\n"
     "ws ::= | \" \" | \"\\n\" [ \\t]{0,20}\n",
     false},
    {"arithmetic",
     "root ::= (expr \"=\" term \"\\n\")+\nexpr ::= term ([-+*/] term)*\n"
     "term ::= ident | num | \"(\" expr \")\"\nident ::= [a-z] [a-z0-9_]*\nnum ::= [0-9]+\n",
     false},
    {"chess",
     "root ::= \"1. \" move \" \" move \"\\n\" ([1-9] [0-9]? \". \" move \" \" move \"\\n\")+\n"
     "move ::= (pawn | nonpawn | castle) [+#]?\n"
     "nonpawn ::= [NBKQR] [a-h]? [1-8]? \"x\"? [a-h] [1-8]\n"
     "pawn ::= ([a-h] \"x\")? [a-h] [1-8] (\"=\" [NBKQR])?\ncastle ::= \"O-O\" \"-O\"?\n",
     false},
    {"c subset",
     "root ::= function+\n"
     "function ::= type \" \" name \"(\" (param (\", \" param)*)? \") {\\n\" statement* \"}\\n\"\n"
     "param ::= type \" \" name\ntype ::= \"int\" | \"float\" | \"char\" | \"void\"\n"
     "name ::= [a-zA-Z_] [a-zA-Z_0-9]*\n"
     "statement ::= \"    \" (type \" \" name \" = \" expression \";\" | name \" = \" expression \";\" | "
     "\"return \" expression \";\" | \"while (\" condition \") {\\n\" statement* \"    }\" | "
     "\"if (\" condition \") {\\n\" statement* \"    }\" (\" else {\\n\" statement* \"    }\")? | "
     "call \";\" | comment) \"\\n\"\n"
     "condition ::= expression (\" < \" | \" > \" | \" <= \" | \" >= \" | \" == \" | \" != \") expression\n"
     "expression ::= term ((\" + \" | \" - \") term)*\nterm ::= factor ((\" * \" | \" / \") factor)*\n"
     "factor ::= name | number | call | \"-\" factor | \"(\" expression \")\" | literal\n"
     "call ::= name \"(\" (expression (\", \" expression)*)? \")\"\n"
     "number ::= [0-9]+ (\".\" [0-9]+)?\nliteral ::= \"'\" [^'\\\\\\n] \"'\" | \"\\\"\" [^\"\\\\\\n]* \"\\\"\"\n"
     "comment ::= \"// \" [^\\n]* | \"/* \" ([^*] | \"*\" [^/])* \"*/\"\n",
     false},
    {"list", "root ::= (\"- \" [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ \"\\n\")+", false},
    {"markdown",
     "root ::= \"# \" line \"\\n\" block+\n"
     "block ::= (item+ | [1-9] \". \" line | para) \"\\n\"\n"
     "item ::= (\"- \" | \"* \") line\npara ::= [A-Z] [^\\n]* \"\\n\"\nline ::= [^\\n]+ \"\\n\"\n",
     false},
    {"sentences",
     "root ::= sentence (\" \" sentence){0,4}\nsentence ::= [A-Z] [a-z]* ([ ,'-] [ ]? word)* [.!?]\n"
     "word ::= [a-zA-Z]+ | number\nnumber ::= [0-9]{1,9} (\".\" [0-9]{1,2})?\n",
     false},
    {"answer",
     "root ::= \"Thought: \" [^\\n]{1,400} \"\\n\" (\"Action: \" (\"search\" | \"calculate\" | \"finish\") \"[\" [^\\]\\n]* "
     "\"]\\n\")\n",
     false},
    {"sql",
     "root ::= \"SELECT \" columns \" FROM \" name (\" WHERE \" test ((\" AND \" | \" OR \") test)*)? (\" ORDER BY \" name "
     "(\" ASC\" | \" DESC\")?)? (\" LIMIT \" [1-9] [0-9]{0,5})? \";\"\n"
     "columns ::= \"*\" | column (\", \" column)*\ncolumn ::= name | (\"COUNT\" | \"SUM\" | \"AVG\") \"(\" (name | \"*\") \")\"\n"
     "test ::= name \" \" (\"=\" | \"<\" | \">\" | \"<>\" | \"LIKE\" | \"IN\") \" \" (value | \"(\" value (\", \" value)* \")\")\n"
     "value ::= [0-9]+ | \"'\" ([^'] | \"''\")* \"'\"\nname ::= [a-z_] [a-z_0-9]{0,62} (\".\" [a-z_] [a-z_0-9]{0,62})?\n",
     false},
    {"csv",
     "root ::= row{2,2000}\nrow ::= field (\",\" field){4} \"\\r\\n\"\n"
     "field ::= [^\",\\r\\n]* | \"\\\"\" ([^\"] | \"\\\"\\\"\")* \"\\\"\"\n",
     false},
    {"xml",
     "root ::= \"<?xml version=\\\"1.0\\\"?>\\n\" element\n"
     "element ::= \"<\" name (\" \" name \"=\\\"\" ([^<&\"] | entity)* \"\\\"\")* (\"/>\" | \">\" content \"</\" name \">\")\n"
     "content ::= ([^<&] | entity | element | \"<!--\" ([^-] | \"-\" [^-])* \"-->\")*\n"
     "entity ::= \"&\" (\"amp\" | \"lt\" | \"gt\" | \"quot\" | \"#\" [0-9]{1,6}) \";\"\n"
     "name ::= [a-zA-Z_:\\u00C0-\\uFFFD] [a-zA-Z_:.0-9\\u00B7-\\uFFFD-]*\n",
     false},
    {"japanese",
     "root ::= jp-char+ ([ \\t\\n] jp-char+)*\njp-char ::= hiragana | katakana | punctuation | cjk\n"
     "hiragana ::= [\\u3041-\\u309F]\nkatakana ::= [\\u30A1-\\u30FF]\npunctuation ::= [\\u3001-\\u303E]\n"
     "cjk ::= [\\u4E00-\\u9FFF]\n",
     false},
    {"cyrillic", "root ::= [\\u0410-\\u042F] [\\u0430-\\u044F\\u0451 ,]{10,300} [.?]", false},
    {"counted", "root ::= [a-zA-Z ]{0,5000}", false},
    {"brackets", "root ::= (\"(\" [^()]* root? \")\")+", false},
    {"words", "root ::= ([a-z]+ \" \"){3,900} \"\\U0001F600\" [\\u0400-\\u04ff]*", false},
    {"colours",
     "root ::= colour (\", \" colour)*\ncolour ::= (\"light \" | \"dark \")? (\"red\" | \"rose\" | \"ruby\" | \"green\" | \"grey\" | "
     "\"gold\" | \"blue\" | \"black\" | \"brown\" | \"beige\" | \"white\" | \"violet\" | \"yellow\") | \"#\" [0-9a-fA-F]{6}\n",
     false},
    {"yaml",
     "root ::= pair+\npair ::= key \": \" (scalar \"\\n\" | \"\\n\" (\"  \" key \": \" scalar \"\\n\")+ | \"\\n\" (\"  - \" scalar \"\\n\")+)\n"
     "key ::= [a-z] [a-zA-Z0-9_-]*\nscalar ::= [^\\n:#{}\\[\\]&*?|<>=!%@\\\\'\"] [^\\n:#]* | \"\\\"\" [^\"\\n]* \"\\\"\" | \"null\" | \"true\"\n",
     false},
    {"url",
     "root ::= \"http\" \"s\"? \"://\" host (\":\" [0-9]{1,5})? (\"/\" [a-zA-Z0-9._~%-]*)* (\"?\" [^ #\\n]*)?\n"
     "host ::= [a-z0-9-]+ (\".\" [a-z0-9-]+)+\n",
     false},
    {"lambda", "root ::= e\ne ::= t (\" \" t)*\nt ::= [a-z] | \"(\" e \")\" | \"\\\\\" [a-z] \".\" e\n", false},
    {"free", "root ::= .*", false},
    {"dotall", "root ::= [^\\x00]*", false},
    {"not q", "root ::= ([^q]+ \"q\")+", false},
    {"date", "\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}:\\d{2}Z)?", true},
    {"email", "[\\w.+-]+@[a-z0-9-]+(\\.[a-z0-9-]+)+", true},
    {"sentence", "(yes|no), because [^.\\n]{5,120}\\.", true},
    {"any", ".*", true},
    {"anything", "[\\s\\S]*", true},
    {"uuid", "[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", true},
    {"ipv4", "((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)", true},
    {"quoted", "\"([^\"\\\\]|\\\\.)*\"", true},
    {"words of four", "(\\w{4} ){2,40}\\w{4}", true},
    {"letters", "[\\u00C0-\\u024Fa-zA-Z' -]{2,60}", true},
    {"with digit", "(?=.*\\d)[a-zA-Z\\d]{8,20}", true},
    {"code", "```[a-z]+\\n[^`]*```", true},
    {"log", "\\[(INFO|WARN|ERROR)\\] \\d{4}-\\d\\d-\\d\\d [^\\r\\n]+", true},
};

enum { TEXT_REAL = sizeof text_real / sizeof *text_real };

/* ---- hostile ones; free() the text ---- */

static inline char *text_repeated(const char *head, const char *part, size_t n, const char *tail) {
    size_t len = strlen(part), at = strlen(head);
    char *text = malloc(at + n * len + strlen(tail) + 1);
    strcpy(text, head);
    for (size_t i = 0; i < n; i++, at += len) memcpy(text + at, part, len);
    strcpy(text + at, tail);
    return text;
}

static const char *const text_small_hostile[][2] = {
    {"stars", "root ::= ((((.*)*)*)*)* \"b\""},
    {"nested lists", "root ::= ((([a-z]* \" \"*)* [.]*)* \"\\n\"*)*"},
    {"ambiguous", "root ::= e\ne ::= t ([ -/] t)*\nt ::= u | v | w | u u | v w | [a-z]+\nu ::= [a-z ]+ v?\n"
                  "v ::= [a-z]* \" \" u? | \"a\"\nw ::= u | v | [a-zA-Z]+ w?\n"},
    {"doubling", "root ::= s\ns ::= [a-z ] s s | [a-z ]"},
    {"tripling", "root ::= s\ns ::= . s s s | . s | ."},
    {"brackets", "root ::= s\ns ::= (. s .)*"},
    {"palindromes", NULL},
    {"even ones", "root ::= s\ns ::= [a-z] s [a-z] | [b-y] s [a-z] | [a-m] s [n-z] | \" \" s \".\" | \"!\""},
    {"counters", "root ::= ([a-z ]{1,500} | [a-m ][a-z]{1,500}){1,500} \".\""},
    {"counted groups", "root ::= (([a-z]{0,1000} \" \"?){0,1000} [.,]?){0,1000}"},
    {"repeated groups", "root ::= ([a-z]+ [ .] | [a-z ] | [A-Z] [a-z]* \" \"){0,1000}"},
    {"deep counts", "root ::= ((((.{0,300}){0,300}){0,300}){0,300}){0,300}"},
    {"mixed counts", "root ::= (a | b | c){2,900}\na ::= [a-z]{1,300}\nb ::= [a-z ]{2,301}\nc ::= ([a-z] | [ ]){3,302}"},
    {"last but many", "root ::= .* [a-m] .{200}"},
    {"not yet", "root ::= [a-z ]* \"a\" [a-z ]{30,60} \"b\" [a-z ]* \"c\" [a-z ]{20} | [a-z .]* \"d\" [a-z .]{40}"},
    {"every class", NULL},
    {"many stars", NULL},
    {"many letters", NULL},
    {"many rules", NULL},
    {"common prefixes", NULL},
    {"words as rules", NULL},
    {"long optional", NULL},
    {"tower", NULL},
    {"graph", NULL},
    {"shuffles", NULL},
    {"deep stacks", NULL},
    {"suffixes", NULL},
};

enum { TEXT_HOSTILE = sizeof text_small_hostile / sizeof *text_small_hostile };

static inline char *text_made(const char *name) {
    char *text = malloc(1 << 20), *at = text;
    *at = '\0';
    if (!strcmp(name, "palindromes")) {
        at += sprintf(at, "root ::= s\ns ::= [a-z ]?");
        for (int c = 'a'; c <= 'z'; c++) at += sprintf(at, " | \"%c\" s \"%c\"", c, c);
        sprintf(at, " | \" \" s \" \"\n");
    } else if (!strcmp(name, "every class")) {
        at += sprintf(at, "root ::= (");
        for (int c = 0xA1; c < 0xA1 + 900; c++) at += sprintf(at, "[!-\\u%04X] \"x\"? | ", c);
        sprintf(at, "\" \")*\n");
    } else if (!strcmp(name, "many stars")) {
        at += sprintf(at, "root ::=");
        for (int i = 0; i < 2000; i++) at += sprintf(at, " [a-z%c]*", " .,-!?'"[i % 7]);
    } else if (!strcmp(name, "many letters")) {
        at += sprintf(at, "root ::=");
        for (int i = 0; i < 4000; i++) at += sprintf(at, " [%c-z ]?", 'a' + i % 20);
    } else if (!strcmp(name, "many rules")) {
        at += sprintf(at, "root ::= r0\n");
        for (int i = 0; i < 2000; i++)
            at += sprintf(at, "r%d ::= [a-z] r%d [a-z ] r%d | [%c-z ] r%d? | \"%c\"\n", i, (i * 7 + 1) % 2000,
                          (i * 5 + 2) % 2000, 'a' + i % 26, (i * 3 + 1) % 2000, 'a' + i % 26);
    } else if (!strcmp(name, "common prefixes") || !strcmp(name, "words as rules")) {
        bool rules = name[0] == 'w';
        at += sprintf(at, "root ::= (w [ ,])+\nw ::= \"w\"");
        for (int i = 1; i < (rules ? 900 : 3000); i++) {
            static const char *const heads[] = {"the", "in", "inter", "trans", "con", "com", "pre", "pro"};
            if (rules) at += sprintf(at, " | r%d", i);
            else at += sprintf(at, " | \"%s%c%c%c\"", heads[i % 8], 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
        }
        *at++ = '\n';
        for (int i = 1; rules && i < 900; i++)
            at += sprintf(at, "r%d ::= [a-%c] \"%c\" [a-z]* [%c-z]\n", i, 'b' + i % 25, 'a' + i / 26 % 26, 'a' + i % 23);
        *at = '\0';
    } else if (!strcmp(name, "long optional")) {
        at += sprintf(at, "root ::=");
        for (int i = 0; i < 1000; i++) at += sprintf(at, " ([a-z]+ [ ,.] | [A-Z])?");
    } else if (!strcmp(name, "tower")) {
        at += sprintf(at, "root ::= r0\n");
        for (int i = 0; i < 300; i++) at += sprintf(at, "r%d ::= (r%d | [a-z])* [ -/]?\n", i, i + 1);
        sprintf(at, "r300 ::= [a-z ]+\n");
    } else if (!strcmp(name, "graph")) {
        at += sprintf(at, "root ::= r0\n");
        for (int i = 0; i < 6000; i++)
            at += sprintf(at, "r%d ::= [a-z] r%d r%d | [ a]\n", i, (i * 7 + 1) % 6000, (i * 5 + 2) % 6000);
    } else if (!strcmp(name, "shuffles")) { /* any order of 9 words: a state for each set of them */
        at += sprintf(at, "root ::= s\ns ::= ([a-z] s [0-9] | [a-y] s [1-9] | [b-z] s [0-8] | [a-z ] s [.] | [ -~])?\n");
    } else if (!strcmp(name, "deep stacks")) {
        at += sprintf(at, "root ::= a | b | c\na ::= [a-z ] (a | b)? [.]\nb ::= [a-z] (b | c | a)? [,] [.]?\n"
                          "c ::= [ -~] (c | a)? [^,]\n");
    } else if (!strcmp(name, "suffixes")) {
        at += sprintf(at, "root ::= .* (");
        for (int i = 0; i < 900; i++)
            at += sprintf(at, "%s\"%c%c%c%c\" .{%d}", i ? " | " : "", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i * 7 % 26,
                          'a' + i * 11 % 26, 60 + i % 40);
        sprintf(at, ")\n");
    }
    return text;
}

static inline char *text_hostile(int i, const char **name) {
    *name = text_small_hostile[i][0];
    return text_small_hostile[i][1] ? strdup(text_small_hostile[i][1]) : text_made(*name);
}

#endif
