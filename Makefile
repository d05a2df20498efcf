# SPDX-License-Identifier: MIT
# make          build build/bitfader
# make demo     install what is missing, build, do the main job on the bundled model
# make check    install what is missing, build, run all tests
# make check-arm  cross-compile for aarch64 and run ARM_SUITES under qemu, with the dot product and without
# make check-baseline  run BASELINE_SUITES on an emulated x86-64 of 2008: no instruction leaks out of kernels/
# make conformance  ONNX's own cases (a part of check), with a table by operator
# make lint     layers, headers, exported names, format, warnings of gcc and clang
# make fuzz     the importer under libFuzzer for FUZZ_SECONDS (600), from ONNX's own cases
# make docs     docs/operators.md, as the program prints it
# make bench    every speed target against its peer: ours, peer, ratio, met or short (ROWS="gemm models": some of them)
# make bench-ort  models at fp32 and w8a8 against ONNX Runtime, by turns (MODELS=)
# make install  PREFIX=/usr/local, DESTDIR honoured
# V=1 shows commands; SAN=address,undefined (or thread) builds with sanitizers into its own folder; B= moves the build.

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SAN ?=
B ?= build$(if $(SAN),-$(subst $(empty) ,-,$(subst $(comma), ,$(SAN))))
empty :=
comma := ,
Q := $(if $(V),,@)

# --- what Debian packages it takes: `make deps` installs the missing ones, and this is the only list of them -----------
DEPS := build-essential pkg-config libncurses-dev libyaml-dev libopenblas-dev check protobuf-c-compiler \
        libprotobuf-c-dev zlib1g-dev libcjson-dev libxxhash-dev libpng-dev libjpeg-dev libzip-dev \
        dataset-fashion-mnist
DEPS_CHECK := libglpk-dev libvterm-dev libsimde-dev libonnx-testdata
DEPS_LINT := clang clang-format
DEPS_BENCH := libdnnl-dev libxnnpack-dev libpthreadpool-dev

# --- sources ----------------------------------------------------------------------------------------------------------
ARCH := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)
# Kernels of an instruction set are in a folder of its architecture.
ARCH_DIR := $(patsubst x86_64,kernels/x86,$(patsubst aarch64,kernels/arm,$(filter x86_64 aarch64,$(ARCH))))
# The folders are those of tests/layers.txt; all but main goes into the library, of which each program takes what it uses.
LAYERS := $(filter-out beside,$(shell sed -n 's/^\([a-z_]*\):.*/\1/p' tests/layers.txt))
LIB_SRC := $(filter-out cli/main.c,$(wildcard $(addsuffix /*.c,$(LAYERS) $(ARCH_DIR))))
TEST_SRC := $(wildcard tests/*.c)
# Peers to measure against, each built where its library is.
has_header = $(shell printf '\043include <$(1)>\n' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
BENCH_PEERS := $(if $(call has_header,dnnl.h),bench/peer_onednn.c) $(if $(call has_header,xnnpack.h),bench/peer_xnnpack.c)
BENCH_SRC := $(filter-out bench/peer_onednn.c bench/peer_xnnpack.c,$(wildcard bench/*.c)) $(BENCH_PEERS) \
        tests/onnx_make.c tests/quantize_model.c
BENCH_LIBS := $(if $(filter %onednn.c,$(BENCH_PEERS)),-ldnnl -lgomp) $(if $(filter %xnnpack.c,$(BENCH_PEERS)),-lXNNPACK)
obj = $(patsubst %.c,$(B)/%.o,$(1))

PKGS := ncursesw yaml-0.1 libprotobuf-c zlib libcjson openblas libxxhash libpng libjpeg libzip
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null)
TEST_PKG = $(shell pkg-config --cflags --libs check vterm 2>/dev/null) -lglpk -lutil

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla \
        -Wno-missing-field-initializers -Wno-psabi
# Whole numbers of ONNX operators wrap around, as in the runtimes, and so do those of SIMDe's functions: -fwrapv.
# SIMDe's functions take minutes to optimize and to describe for a debugger.
# Floating point means the same on every machine: no contraction to FMA, no fast-math, no -march=native.
BASE_FLAGS = -std=c11 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -pthread -I. -I$(B) $(WARN) $(if $(WERROR),-Werror) \
        $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LIBS = $(PKG_LIBS) -lm -pthread $(if $(SAN),-fsanitize=$(SAN))
AVX512 := -mavx2 -mfma -mavx512f -mavx512bw -mavx512vl -mavx512dq
isa_flags = $(if $(filter %_avx2.c,$(1)),-mavx2,$(if $(filter %_fma.c,$(1)),-mavx2 -mfma,$(if \
        $(filter %_avx512.c,$(1)),$(AVX512),$(if $(filter %_avx512vnni.c,$(1)),$(AVX512) -mavx512vnni,$(if \
        $(filter %_avx512vbmi.c,$(1)),$(AVX512) -mavx512vnni -mavx512vbmi -mavx512vpopcntdq,$(if \
        $(filter %_neondot.c,$(1)),-march=armv8.2-a+dotprod))))))

.PHONY: all demo check check-arm check-baseline conformance fuzz lint docs bench bench-ort install deps deps-check \
        deps-lint deps-bench clean
.DELETE_ON_ERROR:
all: $(B)/bitfader

$(B)/%.o: %.c | $(B)/model/onnx.pb-c.h
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(BASE_FLAGS) $(PKG_CFLAGS) $(CFLAGS) $(call isa_flags,$<) $(if $(filter ops/% tests/simde_%,$<),-fwrapv) \
        $(if $(filter tests/simde_%,$<),-O1 -g0) -MMD -MP -c -o $@ $<

# The ONNX schema is our own onnx.proto; protobuf-c generates the reader.
$(B)/model/onnx.pb-c.h: model/onnx.proto
	@mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(B) $<
$(B)/model/onnx.pb-c.c: $(B)/model/onnx.pb-c.h
$(B)/model/onnx.pb-c.o: $(B)/model/onnx.pb-c.h
	$(Q)$(CC) $(BASE_FLAGS) $(PKG_CFLAGS) $(CFLAGS) -w -c -o $@ $(B)/model/onnx.pb-c.c

LIB_OBJ := $(call obj,$(LIB_SRC)) $(B)/model/onnx.pb-c.o

$(B)/libbitfader.a: $(LIB_OBJ) tests/layers.txt
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

$(B)/bitfader: $(call obj,cli/main.c) $(B)/libbitfader.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/check_all: $(call obj,$(TEST_SRC)) $(B)/libbitfader.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(TEST_PKG) $(LIBS)
$(call obj,$(TEST_SRC)): PKG_CFLAGS += $(shell pkg-config --cflags check 2>/dev/null)

$(B)/bench_all: $(call obj,$(BENCH_SRC)) $(B)/libbitfader.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(BENCH_LIBS) $(LIBS) -ldl

# --- installing what is missing -----------------------------------------------------------------------------------------
# Debian: asks dpkg what is there, and apt-get for the rest (through sudo where not root). Elsewhere: says what is needed.
define install_missing
@missing=; for p in $(1); do \
    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
if [ -n "$$missing" ]; then \
    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
    echo "installing:$$missing"; \
    if ! command -v apt-get >/dev/null || { [ -n "$$sudo" ] && ! command -v sudo >/dev/null; } || \
       ! { $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update && \
           $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; }; then \
        echo "cannot install by myself; these Debian packages are missing:$$missing" >&2; exit 1; fi; fi
endef
deps:
	$(call install_missing,$(DEPS))
deps-check: deps
	$(call install_missing,$(DEPS_CHECK))
deps-lint: deps-check
	$(call install_missing,$(DEPS_LINT))
# Peers to measure against may be missing; what measures against them says so.
deps-bench: deps
	$(call install_missing,$(DEPS_BENCH))
$(B)/ort/node_modules/onnxruntime-node:
	@command -v npm >/dev/null || { echo "npm is not installed" >&2; exit 1; }
	@mkdir -p $(B)/ort && echo '{"private":true}' >$(B)/ort/package.json
	$(Q)cd $(B)/ort && ONNXRUNTIME_NODE_INSTALL=skip npm install --silent --no-audit --no-fund onnxruntime-node

# --- the two commands ---------------------------------------------------------------------------------------------------
demo: deps
	@$(MAKE) --no-print-directory all
	$(Q)$(B)/bitfader demo zoo/resnet20_fmnist.onnx -d fashion-mnist -f -o $(B)/resnet20-half.yaml

check: deps-check
	@$(MAKE) --no-print-directory all $(B)/check_all
	$(Q)BITFADER_BIN=$(abspath $(B))/bitfader $(B)/check_all $(SUITE)

# Nothing of that architecture is installed: the libraries are unpacked into a folder.
ARM_SUITES ?= base isa vec kernels matmul float_conv layers
ARM_ROOT := build-arm-root
ARM_LIBS := $(patsubst libopenblas-dev,libopenblas-pthread-dev,$(filter check zlib1g-dev lib%-dev,$(DEPS) $(DEPS_CHECK)))
ARM_PC := $(abspath $(ARM_ROOT))/usr/lib/aarch64-linux-gnu/pkgconfig:$(abspath $(ARM_ROOT))/usr/share/pkgconfig
check-arm: deps-check
	$(call install_missing,gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
	$(Q)tests/arm_root.sh $(ARM_ROOT) $(ARM_LIBS)
	@PKG_CONFIG_SYSROOT_DIR=$(abspath $(ARM_ROOT)) PKG_CONFIG_LIBDIR=$(ARM_PC) $(MAKE) --no-print-directory \
	    CC='aarch64-linux-gnu-gcc --sysroot=$(abspath $(ARM_ROOT))' B=build-arm SAN= build-arm/check_all
	$(Q)for cpu in max cortex-a53; do \
	    echo "aarch64, $$cpu:"; \
	    CK_TIMEOUT_MULTIPLIER=20 qemu-aarch64 -cpu $$cpu -L $(ARM_ROOT) build-arm/check_all $(ARM_SUITES) || exit; done

BASELINE_SUITES ?= base isa vec kernels matmul float_conv engine layers quantized
check-baseline: deps-check
	$(call install_missing,qemu-user)
	@$(MAKE) --no-print-directory $(B)/check_all
	$(Q)CK_TIMEOUT_MULTIPLIER=20 qemu-x86_64 -cpu Nehalem $(B)/check_all $(BASELINE_SUITES)

conformance: deps-check
	@$(MAKE) --no-print-directory $(B)/check_all
	$(Q)BITFADER_CONFORMANCE=1 $(B)/check_all ops

FUZZ_SECONDS ?= 600
fuzz: deps-lint
	$(call install_missing,libclang-rt-14-dev libonnx-testdata)
	@$(MAKE) --no-print-directory CC=clang B=build-fuzz SAN=fuzzer-no-link,address,undefined build-fuzz/fuzz_import
	@mkdir -p build-fuzz/corpus build-fuzz/cases
	@cp tests/fuzz/seeds/*.onnx build-fuzz/cases # what ONNX's cases lack: control flow that folds, shared weights
	@for f in /usr/share/libonnx-testdata/data/*/*/model.onnx; do \
	    cp $$f build-fuzz/cases/$$(basename $$(dirname $$f)).onnx; done
	$(Q)build-fuzz/fuzz_import -max_total_time=$(FUZZ_SECONDS) -max_len=20000 -timeout=20 -rss_limit_mb=4096 -artifact_prefix=build-fuzz/ -print_final_stats=1 \
	    build-fuzz/corpus build-fuzz/cases
$(B)/fuzz_import: tests/fuzz/fuzz_import.c $(B)/libbitfader.a
	$(Q)$(CC) $(BASE_FLAGS) $(PKG_CFLAGS) $(CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS)

lint: deps-lint
	$(Q)tests/lint.sh

docs: all
	$(Q)$(B)/bitfader help operators >docs/operators.md

# In this order: what a peer's absence means is known when bench_all is built. OpenBLAS chooses its kernels by itself.
BENCH_ENV := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_NUM_THREADS=1
bench: deps
	@$(MAKE) -s --no-print-directory deps-bench || echo "bench: some peers will be absent"
	@$(MAKE) -s --no-print-directory $(B)/ort/node_modules/onnxruntime-node || echo "bench: ONNX Runtime will be absent"
	@$(MAKE) --no-print-directory $(B)/bench_all
	$(Q)$(BENCH_ENV) $(B)/bench_all $(ROWS)

# Our plans and ONNX Runtime's sessions take turns in one run. MODELS=: other files.
TEST_DATA = $(or $(BITFADER_TEST_DATA),../shared/data)
MODELS ?= $(wildcard zoo/*.onnx $(addprefix $(TEST_DATA)/,cifar10/*.onnx mlperf_tiny/*.onnx mnist/*.onnx other/*.onnx))
bench-ort: deps
	@$(MAKE) --no-print-directory $(B)/bench_all
	@if ! command -v node >/dev/null || ! $(MAKE) -s --no-print-directory $(B)/ort/node_modules/onnxruntime-node; then \
	    echo "bench-ort: skipped: it needs node, npm and onnxruntime-node"; exit 0; fi; \
	$(BENCH_ENV) node bench/ort.mjs $(B)/bench_all $(B)/ort $(MODELS)

install: all
	install -D -m 755 $(B)/bitfader $(DESTDIR)$(PREFIX)/bin/bitfader
	for f in configs/datasets/*.yaml; do install -D -m 644 $$f $(DESTDIR)$(PREFIX)/share/bitfader/$$f; done

clean:
	rm -rf build build-*

-include $(shell find $(B) -name '*.d' 2>/dev/null)
