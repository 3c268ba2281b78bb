# plm: build, test, install. `make help` lists the targets.
#
# One archive a layer; a program or a test links only the layers below it, so the
# linker proves the architecture (tools/check-layers proves the include lines):
#     base <- kernels, base <- engine -> kernels, base <- proto, daemon -> engine + proto, clients -> proto

BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
OPT      ?= -O2 -g
SAN      ?=
# For the kernels on top of SAN, e.g. -fno-sanitize=thread: real models are too slow otherwise.
KERNEL_SAN ?=

WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS += -std=gnu11 $(OPT) $(WARN) $(SAN) -fno-math-errno -ffp-contract=off -D_GNU_SOURCE -I. -I$(BUILD) -pthread
# Small programs: what is not used is left out, and nobody unwinds C without debug information.
CFLAGS  += -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
LDFLAGS += $(SAN) -pthread -Wl,--gc-sections
# Pointers in tables take a bit to relocate, not 24 bytes (20 KB). Only since glibc 2.36: before, a program so linked
# would not start.
GLIBC := $(shell getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
ifeq ($(shell printf '2.36\n%s\n' "$(GLIBC)" | sort -V | head -n 1),2.36)
LDFLAGS += -Wl,-z,pack-relative-relocs
endif
VERSION := $(shell cat VERSION)

ISA := $(shell uname -m)
KERNEL_SOURCES := $(wildcard kernels/*.c kernels/scalar/*.c)
ifeq ($(ISA),x86_64)
KERNEL_SOURCES += $(wildcard kernels/avx2/*.c kernels/avx512/*.c)
endif

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
BASE_O    := $(call objects,$(wildcard base/*.c))
KERNELS_O := $(call objects,$(KERNEL_SOURCES))
ENGINE_O  := $(call objects,$(wildcard engine/*.c))
PROTO_O   := $(call objects,$(wildcard proto/*.c)) $(BUILD)/proto/methods.gen.o
DAEMON_O  := $(call objects,$(filter-out daemon/main.c,$(wildcard daemon/*.c)))
CLIENT_O  := $(call objects,$(wildcard clients/c/*.c))
PLMCTL_O  := $(call objects,$(wildcard clients/plmctl*.c))

BASE    := $(BUILD)/libbase.a
KERNELS := $(BUILD)/libkernels.a
ENGINE  := $(BUILD)/libengine.a
PROTO   := $(BUILD)/libproto.a
DAEMON  := $(BUILD)/libdaemon.a
CLIENT  := $(BUILD)/libplm.a

PROGRAMS := $(BUILD)/plmd $(BUILD)/plmctl $(BUILD)/plm-bench $(BUILD)/plm-eval $(BUILD)/plm-schema-bench

RPC_PAGE := $(BUILD)/plm-rpc.7

all: $(PROGRAMS) $(RPC_PAGE)

$(KERNELS_O): CFLAGS += $(KERNEL_SAN)
# The specification must not be vectorised behind its back: gcc 12 -O3 miscompiles such loops.
$(BUILD)/kernels/scalar/%.o: CFLAGS += -fno-tree-vectorize -fno-tree-slp-vectorize
# Small arrays become registers once -O3 unrolls the loops over them.
VECTOR := -mavx2 -mfma -mf16c
$(BUILD)/kernels/avx2/%.o:   CFLAGS += -O3 $(VECTOR)
$(BUILD)/kernels/avx512/%.o: CFLAGS += -O3 $(VECTOR) -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni

# Nothing of base and engine is slower without padding before functions and loops (15 KB); kernels keep it.
$(BASE_O) $(ENGINE_O): CFLAGS += $(if $(findstring -O2,$(OPT)),-fno-align-functions -fno-align-loops -fno-align-jumps -fno-align-labels)
# What runs once a request or less is small rather than fast; in the usual build only.
SMALL := $(wildcard daemon/*.c proto/*.c $(patsubst %,engine/%*.c,schema check_schema validate regex gguf model chat \
    answer disk draft engine finish form gbnf generation grammar guess key_set network output pattern \
    place schedule text_check trail vocab widen))
# Where the time goes that a schema takes.
SMALL := $(filter-out $(patsubst %,engine/schema%.c,_part _map _object _bundle _guard),$(SMALL:engine/schema.c=))
$(call objects,$(SMALL)): CFLAGS += $(if $(findstring -O2,$(OPT)),-Os)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "CC $<"
	@$(CC) $(CFLAGS) -DPLM_VERSION='"$(VERSION)"' -MMD -MP -c $< -o $@

$(BUILD)/proto/methods.gen.o: $(BUILD)/proto/methods.gen.c
	@$(CC) $(CFLAGS) -c $< -o $@
$(BUILD)/proto/methods.gen.c: $(wildcard proto/methods/*.json) tools/embed-methods
	@mkdir -p $(@D)
	tools/embed-methods proto/methods/*.json >$@.tmp && mv $@.tmp $@

$(RPC_PAGE): $(wildcard proto/methods/*.json) tools/make-man VERSION
	@mkdir -p $(@D)
	@tools/make-man proto/methods $(VERSION) >$@.tmp && mv $@.tmp $@

$(BASE): $(BASE_O)
$(KERNELS): $(KERNELS_O)
$(ENGINE): $(ENGINE_O)
$(PROTO): $(PROTO_O)
$(DAEMON): $(DAEMON_O)
$(CLIENT): $(CLIENT_O)
$(BUILD)/lib%.a:
	@mkdir -p $(@D)
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/plmd: $(BUILD)/daemon/main.o $(DAEMON) $(ENGINE) $(KERNELS) $(PROTO) $(BASE)
	@$(CC) $(LDFLAGS) $^ -lev -ljansson -linih -lm -o $@
$(BUILD)/plmctl: $(PLMCTL_O) $(CLIENT) $(PROTO) $(BASE)
	@$(CC) $(LDFLAGS) $^ -ljansson -o $@
$(BUILD)/plm-bench: $(BUILD)/tests/bench/plm-bench.o $(ENGINE) $(KERNELS) $(BASE)
	@$(CC) $(LDFLAGS) $^ -lm -o $@
$(BUILD)/plm-eval: $(BUILD)/tests/bench/plm-eval.o $(ENGINE) $(KERNELS) $(BASE)
	@$(CC) $(LDFLAGS) $^ -lm -o $@
$(BUILD)/plm-schema-bench: $(BUILD)/tests/bench/plm-schema-bench.o $(ENGINE) $(KERNELS) $(BASE)
	@$(CC) $(LDFLAGS) $^ -lm -o $@

# Unit tests: tests/unit/LAYER/test_NAME.c is one Check program that links LAYER and what it may know.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*/test_*.c))
CHECK_LIBS := -lcheck -lsubunit -lrt -lm
link_test = @$(CC) $(LDFLAGS) $^ $(1) $(CHECK_LIBS) -o $@
$(BUILD)/tests/unit/base/%: $(BUILD)/tests/unit/base/%.o $(BASE)
	$(call link_test,)
$(BUILD)/tests/unit/kernels/%: $(BUILD)/tests/unit/kernels/%.o $(KERNELS)
	$(call link_test,)
$(BUILD)/tests/unit/engine/%: $(BUILD)/tests/unit/engine/%.o $(ENGINE) $(KERNELS) $(BASE)
	$(call link_test,)
$(BUILD)/tests/unit/proto/%: $(BUILD)/tests/unit/proto/%.o $(PROTO) $(BASE)
	$(call link_test,-ljansson)
$(BUILD)/tests/unit/daemon/%: $(BUILD)/tests/unit/daemon/%.o $(DAEMON) $(ENGINE) $(KERNELS) $(PROTO) $(BASE)
	$(call link_test,-lev -ljansson -linih)
$(BUILD)/tests/unit/clients/%: $(BUILD)/tests/unit/clients/%.o $(CLIENT) $(PROTO) $(BASE)
	$(call link_test,-ljansson)

BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/bench_*.c))
$(BUILD)/tests/bench/bench_%: $(BUILD)/tests/bench/bench_%.o $(ENGINE) $(KERNELS) $(BASE)
	@$(CC) $(LDFLAGS) $^ -lm -o $@

unit: $(UNIT)

# ---- the two commands of the README ---------------------------------------------------------------
MODEL     := models/SmolLM2-135M-Instruct.Q4_1.gguf
PLM_MODEL ?= $(MODEL)

deps:
	@tools/install-deps
$(MODEL):
	@tools/fetch-model $@
model: deps
	@test "$(PLM_MODEL)" != "$(MODEL)" || tools/fetch-model $(MODEL)

demo: deps
	@$(MAKE) --no-print-directory -j2 all model
	@tools/demo $(BUILD) $(PLM_MODEL)

test: deps agents
	@$(MAKE) --no-print-directory -j2 all unit model
	@$(MAKE) --no-print-directory check-layers
	@BUILD=$(BUILD) PLM_TEST_MODEL=$(PLM_MODEL) tools/run-tests

# Go, and OpenAI's Python package, for the tests of the Go client, the bridge and PicoClaw: fetched into build/ where
# they are missing. Where they can't be had, those tests say SKIP.
agents: deps
	@tools/fetch-go get >/dev/null || true
	@tools/fetch-openai || true

# ---- the rest --------------------------------------------------------------------------------------
debug:
	$(MAKE) BUILD=$(BUILD)/debug OPT="-Og -g3"
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
asan: deps
	$(MAKE) BUILD=$(BUILD)/asan OPT="-O1 -g" SAN="$(SANITIZE)" -j2 all unit
asan-test: asan model
	BUILD=$(BUILD)/asan PLM_TEST_MODEL=$(PLM_MODEL) tools/run-tests
tsan:
	$(MAKE) BUILD=$(BUILD)/tsan OPT="-O1 -g" SAN="-fsanitize=thread" -j2 all unit
bench: all model $(BENCHES)
	$(BUILD)/plm-bench -m $(PLM_MODEL) -p 512 -n 64 -r 5
	@for b in $(BENCHES); do echo "== $$b"; PLM_TEST_MODEL=$(PLM_MODEL) $$b || exit 1; done

# Coverage-guided fuzzing: make fuzz, then build/fuzz/NAME CORPUS-DIR.
fuzz:
	@command -v clang >/dev/null || { echo "fuzzing needs clang and libclang-rt" >&2; exit 1; }
	$(MAKE) BUILD=$(BUILD)/fuzz CC=clang OPT="-O1 -g" SAN="-fsanitize=fuzzer-no-link,address,undefined" \
	    $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(ENGINE) $(KERNELS) $(PROTO) $(BASE)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer $^ -ljansson -lm -o $@

MAN := $(PREFIX)/share/man
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/plm
	install -m 755 $(BUILD)/plmd $(BUILD)/plmctl $(DESTDIR)$(PREFIX)/bin/
	strip $(DESTDIR)$(PREFIX)/bin/plmd $(DESTDIR)$(PREFIX)/bin/plmctl
	install -d $(addprefix $(DESTDIR)$(MAN)/,man1 man7 man8)
	install -m 644 docs/plmctl.1 $(DESTDIR)$(MAN)/man1/
	install -m 644 $(RPC_PAGE) $(DESTDIR)$(MAN)/man7/
	install -m 644 docs/plmd.8 $(DESTDIR)$(MAN)/man8/
	install -m 644 README.md LICENSE packaging/plmd.conf.example $(DESTDIR)$(PREFIX)/share/doc/plm/
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/plmd $(DESTDIR)$(PREFIX)/bin/plmctl
	rm -f $(addprefix $(DESTDIR)$(MAN)/,man1/plmctl.1 man7/plm-rpc.7 man8/plmd.8)
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/plm

# ---- Go: the client, the bridge; only where there is a go (make agents fetches one) ------------------
GO = $(shell tools/fetch-go)
go: bridge
	$(if $(GO),@cd clients/go && $(GO) vet ./...,)
go-test: bridge
	$(if $(GO),@cd clients/go && $(GO) vet ./... && GOARCH=386 $(GO) vet ./... && GOARCH=arm $(GO) vet ./... && $(GO) test ./...,)
bridge:
	$(if $(GO),@mkdir -p $(BUILD) && cd clients/go && CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false \
	    -ldflags "-s -w -X main.version=$(VERSION)" -o $(abspath $(BUILD))/plm-bridge ./cmd/plm-bridge, \
	    @echo "SKIP: plm-bridge needs Go 1.25 or newer")

format:
	clang-format -i $$(git ls-files '*.c' '*.h')
check-layers:
	@tools/check-layers
clean:
	rm -rf $(BUILD)
help:
	@echo "make            build plmd, plmctl, plm-bench, plm-eval, plm-schema-bench into $(BUILD)/"
	@echo "make demo       install what is missing, build, fetch the model, run an agent's request"
	@echo "make test       install what is missing, build, run every test"
	@echo "make debug | asan | tsan | asan-test | fuzz    other builds, below $(BUILD)/"
	@echo "make install PREFIX=/usr/local DESTDIR=    install | uninstall"
	@echo "make go | go-test | bridge    the Go client, its tests, plm-bridge (where there is a go)"
	@echo "make agents     fetch Go and OpenAI's Python package into build/, if they are missing, for those and their tests"
	@echo "make bench | format | check-layers | clean"

.PHONY: all unit deps model demo test debug asan asan-test tsan bench fuzz install uninstall format \
        check-layers clean help go go-test bridge agents
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' -not -path '$(BUILD)/debug/*' -not -path '$(BUILD)/asan/*' \
    -not -path '$(BUILD)/tsan/*' -not -path '$(BUILD)/fuzz/*' -not -path '$(BUILD)/go/*' 2>/dev/null)
