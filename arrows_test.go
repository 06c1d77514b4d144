// Package squall_test keeps the house in order: which room may import which.
package squall_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "squall"

// arrows says which rooms a room may import; a name stands for its package
// alone, a name with /... for everything below it too, "." for the root. A row for
// name/* is that of every room in that folder which has none of its own. What
// is not listed is not imported. docs/ARCHITECTURE.md tells why.
var arrows = map[string][]string{
	"cmd/squall": {".", "orchestrator/...", "reports", "reports/archive", "reports/serve", "history", "history/check", "history/check/checkbench", "history/check/linearizable", "history/check/sets", "history/check/transactions", "history/check/validity", "history/elsewhere", "history/export", "history/gate", "history/ledger", "history/measure", "history/elections", "history/trace",
		"history/conformance", "history/etcdtla",
		"workloads", "workloads/catalogue", "workloads/systems", "workloads/systems/systemfile", "nemesis", "nemesis/faults", "nemesis/schedule", "nodeimage", "nodeimage/disk", "nodeimage/mutants", "internal/declare", "internal/host", "internal/suggest"},
	"cmd/release":     {".", "nodeimage", "nodeimage/carried"},
	"cmd/squall-node": {"nodeimage/agent", "nodeimage/hub", "nodeimage/kv", "workloads/driver"},
	"orchestrator": {"orchestrator/machines", "orchestrator/testplan", "nodeimage", "nodeimage/agent/protocol", "nodeimage/disk", "nodeimage/files", "nodeimage/programs", "nemesis", "nemesis/faults",
		"workloads/catalogue", "workloads/driver", "workloads/systems", "history", "history/check", "history/check/service", "history/gate", "history/trace", "internal/declare", "internal/host"},
	"orchestrator/testplan": {"nodeimage/mutants", "nemesis", "nemesis/faults", "nemesis/schedule", "workloads", "workloads/catalogue", "workloads/systems", "workloads/systems/custom", "workloads/systems/systemfile",
		"history", "history/check", "history/elections", "history/gate", "internal/declare", "internal/suggest"},
	"orchestrator/campaign": {"internal/declare", "internal/suggest", "orchestrator", "orchestrator/testplan", "history", "history/check", "history/gate", "history/ledger"},
	"orchestrator/crash":    {"nodeimage/disk", "history", "history/check"},
	"orchestrator/crash/boot": {"orchestrator", "orchestrator/crash", "orchestrator/machines", "orchestrator/testplan", "nodeimage", "nodeimage/agent/protocol", "nodeimage/disk",
		"workloads", "workloads/catalogue", "workloads/driver", "workloads/systems", "history", "history/check", "history/check/service"},
	"orchestrator/hunt":          {"orchestrator", "orchestrator/testplan", "nemesis", "nemesis/faults", "nemesis/schedule", "history", "history/check"},
	"orchestrator/selftest":      {"nodeimage/mutants", "history/check", "history/conformance", "history/ledger"},
	"orchestrator/elections":     {"orchestrator", "orchestrator/testplan", "nemesis", "workloads/catalogue", "workloads/systems", "history", "history/check", "history/check/traces", "history/check/validity", "history/elections", "internal/declare"},
	"orchestrator/machines":      {"nodeimage/files"},
	"orchestrator/docker":        {"orchestrator/machines", "nodeimage", "nodeimage/agent/protocol", "nodeimage/files"},
	"orchestrator/local":         {"orchestrator/machines", "nodeimage", "nodeimage/files", "nodeimage/hub/protocol"},
	"internal/declare":           {"internal/suggest"},
	"internal/suggest":           {},
	"internal/atomicfile":        {},
	"internal/plain":             {},
	"internal/regular":           {},
	"internal/number":            {},
	"internal/host":              {},
	"internal/openmetrics":       {},
	"nemesis":                    {"internal/declare", "internal/suggest", "history", "history/trace"},
	"nemesis/faults":             {"internal/declare", "nemesis", "history"},
	"nemesis/schedule":           {"internal/declare", "internal/suggest", "nemesis", "history"},
	"workloads":                  {"internal/declare", "workloads/systems", "history", "history/check", "history/check/service", "history/check/traces", "history/check/validity"},
	"workloads/register":         {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/linearizable", "history/check/service"},
	"workloads/set":              {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/linearizable", "history/check/service", "history/check/sets", "history/objects"},
	"workloads/listappend":       {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/service", "history/check/transactions", "history/objects"},
	"workloads/rw":               {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/transactions", "history/objects"},
	"workloads/bank":             {"internal/declare", "workloads", "workloads/rw", "workloads/systems", "history", "history/check", "history/check/transactions", "history/objects"},
	"workloads/mini":             {"internal/declare", "workloads", "workloads/rw", "workloads/systems", "history", "history/check", "history/check/transactions", "history/objects"},
	"workloads/lock":             {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/linearizable", "history/check/service", "history/objects"},
	"workloads/lease":            {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/leases", "history/check/service", "history/objects"},
	"workloads/setremove":        {"internal/declare", "workloads", "workloads/set", "workloads/systems", "history", "history/check", "history/check/service", "history/check/sets", "history/objects"},
	"workloads/longfork":         {"internal/declare", "workloads", "workloads/rw", "workloads/systems", "history", "history/check", "history/check/transactions", "history/objects"},
	"workloads/counter":          {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/linearizable", "history/objects"},
	"workloads/uniqueids":        {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/numbers", "history/objects"},
	"workloads/monotonic":        {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/numbers", "history/objects"},
	"workloads/multiregister":    {"internal/declare", "workloads", "workloads/rw", "workloads/systems", "history", "history/check", "history/check/linearizable", "history/objects"},
	"workloads/queue":            {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/linearizable", "history/objects"},
	"workloads/watch":            {"internal/declare", "workloads", "workloads/systems", "history", "history/check", "history/check/watches", "history/objects"},
	"workloads/catalogue":        {"internal/declare", "workloads", "workloads/register", "workloads/set", "workloads/listappend", "workloads/bank", "workloads/mini", "workloads/rw", "workloads/lock", "workloads/lease", "workloads/setremove", "workloads/longfork", "workloads/watch", "workloads/counter", "workloads/queue", "workloads/uniqueids", "workloads/monotonic", "workloads/multiregister", "workloads/systems/..."},
	"workloads/driver":           {"internal/declare", "workloads", "workloads/catalogue", "workloads/program", "workloads/systems", "workloads/systems/custom", "history"},
	"workloads/program":          {"workloads/systems", "history"},
	"workloads/systems":          {"internal/declare", "nodeimage/files", "history"},
	"workloads/systems/*":        {"internal/declare", "nodeimage/files", "workloads/...", "history"},
	"workloads/systems/raftkv":   {"internal/declare", "nodeimage/kv", "workloads/...", "history"},
	"reports":                    {"history", "history/check", "history/gate", "history/ledger", "history/measure", "history/elections"},
	"reports/archive":            {"history"},
	"reports/serve":              {"reports", "reports/archive", "internal/openmetrics", "history", "history/check", "history/gate", "history/ledger", "history/measure", "history/elections"},
	"reports/browsertest":        {"internal/machinetest"},
	"history":                    {},
	"history/historytest":        {},
	"history/measure":            {"history"},
	"history/trace":              {},
	"history/situations":         {"history/trace"},
	"history/conformance":        {"history/trace"},
	"history/etcdtla":            {"history/trace"},
	"history/elections":          {"history"},
	"history/objects":            {"history"},
	"history/cycles":             {},
	"history/elsewhere":          {"history", "history/objects"},
	"history/export":             {"history", "history/measure", "internal/openmetrics"},
	"history/check":              {"history", "history/measure", "history/situations", "history/trace"},
	"history/check/linearizable": {"history", "history/check", "history/measure", "history/objects", "internal/suggest"},
	"history/check/leases":       {"history", "history/check", "history/objects"},
	"history/check/numbers":      {"history", "history/check", "history/objects"},
	"history/check/sets":         {"history", "history/check", "history/objects"},
	"history/check/transactions": {"history", "history/check", "history/cycles", "history/objects"},
	"history/check/validity":     {"history", "history/check"},
	"history/check/watches":      {"history", "history/check", "history/check/validity", "history/objects"},
	"history/check/service":      {"history", "history/check", "history/check/validity", "history/objects"},
	"history/check/traces":       {"history", "history/check", "history/conformance", "history/trace"},
	"history/check/checkbench":   {"history", "history/check", "history/check/linearizable", "history/check/sets", "history/check/transactions", "history/objects"},
	"history/check/checktest":    {"history", "history/check", "internal/machinetest"},
	"history/ledger":             {"history/check"},
	"history/gate":               {"history", "history/check", "history/ledger", "history/measure"},
	"internal/guidetest":         {},
	"internal/machinetest":       {},
	".":                          {},
	"nodeimage":                  {"nodeimage/carried", "nodeimage/files", "nodeimage/mutants", "nodeimage/programs"},
	"nodeimage/programs":         {"nodeimage/files"},
	"nodeimage/files":            {},
	"nodeimage/carried":          {},
	"nodeimage/mutants":          {"internal/suggest"},
	"nodeimage/mutants/scenario": {},
	"nodeimage/disk":             {},
	"nodeimage/agent":            {"nodeimage/agent/disk", "nodeimage/agent/protocol", "nodeimage/agent/shape"},
	"nodeimage/agent/disk":       {"nodeimage/agent/protocol", "nodeimage/disk"},
	"nodeimage/agent/shape":      {"nodeimage/agent/protocol"},
	"nodeimage/agent/protocol":   {},
	"nodeimage/hub":              {"nodeimage/hub/protocol"},
	"nodeimage/hub/protocol":     {},
	"nodeimage/kv":               {"nodeimage/raft", "nodeimage/raft/steptrace", "nodeimage/raft/wal"},
	"nodeimage/raft":             {},
	"nodeimage/raft/steptrace":   {"nodeimage/raft", "history/trace"},
	"nodeimage/raft/wal":         {"nodeimage/raft"},

	// It is compiled in modules that have no other package of squall.
	"workloads/systems/goclient": {},

	// Where the programs of systems come from.
	"workloads/systems/origin": {"internal/declare", "nodeimage/files", "workloads/systems/goclient"},

	// Programs of systems, for their tests.
	"workloads/systems/programtest": {"nodeimage/files", "nodeimage/programs"},

	// Systems that files describe.
	"workloads/systems/custom": {"internal/declare", "internal/suggest", "nodeimage/files", "workloads", "workloads/register", "workloads/set", "workloads/listappend",
		"workloads/lock", "workloads/systems", "history", "history/objects"},
	"workloads/systems/systemfile": {"workloads/systems/custom", "internal/suggest"},
}

// everywhere are rooms that any room may import: they import nothing of the
// project, and every room writes files, texts and numbers.
var everywhere = []string{"internal/atomicfile", "internal/number", "internal/plain", "internal/regular"}

// A test may reach one arrow further, to try its room against a real neighbour.
var testArrows = map[string][]string{
	"cmd/squall":                 {"history/historytest"},
	"history":                    {"history/historytest"},
	"history/check":              {"history/measure"},
	"history/check/linearizable": {"history/check/checktest", "history/historytest"},
	"history/check/leases":       {"history/check/checktest", "internal/machinetest"},
	"history/check/numbers":      {"history/check/checktest"},
	"history/check/sets":         {"history/check/checktest", "history/check/linearizable"}, // the same sets, judged in another way
	"history/check/transactions": {"history/check/checktest"},
	"history/check/validity":     {"history/check/checktest"},
	"history/check/watches":      {"history/check/checktest"},
	"history/check/service":      {"history/check/checktest", "history/check/linearizable"}, // functions of models
	"history/check/traces":       {"history/check/checktest", "history/check/validity"},     // logs are no traces, for no-crash either
	"history/check/checktest":    {"history/check/...", "history/historytest"},              // all checks together
	"history/measure":            {"history/historytest"},
	"history/elsewhere":          {"history/check", "history/check/linearizable", "history/check/transactions"},                                             // verdicts of what was read
	"orchestrator":               {"orchestrator/docker", "orchestrator/local", "history/check/traces", "history/measure", "history/historytest"},           // the table of tests that both pass; figures to judge
	"orchestrator/campaign":      {"history/measure"},                                                                                                       // figures to judge
	"orchestrator/crash":         {"history/check/service"},                                                                                                 // checks to judge by
	"orchestrator/selftest":      {"orchestrator/campaign"},                                                                                                 // which reads what it writes
	"reports":                    {"reports/archive", "reports/browsertest", "history/historytest", "history/check/linearizable", "history/check/validity"}, // runs to show
	"reports/serve":              {"reports/browsertest", "history/historytest", "history/check/linearizable"},
	"workloads/catalogue":        {"history/check"},
	"workloads/driver":           {"history/check", "history/check/linearizable", "nodeimage/kv", "nodeimage/files", "workloads/systems/raftkv"},
	"nemesis/schedule":           {"nemesis/faults"},                              // real faults to draw from
	"nemesis/faults":             {"nemesis/schedule"},                            // drawn plans to carry out
	"nodeimage/agent":            {"nodeimage/kv"},                                // a server whose clock it bends
	"nodeimage/kv":               {"nodeimage/mutants/scenario", "history/trace"}, // what a server wrote
	"history/etcdtla":            {"history/conformance"},
	"nodeimage/raft":             {"nodeimage/raft/wal", "nodeimage/mutants/scenario", "nodeimage/raft/steptrace", "history/trace", "history/conformance", "history/situations"}, // steps as events, and what follows them
	"nodeimage/raft/wal":         {"nodeimage/mutants/scenario"},
}

func TestArrows(t *testing.T) {
	seen := map[string]bool{}
	modules := nestedModules(t)
	eachGoFile(t, func(file string) {
		room := path.Dir(file)
		if slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(file, m+"/") }) {
			return // go itself keeps it from importing rooms
		}
		allowed, ok := arrows[room]
		if !ok {
			allowed, ok = arrows[path.Dir(room)+"/*"]
		}
		if !ok {
			t.Errorf("%s: the room %s is not in the table of arrows", file, room)
			return
		}
		seen[room] = true
		allowed = append(allowed[:len(allowed):len(allowed)], everywhere...)
		if strings.HasSuffix(file, "_test.go") {
			allowed = append(allowed[:len(allowed):len(allowed)], testArrows[room]...)
			allowed = append(allowed, room, "internal/machinetest", "internal/guidetest")
		}
		for _, imported := range projectImports(t, file) {
			if !permits(allowed, imported) {
				t.Errorf("%s imports %s: %s may only import %v", file, imported, room, allowed)
			}
		}
	})
	for room := range arrows {
		if !seen[room] && path.Base(room) != "*" {
			t.Errorf("the table of arrows names %s, which is not there", room)
		}
	}
}

// TestFilesStaySmall keeps every source file readable at one sitting.
func TestFilesStaySmall(t *testing.T) {
	const limit = 500
	eachGoFile(t, func(file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > limit && !strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s has %d lines; over %d is two rooms in one", file, n, limit)
		}
	})
}

func eachGoFile(t *testing.T, do func(file string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "testdata" || name == "runs" || strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") && name != ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			do(filepath.ToSlash(file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func projectImports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var imports []string
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if imported == module {
			imports = append(imports, ".")
		} else if room, ok := strings.CutPrefix(imported, module+"/"); ok {
			imports = append(imports, room)
		}
	}
	return imports
}

func permits(allowed []string, imported string) bool {
	for _, a := range allowed {
		tree, whole := strings.CutSuffix(a, "/...")
		if imported == a || whole && (imported == tree || strings.HasPrefix(imported, tree+"/")) {
			return true
		}
	}
	return false
}
