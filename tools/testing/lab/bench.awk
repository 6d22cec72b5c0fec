# SPDX-License-Identifier: GPL-2.0-only
# Lines of the benchmark's JSON, of two devices, to one table in Markdown.

function field(name,	s)
{
	s = $0
	if (!sub(".*\"" name "\": *\"?", "", s))
		return ""
	# Texts may hold commas, numbers do not.
	if (s ~ /^[-0-9.]+[,}]/)
		sub(/[,}].*/, "", s)
	else
		sub(/".*/, "", s)
	return s
}

function ratio(a, b) { return a > 0 ? sprintf("%.2f", b / a) : "-" }

{
	device = field("device")
	sub(/.*\//, "", device)
	row = field("row")
	if (!(row in what)) {
		what[row] = field("what")
		rows[++n] = row
	}
	ticks[device, row] = field("ticks")
	exits[device, row] = field("exits")
	faults[device, row] = field("faults")
}

END {
	print "| operation | row | KVM | vmmu | ratio | exits, KVM | vmmu | faults, KVM | vmmu |"
	print "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
	for (i = 1; i <= n; i++) {
		r = rows[i]
		printf "| %s | %s | %.0f | %.0f | %s | %.2f | %.2f | %.2f | %.2f |\n", what[r], r,
			ticks["kvm", r], ticks["vmmu", r], ratio(ticks["kvm", r], ticks["vmmu", r]),
			exits["kvm", r], exits["vmmu", r], faults["kvm", r], faults["vmmu", r]
	}
}
