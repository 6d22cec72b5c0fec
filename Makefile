# SPDX-License-Identifier: GPL-2.0-only
# vmmu: the commands for people. Kbuild says what the module is made of; tools/testing/lab does the rest.

LAB := tools/testing/lab
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build))
HOST ?= svm

# The lab calls make in its own root; what was set for this make is not meant for those.
unexport MAKEFLAGS MFLAGS

all: module

module:
ifneq ($(wildcard $(KDIR)/Makefile),)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
else
	@echo "No headers of the running kernel here: building for the lab's kernel."
	@$(LAB)/lab build stock
endif

run:
	@$(LAB)/lab demo $(HOST)

shell:
	@$(LAB)/lab shell $(HOST)

test:
	@$(LAB)/lab test $(PARTS)

test-all:
	@$(LAB)/lab test --all

bench:
	@$(LAB)/lab bench $(ROWS)

lint:
	@$(LAB)/lab lint

clean:
	@find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name '.module-common*' -o -name modules.order -o -name Module.symvers \) \
		-type f -exec rm -f {} +
	@$(LAB)/lab clean

help:
	@echo 'make            build vmmu.ko for KDIR (default: the running kernel, else the lab'\''s)'
	@echo 'make run        boot Linux in a stock QEMU on vmmu, inside an emulated AMD-V host'
	@echo 'make shell      a shell in the emulated host, module loaded (HOST=svm)'
	@echo 'make test       build and run the tests (PARTS="..." for some of them)'
	@echo 'make test-all   those and the same on more kinds of processors: takes much longer'
	@echo 'make bench      what operations cost on KVM and on vmmu (ROWS="..." for some of them)'
	@echo 'make lint       gcc W=1, sparse, checkpatch'
	@echo 'make clean      remove what was built; the downloaded root and the kernels stay'
	@echo
	@echo 'VMMU_CACHE (default ~/.cache/vmmu) holds all that the lab makes. $(LAB)/lab help: more.'

.PHONY: all module run shell test test-all bench lint clean help
