# SPDX-License-Identifier: GPL-2.0-only
# What vmmu-boot-cost said on the kernel's KVM, and after the line `vmmu` on vmmu, to one table in Markdown.
# Exit codes are AMD-V's: APM vol. 2, appendix C.

function hex(s,    n, i) {
	for (i = 3; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return n
}

function row(what, id) {
	printf "| %s | %d | %d | %s |\n", what, count[1, id], count[2, id], \
		(count[1, id] ? sprintf("%.2f", count[2, id] / count[1, id]) : "-")
}

function million(what, id) {
	printf "| %s | %.1f | %.1f | %.3f |\n", what, count[1, id] / 1e6, count[2, id] / 1e6, \
		(count[1, id] ? count[2, id] / count[1, id] : 0)
}

function both(id) { return count[1, id] + count[2, id] }

BEGIN {
	n = split("0x00 CR0 read|0x03 CR3 read|0x04 CR4 read|0x10 CR0 write|0x13 CR3 write|0x14 CR4 write|" \
		  "0x18 CR8 write|0x20 DR0 read|0x27 DR7 read|0x37 DR7 write|0x41 #DB|0x46 #UD|0x4e page fault|0x60 host interrupt|0x64 interrupt window|0x65 CR0 write, selective|" \
		  "0x6e RDTSC|0x72 CPUID|0x73 RSM|0x74 IRET|0x77 PAUSE|0x78 HLT|0x79 INVLPG|0x7b port I/O|0x7c MSR|" \
		  "0x7f shutdown|0x81 VMMCALL|0x89 WBINVD|0x8d XSETBV|0x400 nested page fault", known, "|")
	for (i = 1; i <= n; i++) {
		code = known[i]
		sub(/ .*/, "", code)
		sub(/[^ ]* /, "", known[i])
		name["exit-" hex(code)] = known[i]
	}
	n = 0
	device = 1
}

/^vmmu$/ { device = 2 }

/^worked / { count[device, $1] = $2 }

/^msr-/ {
	id = $1 == "msr-" hex("0x80b") ? "eoi" : $1 == "msr-" hex("0x6e0") ? "deadline" : "others"
	count[device, id] += $2
}

/^exit-/ {
	count[device, $1] = $2
	count[device, "exits"] += $2
	if (!($1 in seen)) {
		seen[$1] = 1
		kind[++n] = $1
	}
}

END {
	print "| a whole boot | KVM | vmmu | ratio |"
	print "| --- | ---: | ---: | ---: |"
	million("instructions, million", "worked")
	row("exits", "exits")
	# The most frequent first; there are few.
	for (i = 1; i <= n; i++) {
		best = i
		for (k = i + 1; k <= n; k++)
			if (both(kind[k]) > both(kind[best]))
				best = k
		id = kind[best]
		kind[best] = kind[i]
		row((id in name ? name[id] : "code " substr(id, 6)), id)
		if (id == "exit-" hex("0x7c")) {
			row("MSR: end of interrupt", "eoi")
			row("MSR: TSC deadline", "deadline")
			row("MSR: all others", "others")
		}
	}
}
