package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history"
	"squall/history/check"
	"squall/internal/machinetest"
)

// TestOddResultsInCommands: results that no squall has written are read back
// without a panic, in few words, and a refusal names the file.
func TestOddResultsInCommands(t *testing.T) {
	machinetest.NotUnderRace(t, "commands one after the other, whose parts are run under the detector where they are")
	out, dir := recorded(t, func(*history.History) {})
	head := `{"schemaVersion":2,"verdict":"pass",`
	for _, text := range []string{"", "null", "[]", "7", `{"verdict":7}`, `{"schemaVersion":-1}`, head + `"ops":{"throughput":1e999}}`,
		head + `"ops":{"ok":-5,"total":-9223372036854775808,"loadSeconds":-1e308,"throughput":1e308},"elections":{"count":-1,"noLeaderMax":-1e308,"losses":[{"at":-9223372036854775808,"noLeader":1e308}]}}`,
		head + `"ops":null,"elections":null,"faults":null,"reasons":null,"thresholds":null,"checks":null,"effects":null,"blocks":null}`,
		head + `"blocks":{"seconds":-1},"faults":[null,{}],"checks":[{}],"thresholds":[{}],"effects":[{}]}`,
		head + `"reasons":[` + strings.Repeat(`"r",`, 1e5) + `"r"]}`, head + `"checks":[` + strings.Repeat(`{},`, 1e5) + `{}]}`,
		head + `"checks":[{"verdict":"violation","witness":[` + strings.Repeat(`{},`, 1e5) + `{}]}]}`,
		head + `"x":` + strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6) + "}", head + `"stopped":"` + strings.Repeat("v", 1<<20) + `"}`} {
		path := filepath.Join(dir, check.ResultsName)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"list", "runs", "--out", out}, {"list", "runs", "--json", "--out", out}, {"compare", dir, dir}, {"compare", "--json", dir, dir}, {"report", dir}} {
			said, code := hear(t, &app{}, false, args...)
			if len(said.errOut) > 8<<10 || !slices.Contains(args, "--json") && len(said.out) > 64<<10 {
				t.Errorf("%.60q: %s prints %d and %d bytes", text, args[0], len(said.out), len(said.errOut))
			}
			if args[0] == "list" && code != exitPass {
				t.Errorf("%.60q: list ends with %d: %.300s", text, code, said.errOut)
			}
			if code == exitPass {
				continue
			}
			if !strings.Contains(said.errOut, check.ResultsName) && code != exitThreshold {
				t.Errorf("%.60q: %s ends with %d and does not name the file: %.300s", text, args[0], code, said.errOut)
			}
		}
	}
}
