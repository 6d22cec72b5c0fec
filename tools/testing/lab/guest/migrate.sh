# SPDX-License-Identifier: GPL-2.0-only
# For vmmu-guest: a guest that is busy on all CPUs (busy.c) is saved and restored by savevm and loadvm, moves to
# a second QEMU while it runs, from there to a file, and from the file to a third QEMU, where it ends. It checks
# itself; here it is checked that it counts on, no number missing, none twice but those that loadvm undid.

# The last number that the guest has printed in full.
count() { tr -d '\r' <"$dir/$1.console" | sed -n '$!s/^vmmu-count: \([0-9]*\)$/\1/p' | tail -n 1; }

# goes_on NAME: it prints five more.
lines() { grep -c '^vmmu-count: ' "$dir/$1.console"; }
has_lines() { [ "$(lines "$1")" -ge "$2" ] || ! alive "$1"; }
goes_on() { within "$timeout" has_lines "$1" $(($(lines "$1") + 5)) && alive "$1"; }

status_is() {
	tell "$1" query-migrate || return 0
	case $answer in
	*"\"status\": \"$2\""*) return 0 ;;
	*'"status": "failed"'*) echo "# $1: $answer"; return 0 ;;
	esac
	return 1
}
moved() { within 120 status_is "$1" completed; status_is "$1" completed; }

sweeps() {
	tell "$1" query-migrate || return 0
	n=$(echo "$answer" | sed -n 's/.*"dirty-sync-count": \([0-9]*\).*/\1/p')
	[ "${n:-0}" -ge "$2" ]
}

# Milliseconds that the guest may stand still; a busy one is never moved in none.
downtime() { tell "$1" migrate-set-parameters "\"downtime-limit\": $2, \"max-bandwidth\": 1000000000"; }
leave() { say "$1" quit; ended "$1"; }

# What the guest counted after loadvm, in all three. It may have been in the middle of a line, or of the one
# after the last that was seen.
counts() {
	{ tail -c +$((undone + 1)) "$dir/one.console"; cat "$dir/two.console" "$dir/three.console"; } |
		tr -d '\r' | sed -n '2,$s/^vmmu-count: \([0-9]*\)$/\1/p'
}
in_order() {
	counts | awk -v from="$before" -v to="$after" '
		NR == 1 && ($1 < from || $1 > to + 3) { print "# loadvm: back to " $1 ", not to " from " ... " to; bad = 1 }
		NR > 1 && $1 != last + 1 { print "# " $1 " after " last; bad = 1 }
		{ last = $1 }
		END { exit bad || NR < 15 }'
}
all_right() { tr -d '\r' <"$dir/three.console" | grep -q -x 'vmmu-busy: all was right'; }
no_complaint() { ! grep -h -E -e 'WRONG' -f /etc/faults "$dir"/*.console; }

save_and_restore() {
	result "the guest is busy" goes_on one &&
		result "snapshot of the disk" ask one "snapshot_blkdev disk $dir/disk.qcow2 qcow2" || return 1
	before=$(count one)
	result "savevm" ask one "savevm first" || return 1
	after=$(count one)
	result "the guest goes on" goes_on one || return 1
	tell one stop
	result "loadvm" ask one "loadvm first" || return 1
	undone=$(wc -c <"$dir/one.console")
	tell one cont
	result "the guest goes on" goes_on one
}

move_live() {
	machine two -drive $disk -incoming unix:"$dir/socket" "$@"
	downtime one 1
	result "moves to another QEMU" tell one migrate "\"uri\": \"unix:$dir/socket\"" &&
		result "is busy meanwhile: five sweeps are not enough" within 120 sweeps one 5 || return 1
	downtime one 20000
	result "has moved" moved one &&
		result "the first QEMU ends" leave one &&
		result "the guest goes on" goes_on two
}

move_by_file() {
	downtime two 20000
	result "moves to a file" tell two migrate "\"uri\": \"exec:cat >$dir/state\"" &&
		result "has moved" moved two &&
		result "the second QEMU ends" leave two || return 1
	ls -l "$dir/state" | sed 's/^/# /'
	machine three -drive $disk -incoming "exec:cat $dir/state" "$@"
	result "the guest goes on" goes_on three
}

come_to_end() {
	echo end 1<>"$dir/three.line.in"
	result "the third QEMU ends" within 120 eval '! alive three' &&
		result "with 0" ended three &&
		result "memory, vector registers, time and disk were right" all_right &&
		result "no number is lost or doubled" in_order
}

migrate() {
	append=quiet
	set -- -device virtio-blk-pci,drive=disk "$@"
	truncate -s 16M "$dir/disk"
	echo "TAP version 13"
	machine one -drive if=none,id=disk,format=raw,file="$dir/disk" "$@"
	disk=if=none,id=disk,format=qcow2,file=$dir/disk.qcow2
	save_and_restore && move_live "$@" && move_by_file "$@" && come_to_end
	result "the guest's log is clean" no_complaint
	[ $bad = 0 ] || tail -n 30 "$dir"/*.console "$dir"/*.log | sed 's/^/# /'
	kill_machines
	echo "1..$number"
	return $bad
}
