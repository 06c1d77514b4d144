package main

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTraceCheck checks the recorded trace of go.etcd.io/raft, whole, mutated and cut.
func TestTraceCheck(t *testing.T) {
	file, err := os.Open("../../history/etcdtla/testdata/storm.ndjson.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	legal := string(text)
	for _, test := range []struct {
		name, text string
		code       int
		says       []string
	}{
		{"legal", legal, exitPass, []string{
			"pass: 1890 steps of 4 nodes break none of ",
			"off, as the trace lacks persist: own-vote-durable, vote-durable, term-durable, restart-term, restart-vote, restart-log, ack-durable, commit-durable\n",
		}},
		{"a voter is lost", strings.ReplaceAll(legal, `"name":"ReceiveRequestVoteResponse","nid":"3","state":{"term":2`, `"name":"Ready","nid":"3","state":{"term":2`),
			exitViolation, []string{"leader-quorum (§5.2, Fig. 2; T 3.4): n3 becomes leader of term 2 with no vote", "n3 role leader term=2", "violation: 1 rule is broken\n"}},
		{"cut", legal[:len(legal)-100], exitUnknown, []string{"damaged: ", "line 2294", "unknown: n1 from @", "unknown: the steps that are known break no rule"}},
		{"of something else", "a line\n{}\n", exitUnknown, []string{"2 lines are of no trace, and passed over", "unknown: there is no line of a trace"}},
		{"empty", "", exitUnknown, []string{"unknown: there is no line of a trace"}},
		{"a node is missing", onlyOf(legal, "1", "2", "3"), exitUnknown, []string{"n4: there is no trace of it"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "trace.ndjson")
			if err := os.WriteFile(path, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			var out, errOut strings.Builder
			code := run(context.Background(), []string{"squall", "trace", "check", path}, nil, &out, &errOut)
			if code != test.code {
				t.Errorf("exit %d, want %d: %s%s", code, test.code, &out, &errOut)
			}
			for _, want := range test.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, &out)
				}
			}
		})
	}
	var out, errOut strings.Builder
	if code := run(context.Background(), []string{"squall", "trace", "check", filepath.Join(t.TempDir(), "none")}, nil, &out, &errOut); code != exitUsage {
		t.Errorf("a file that is not there: exit %d: %s", code, &errOut)
	}
	errOut.Reset()
	if code := run(context.Background(), []string{"squall", "trace", "check", "-", "-"}, nil, &out, &errOut); code != exitUsage || !strings.Contains(errOut.String(), "- is named twice") {
		t.Errorf("the standard input twice: exit %d: %s", code, &errOut)
	}
}

// onlyOf are the lines of these nodes.
func onlyOf(text string, ids ...string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for _, id := range ids {
			if strings.Contains(line[:80], `"nid":"`+id+`"`) {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}
