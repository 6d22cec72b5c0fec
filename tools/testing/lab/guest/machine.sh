# SPDX-License-Identifier: GPL-2.0-only
# For vmmu-guest: QEMUs that run in the background and do what they are told by QMP. Each has a name; in $dir
# lie NAME.in and NAME.out, its monitor, NAME.log, what it answered, NAME.console, what its guest printed, and
# NAME.line.in, the guest's second serial port.

# within SECONDS COMMAND...: until it succeeds
within() {
	left=$(($1 * ${patience:-1} * 5))
	shift
	until "$@"; do
		[ $left -gt 0 ] || return 1
		left=$((left - 1))
		usleep 200000
	done
}

# machine NAME OPTION...: start one.
machine() {
	name=$1
	shift
	mkfifo "$dir/$name.in" "$dir/$name.out" "$dir/$name.line.in" "$dir/$name.line.out"
	: >"$dir/$name.console"
	cat <>"$dir/$name.out" >"$dir/$name.log" &
	echo $! >"$dir/$name.reader"
	run=exec qemu -no-reboot -serial file:"$dir/$name.console" -serial pipe:"$dir/$name.line" \
		-qmp pipe:"$dir/$name" "$@" </dev/null &
	echo $! >"$dir/$name.pid"
	# Its greeting: from now on it hears.
	within 60 grep -q '"QMP"' "$dir/$name.log"
	tell "$name" qmp_capabilities
}

# A process that has ended and is not waited for has no file any more.
alive() { [ -e "/proc/$(cat "$dir/$1.pid")/exe" ]; }

# say NAME COMMAND [ARGUMENTS]: a command of QMP. tell is the same and waits; the answer is in $answer.
sequence=0
say() {
	sequence=$((sequence + 1))
	echo "{\"execute\": \"$2\", ${3:+\"arguments\": {$3\}, }\"id\": $sequence}" 1<>"$dir/$1.in"
}
tell() {
	say "$@"
	within 120 answered "$1"
	case $answer in
	*'"return":'*) return 0 ;;
	esac
	echo "# $1: $2 $3: ${answer:-no answer}"
	return 1
}
answered() {
	answer=$(grep "\"id\": $sequence[,}]" "$dir/$1.log")
	[ -n "$answer" ] || ! alive "$1"
}

# ask NAME LINE: a line for the other monitor, which says nothing when all is well.
ask() {
	tell "$1" human-monitor-command "\"command-line\": \"$2\"" || return 1
	case $answer in
	*'"return": ""'*) return 0 ;;
	esac
	echo "# $1: $2: $answer"
	return 1
}

# ended NAME: wait for its end; its exit status.
ended() {
	wait "$(cat "$dir/$1.pid")"
	ended=$?
	kill "$(cat "$dir/$1.reader")"
	rm "$dir/$1.pid" "$dir/$1.reader"
	return $ended
}

kill_machines() {
	for f in "$dir"/*.pid "$dir"/*.reader; do
		[ ! -e "$f" ] || kill -9 "$(cat "$f")" 2>/dev/null
	done
}
