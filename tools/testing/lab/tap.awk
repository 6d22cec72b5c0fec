# SPDX-License-Identifier: GPL-2.0-only
# One job's output in; its results out, a line each: ok|not ok|skip<TAB>name. KTAP's inner lines (indented
# by four) count instead of the outer ones. A plan that was not kept, or an exit status that no line
# explains, is a failure. Variables: part (a name to put in front), status (the job's exit status).
function result(kind, text) {
	print kind "\t" part (text == "" ? "" : ": " text)
	if (kind == "not ok")
		failed++
	seen++
}

function test_line(line,    kind, text) {
	kind = (line ~ /# *SKIP/) ? "skip" : (line ~ /^not ok/) ? "not ok" : "ok"
	text = line
	sub(/^(not )?ok [0-9]+ *-? */, "", text)
	sub(/ *#.*duration.*/, "", text)
	result(kind, text)
}

{ sub(/\r$/, "") }

/^    (not )?ok [0-9]+/ { inner = 1; lines[++n] = substr($0, 5); next }
/^(not )?ok [0-9]+/ { outer[++m] = $0; next }
/^    1\.\.[0-9]+/ { inner = 1; inner_plan += substr($0, 8); next }
/^1\.\.[0-9]+/ { plan = substr($0, 4) + 0; planned = 1; skip_all = ($0 ~ /# *SKIP/); next }

END {
	if (inner) {
		for (i = 1; i <= n; i++)
			test_line(lines[i])
		if (n < inner_plan)
			result("not ok", "ended after " n " of " inner_plan " tests")
	} else {
		for (i = 1; i <= m; i++)
			test_line(outer[i])
		if (planned && m < plan)
			result("not ok", "ended after " m " of " plan " tests")
	}
	if (skip_all || (!seen && status == 4))
		result("skip", "")
	else if (!seen)
		result(status == 0 ? "ok" : "not ok", status == 0 ? "" : "exit status " status)
	else if (status != 0 && !failed && status != 4)
		result("not ok", "exit status " status)
}
