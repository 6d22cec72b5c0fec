# SPDX-License-Identifier: GPL-2.0-only
# For vmmu-guest: gdb, through QEMU's stub, with a program of the guest (stepped.c) and with its kernel.

kernel_told() { grep -q '^vmmu-kernel: ' "$dir/one.console" || ! alive one; }
take_apart() {
	timeout "$timeout" gdb -nx -batch -ex "set \$count = $number" \
		-ex "set \$kernel = $(tr -d '\r' <"$dir/one.console" | sed -n 's/^vmmu-kernel: //p')" \
		-x /vmmu/lib/debug.gdb /guest/stepped </dev/null >"$dir/gdb.out" 2>&1
	grep -E '^(not )?ok |^1\.\.' "$dir/gdb.out"
	grep -q '^not ok' "$dir/gdb.out" && bad=1
	gdb=$(sed -n 's/^gdb: //p' "$dir/gdb.out")
	number=${gdb:-$number}
}
told() { tr -d '\r' <"$dir/one.console" | grep -q -x 'vmmu-stepped: told 4242'; }

debug() {
	append="loglevel=5"
	echo "TAP version 13"
	machine one -gdb tcp:127.0.0.1:1234 "$@"
	result "the guest runs" within "$timeout" kernel_told
	take_apart
	result "gdb comes to its end" test -n "$gdb" &&
		result "the guest comes to its end" within "$timeout" eval '! alive one' &&
		result "with 0" ended one &&
		result "what gdb wrote is there, what it read was right" told
	result "the guest's log is clean" eval '! grep -E -f /etc/faults "$dir/one.console"'
	[ $bad = 0 ] || tail -n 40 "$dir/gdb.out" "$dir/one.console" | sed 's/^/# /'
	kill_machines
	echo "1..$number"
	return $bad
}
