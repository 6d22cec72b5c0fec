# SPDX-License-Identifier: GPL-2.0-only
# The lab's common ground, sourced by every script here: where things lie, how to talk, how to wait.
#
#   VMMU_SRC    the module's source tree (default: the tree that this script is in)
#   VMMU_CACHE  everything that the lab makes (default: ~/.cache/vmmu)
#   VMMU_PATIENCE  every time-out is multiplied by it (default 1): for a machine that does other work too
#
# ROOT is a Debian 13 of the lab's own. WORK is its directory /lab: builds, layers and runs lie there,
# so that a tool in the root and a script outside see the same files and nothing has to be mounted.

set -euo pipefail

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SRC=$(cd "${VMMU_SRC:-$LAB/../../..}" && pwd)
CACHE=${VMMU_CACHE:-${HOME:-/root}/.cache/vmmu}
ROOT=$CACHE/root
WORK=$ROOT/lab
LOGS=$CACHE/log
SUITE=trixie
PATIENCE=${VMMU_PATIENCE:-1}

say()  { printf 'lab: %s\n' "$*" >&2; }
die()  { printf 'lab: %s\n' "$*" >&2; exit 1; }
warn() { printf 'lab: warning: %s\n' "$*" >&2; }

# stage TEXT COMMAND...: run it with its output in a log; say what it does and how long it took.
stage() {
	local text=$1 log t0=$SECONDS
	shift
	mkdir -p "$LOGS"
	log=$(mktemp "$LOGS/XXXXXX.log")
	say "$text ..."
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log" >&2
		die "$text: failed after $((SECONDS - t0)) s; whole log: $log"
	fi
	rm -f "$log"
	say "$text: done in $((SECONDS - t0)) s"
}

# lock NAME: hold a lock till this shell ends; say so when somebody else has it.
lock() {
	local fd
	mkdir -p "$CACHE/lock"
	exec {fd}>"$CACHE/lock/$1"
	flock -n "$fd" && return 0
	say "waiting: another make is busy with $1"
	flock "$fd"
}

# seat: wait for one of as many seats as the machine has CPUs and keep it till this shell ends. An emulated
# host that has to share a CPU runs into its time-out instead of finishing later. SEAT is the descriptor: a
# child that may outlive this shell closes it, or it keeps the seat taken.
seat() {
	local fd i told=
	mkdir -p "$CACHE/lock"
	while :; do
		for ((i = 0; i < $(nproc); i++)); do
			exec {fd}>"$CACHE/lock/seat-$i"
			flock -n "$fd" && SEAT=$fd && return 0
			exec {fd}>&-
		done
		[ -n "$told" ] || say "waiting for a free CPU to emulate a host on"
		told=1
		sleep 1
	done
}

# inroot COMMAND...: run a command in the lab's root with a clean environment.
inroot() {
	chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
		TERM="${TERM:-dumb}" DEBIAN_FRONTEND=noninteractive INITRD=No \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
}

hash_of() { sha256sum | cut -c1-12; }

# table FILE: its rows without comments and empty lines.
table() { sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$1"; }

need_superuser() { [ "$(id -u)" = 0 ] || die "the lab uses debootstrap and chroot: run it as root"; }

# copy_source DIR: copy what has changed in SRC to DIR, inside the root; what make has put there stays, so
# that the next build is incremental. Times are not kept: a file that came back from the past must be newer
# than the object made from its successor. DIR.source says whose copy it is.
copy_source() {
	local generated=('*.o' '*.ko' '*.a' '.*.cmd' '*.mod' '*.mod.c' '.module-common*' modules.order Module.symvers)
	mkdir -p "$ROOT$1"
	echo "$SRC" >"$ROOT$1.source"
	rsync -rlp --checksum --delete --exclude=.git --exclude=/out "${generated[@]/#/--exclude=}" "$SRC/" "$ROOT$1/"
}

# ---- kernels: each name has a release, an image, a build directory and modules

stock_release() {
	inroot dpkg-query -W -f '${Depends}' linux-image-amd64 | sed 's/.*linux-image-\([^ ,]*\).*/\1/'
}

# The debug kernels are cached by what they are made of: fragments and source.
kernel_fragments() {
	case $1 in
	debug) echo debug.config ;;
	kcsan) echo debug.config kcsan.config ;;
	*) die "no kernel '$1': there are stock, debug and kcsan" ;;
	esac
}

kernel_dir() {
	local f
	f=$(kernel_fragments "$1")
	echo "/lab/kernel/$1-$({ inroot dpkg-query -W linux-source-6.12 gcc; cd "$LAB" && cat $f; } | hash_of)"
}

# kernel_build NAME: the directory, inside the root, that modules are built against.
kernel_build() {
	[ "$1" = stock ] && echo "/lib/modules/$(stock_release)/build" || kernel_dir "$1"
}

# kernel_modules NAME: the directory, inside the root, that holds the kernel's own modules.
kernel_modules() {
	[ "$1" = stock ] && echo "/lib/modules/$(stock_release)" || echo "$(kernel_dir "$1")/modules"
}

# kernel_image NAME: the bootable image, inside the root.
kernel_image() {
	[ "$1" = stock ] && echo "/boot/vmlinuz-$(stock_release)" || echo "$(kernel_dir "$1")/arch/x86/boot/bzImage"
}
