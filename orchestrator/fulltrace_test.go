package orchestrator

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/history/trace"
	"squall/orchestrator/testplan"
)

// fullStream is what a server writes: its start, and some more events.
func fullStream(t *testing.T, id trace.NodeID, at int64, more ...trace.Event) []byte {
	t.Helper()
	var enc trace.Encoder
	buf, err := enc.Append([]byte(trace.Magic), &trace.Event{Kind: trace.Start, Node: id, Time: at, Members: []trace.NodeID{1, 2}})
	for i := range more {
		if err == nil {
			more[i].Time = at + int64(i) + 1
			buf, err = enc.Append(buf, &more[i])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func grant() trace.Event { return trace.Event{Kind: trace.Grant, Term: 1, Peer: 2} }

// readFull reads the traces of a run as text, each line's node by its name.
func readFull(t *testing.T, run string) (lines []string, damaged []string) {
	t.Helper()
	m, err := trace.Open(run)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for {
		e, err := m.Next()
		if err == io.EOF {
			return lines, m.Damaged()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s@%d %v#%d %s", m.Name(e.Node), e.Time, e.Kind, e.Boot, e.Reason))
	}
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// fullOf is the full trace of a node under test, with what it reports.
func fullOf(t *testing.T, run, node string) (*fullTrace, *[]string) {
	t.Helper()
	var told []string
	f, err := newFullTrace(run, node, func(boot int, why string) { told = append(told, fmt.Sprint(boot, " ", why)) })
	if err != nil {
		t.Fatal(err)
	}
	return f, &told
}

func takeAll(t *testing.T, f *fullTrace, boot int, data []byte, step int, now int64) {
	t.Helper()
	for len(data) > 0 {
		n := min(step, len(data))
		if err := f.take(boot, data[:n], now); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
}

// TestFullTracesOfARun: two nodes, one of which is killed within a frame and starts again,
// are read as one trace by time.
func TestFullTracesOfARun(t *testing.T) {
	for _, step := range []int{1, 7, 1 << 20} {
		run := t.TempDir()
		one, told := fullOf(t, run, "n1")
		two, _ := fullOf(t, run, "n2")
		first := fullStream(t, 1, 1000, grant(), grant())
		takeAll(t, one, 1, first[:len(first)-2], step, 2000) // the last frame is cut
		takeAll(t, two, 1, fullStream(t, 2, 1001), step, 2000)
		takeAll(t, one, 2, fullStream(t, 1, 5000, grant()), step, 6000)
		stats, err := one.finish(7000)
		if err != nil || stats.Boots != 2 || stats.Events != 4 || stats.Cut != 1 || len(*told) != 0 {
			t.Errorf("%+v, %v, %q", stats, err, *told)
		}
		if _, err := two.finish(7000); err != nil {
			t.Error(err)
		}
		lines, damaged := readFull(t, run)
		wantLines(t, lines, "n1@1000 start#1", "n1@1001 grant#1", "n2@1001 start#1", "n1@5000 start#2", "n1@5001 grant#2")
		if len(damaged) != 0 {
			t.Error(damaged)
		}
	}
}

// TestWhatIsNoFullTrace: it makes the rest of that boot silent, with the reason, and
// leaves alone what came before and the next boot.
func TestWhatIsNoFullTrace(t *testing.T) {
	good := func() []byte { return fullStream(t, 1, 1000, grant()) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"garbage after events": {append(good(), 1, 99), "kind 99"},
		"another server":       {append(good(), fullStream(t, 1, 1000)[len(trace.Magic):]...), "second start"},
		"a forged silence":     {append(good(), 5, byte(trace.Silent), 0, 0, 1, 'x'), "kind 22"},
	} {
		run := t.TempDir()
		f, told := fullOf(t, run, "n1")
		takeAll(t, f, 1, c.data, 5, 2000)
		takeAll(t, f, 1, []byte("more of it"), 5, 2000)
		takeAll(t, f, 2, fullStream(t, 1, 3000), 5, 4000)
		stats, err := f.finish(5000)
		if err != nil || len(*told) != 1 || !strings.Contains((*told)[0], c.want) || len(stats.Silent) != 1 {
			t.Errorf("%s: %+v, %v, %q", name, stats, err, *told)
		}
		lines, _ := readFull(t, run)
		wantLines(t, lines, "n1@1000 start#1", "n1@1001 grant#1", "n1@2000 silent#1", "n1@3000 start#2")
	}
}

// TestTimesOutsideOfTheTest: events of the future, or from before the test, are refused.
func TestTimesOutsideOfTheTest(t *testing.T) {
	for name, at := range map[string]int64{"the future": 2000 + int64(traceSlack) + 1, "before the test": 499} {
		run := t.TempDir()
		f, told := fullOf(t, run, "n1")
		f.earlier = func() int64 { return 500 }
		takeAll(t, f, 1, fullStream(t, 1, at), 1000, 2000)
		if _, err := f.finish(3000); err != nil || len(*told) != 1 || !strings.Contains((*told)[0], "outside of the test") {
			t.Errorf("%s: %v, %q", name, err, *told)
		}
		lines, _ := readFull(t, run)
		wantLines(t, lines, "n1@2000 silent#1")
	}
}

// TestAFullTraceTooLarge: beyond the burst and the rate it is silent.
func TestAFullTraceTooLarge(t *testing.T) {
	f, told := fullOf(t, t.TempDir(), "n1")
	takeAll(t, f, 1, fullStream(t, 1, 1000), 1000, 1e9)
	f.bytes = fullBurst
	takeAll(t, f, 1, []byte{3}, 1, 1e9)
	if len(*told) != 1 || !strings.Contains((*told)[0], "256 MiB") {
		t.Errorf("%q", *told)
	}
	if _, err := f.finish(1e9); err != nil {
		t.Error(err)
	}
}

// TestNoFullTraceAtAll: a server that was asked for one and wrote none is silent by name.
func TestNoFullTraceAtAll(t *testing.T) {
	run := t.TempDir()
	f, told := fullOf(t, run, "n3")
	if _, err := f.finish(3000); err != nil || len(*told) != 1 || !strings.Contains((*told)[0], "wrote no full trace") {
		t.Errorf("%v, %q", err, *told)
	}
	lines, _ := readFull(t, run)
	wantLines(t, lines, "n3@3000 silent#0 its server wrote no full trace")
	if err := f.take(1, []byte("late"), 4000); err != nil {
		t.Error(err)
	}
}

// TestAFullTraceOfAKilledSquall: a file that was cut gives what was whole, and a silence.
func TestAFullTraceOfAKilledSquall(t *testing.T) {
	run := t.TempDir()
	f, _ := fullOf(t, run, "n1")
	takeAll(t, f, 1, fullStream(t, 1, 1000, grant()), 1000, 1000)
	if err := f.take(1, nil, 1000+int64(fullWait)); err != nil { // it packs what is old
		t.Fatal(err)
	}
	path := filepath.Join(run, trace.Dir, trace.FileName("n1"))
	whole, err := os.ReadFile(path)
	if err != nil || len(whole) == 0 {
		t.Fatal(err, len(whole))
	}
	lines, damaged := readFull(t, run)
	wantLines(t, lines, "n1@1000 start#1", "n1@1001 grant#1")
	if len(damaged) != 0 {
		t.Error(damaged)
	}
	if err := os.WriteFile(path, append(whole, whole[:len(whole)/2]...), 0o644); err != nil {
		t.Fatal(err)
	}
	lines, damaged = readFull(t, run)
	if len(lines) != 3 || !strings.Contains(lines[2], "silent#1") || len(damaged) != 1 {
		t.Errorf("%q, %q", lines, damaged)
	}
}

// TestStepsAreMoments: a fault that waits for a step of the full trace sees it, with the
// nodes by their names.
func TestStepsAreMoments(t *testing.T) {
	r := &run{plan: &testplan.Plan{Nodes: []string{"n1", "n2"}}, nodes: &nodes{}}
	f, _ := fullOf(t, t.TempDir(), "n1")
	f.seen = r.watchSteps("n1")
	vote, err := r.nodes.watch.Expect("vote-decided", nil)
	if err != nil {
		t.Fatal(err)
	}
	read, err := r.nodes.watch.Expect("read-round", nil)
	if err != nil {
		t.Fatal(err)
	}
	takeAll(t, f, 1, fullStream(t, 1, 1000, grant()), 7, 2000)
	select {
	case s := <-vote.Seen():
		if s.Node != "n1" || s.Peer != "n2" || s.Term != 1 || s.Time != 1001 {
			t.Errorf("%+v", s)
		}
	default:
		t.Error("a vote was decided, and nobody saw it")
	}
	select {
	case s := <-read.Seen():
		t.Errorf("there was no round of reads, and it was seen: %+v", s)
	default:
	}
	if _, err := f.finish(3000); err != nil {
		t.Error(err)
	}
}
