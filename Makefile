# plm: build, test, install. `make help` lists the targets.
#
# One archive a layer; a program or a test links only the layers below it, so the
# linker proves the architecture (tools/check-layers proves the include lines):
#     base <- kernels, base <- engine -> kernels, base <- proto, daemon -> engine + proto, clients -> proto

BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= gcc
OPT      ?= -O2 -g
SAN      ?=

WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS += -std=gnu11 $(OPT) $(WARN) $(SAN) -fno-math-errno -ffp-contract=off -D_GNU_SOURCE -I. -I$(BUILD) -pthread
LDFLAGS += $(SAN) -pthread
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

BASE    := $(BUILD)/libbase.a
KERNELS := $(BUILD)/libkernels.a
ENGINE  := $(BUILD)/libengine.a
PROTO   := $(BUILD)/libproto.a
DAEMON  := $(BUILD)/libdaemon.a
CLIENT  := $(BUILD)/libplm.a

PROGRAMS := $(BUILD)/plmd $(BUILD)/plmctl $(BUILD)/plm-bench $(BUILD)/plm-eval

all: $(PROGRAMS)

# The specification must not be vectorised behind its back: gcc 12 -O3 miscompiles such loops.
$(BUILD)/kernels/scalar/%.o: CFLAGS += -fno-tree-vectorize -fno-tree-slp-vectorize
$(BUILD)/kernels/avx2/%.o:   CFLAGS += -O3 -mavx2 -mfma -mf16c
$(BUILD)/kernels/avx512/%.o: CFLAGS += -O3 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -DPLM_VERSION='"$(VERSION)"' -MMD -MP -c $< -o $@

$(BUILD)/proto/methods.gen.o: $(BUILD)/proto/methods.gen.c
	$(CC) $(CFLAGS) -c $< -o $@
$(BUILD)/proto/methods.gen.c: $(wildcard proto/methods/*.json) tools/embed-methods
	@mkdir -p $(@D)
	tools/embed-methods proto/methods/*.json >$@.tmp && mv $@.tmp $@

$(BASE): $(BASE_O)
$(KERNELS): $(KERNELS_O)
$(ENGINE): $(ENGINE_O)
$(PROTO): $(PROTO_O)
$(DAEMON): $(DAEMON_O)
$(CLIENT): $(CLIENT_O)
$(BUILD)/lib%.a:
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/plmd: $(BUILD)/daemon/main.o $(DAEMON) $(ENGINE) $(KERNELS) $(PROTO) $(BASE)
	$(CC) $(LDFLAGS) $^ -lev -ljansson -lm -o $@
$(BUILD)/plmctl: $(BUILD)/clients/plmctl.o $(CLIENT) $(PROTO) $(BASE)
	$(CC) $(LDFLAGS) $^ -ljansson -o $@
$(BUILD)/plm-bench: $(BUILD)/tests/bench/plm-bench.o $(ENGINE) $(KERNELS) $(BASE)
	$(CC) $(LDFLAGS) $^ -lm -o $@
$(BUILD)/plm-eval: $(BUILD)/tests/bench/plm-eval.o $(ENGINE) $(KERNELS) $(BASE)
	$(CC) $(LDFLAGS) $^ -lm -o $@

# Unit tests: tests/unit/LAYER/test_NAME.c is one Check program that links LAYER and what it may know.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*/test_*.c))
CHECK_LIBS := -lcheck -lsubunit -lrt -lm
link_test = $(CC) $(LDFLAGS) $^ $(1) $(CHECK_LIBS) -o $@
$(BUILD)/tests/unit/base/%: $(BUILD)/tests/unit/base/%.o $(BASE)
	$(call link_test,)
$(BUILD)/tests/unit/kernels/%: $(BUILD)/tests/unit/kernels/%.o $(KERNELS)
	$(call link_test,)
$(BUILD)/tests/unit/engine/%: $(BUILD)/tests/unit/engine/%.o $(ENGINE) $(KERNELS) $(BASE)
	$(call link_test,)
$(BUILD)/tests/unit/proto/%: $(BUILD)/tests/unit/proto/%.o $(PROTO) $(BASE)
	$(call link_test,-ljansson)
$(BUILD)/tests/unit/daemon/%: $(BUILD)/tests/unit/daemon/%.o $(DAEMON) $(ENGINE) $(KERNELS) $(PROTO) $(BASE)
	$(call link_test,-lev -ljansson)
$(BUILD)/tests/unit/clients/%: $(BUILD)/tests/unit/clients/%.o $(CLIENT) $(PROTO) $(BASE)
	$(call link_test,-ljansson)

BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/bench_*.c))
$(BUILD)/tests/bench/bench_%: $(BUILD)/tests/bench/bench_%.o $(ENGINE) $(KERNELS) $(BASE)
	$(CC) $(LDFLAGS) $^ -lm -o $@

unit: $(UNIT)

.PHONY: all unit
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
