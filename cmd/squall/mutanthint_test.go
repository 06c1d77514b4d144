package main

import (
	"strings"
	"testing"
)

// TestAMutantSaysWhatItNeeds: a bug that a test cannot show is told of, and not one that it can.
func TestAMutantSaysWhatItNeeds(t *testing.T) {
	for args, want := range map[string]string{
		"--mutant no-fsync":                                  "no-fsync shows only with --nemesis disks, which this test does not have",
		"--mutant no-fsync --nemesis disks":                  "",
		"--mutant no-fsync --nemesis lose-unsynced(all)":     "",
		"--mutant no-fsync --nemesis kill":                   "no-fsync shows only with --nemesis disks",
		"--mutant no-fsync --nemesis none --disk-journal 16": "",
		"--mutant half-quorum":                               "half-quorum shows only with --nodes 4",
		"--mutant half-quorum --nodes 4":                     "",
		"--mutant short-lists":                               "short-lists shows only with --workload set",
		"--mutant short-lists --workload set(keys=3)":        "",
		"--mutant local-reads":                               "",
		"--nodes 3":                                          "",
	} {
		var out, errOut syncBuffer
		a := &app{program: "squall", out: &out, errOut: &errOut, build: buildNode, open: openRuntime}
		a.run(t.Context(), append([]string{"squall", "run", "--dry-run", "--out", t.TempDir()}, strings.Fields(args)...))
		if said := errOut.String(); !strings.Contains(said, want) || want == "" && strings.Contains(said, "shows only with") {
			t.Errorf("%s: %q", args, said)
		}
	}
}
