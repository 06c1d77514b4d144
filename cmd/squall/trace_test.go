package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"squall/history/historytest"
	"squall/history/trace"
)

// writeTrace puts the full trace of a node into a run, from text, at times since begun.
func writeTrace(t *testing.T, run, node, text string, begun int64) {
	t.Helper()
	events, err := trace.ReadText(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var enc trace.Encoder
	data := enc.AppendBoot([]byte(trace.Magic), 1)
	for i := range events {
		events[i].Time += begun
		if data, err = enc.Append(data, &events[i]); err != nil {
			t.Fatal(err)
		}
	}
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(run, trace.Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, trace.Dir, trace.FileName(node)), pack.EncodeAll(data, nil), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTrace prints a run's full traces, merged by time, and what is asked for of them.
func TestTrace(t *testing.T) {
	const begun = 5_000_000_000
	dir := historytest.Run(t, []byte(`{"format":"squall-history","version":2,"functions":[],"test":"t","system":"raftkv","workload":"register","nodes":["n1","n2"],"seed":1,"mono":5000000000,"wall":"2026-11-28T00:00:00Z"}`+"\n"))
	squall := func(args ...string) (code int, out, errOut string) {
		var o, e strings.Builder
		code = run(context.Background(), append([]string{"squall", "trace", dir}, args...), nil, &o, &e)
		return code, o.String(), e.String()
	}
	if code, _, errOut := squall(); code == 0 || !strings.Contains(errOut, "--trace full") {
		t.Errorf("a run without: exit %d, %s", code, errOut)
	}
	one := []string{"@0.100000000 n1 start members=n1,n2", "@0.300000000 n1 grant term=1 peer=n1", "@2.000000000 n1 failed term=1 reason=\"a \\x1b[31mred\\n text\""}
	two := []string{"@0.200000000 n2 start members=n1,n2"}
	writeTrace(t, dir, "n1", strings.Join(one, "\n"), begun)
	writeTrace(t, dir, "n2", strings.Join(two, "\n"), begun)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{one[0], two[0], one[1], one[2]}},
		{[]string{"--node", "n2"}, two},
		{[]string{"--kind", "grant,start"}, []string{one[0], two[0], one[1]}},
		{[]string{"--from", "200ms", "--to", "300ms"}, two},
	} {
		if code, out, errOut := squall(c.args...); code != 0 || out != strings.Join(c.want, "\n")+"\n" {
			t.Errorf("%q: exit %d, %s\n%s", c.args, code, errOut, out)
		}
	}
	for want, args := range map[string][]string{`did you mean "grant"`: {"--kind", "grnt"}, `no trace of "n9"`: {"--node", "n9"}} {
		if code, _, errOut := squall(args...); code != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("%q: exit %d, %s", args, code, errOut)
		}
	}
	file := filepath.Join(dir, trace.Dir, trace.FileName("n2"))
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, data[:len(data)-3], 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := squall(); code != 0 || !strings.Contains(errOut, "the trace of n2") || !strings.Contains(out, "n2 silent") {
		t.Errorf("a cut file: exit %d, %s\n%s", code, errOut, out)
	}
}
