package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"squall/trace/internal/pipe"
)

func TestLines(t *testing.T) {
	const at = 5 * time.Second
	for _, c := range []struct {
		event Event
		want  string
	}{
		{Event{Kind: Role, Term: 3, Role: Leader, Leader: "n2", Index: 7, EntryTerm: 2, Reason: "won \"it\"\n"},
			`{"e":"role","t":5000000000,"term":3,"role":"leader","leader":"n2","i":7,"et":2,"reason":"won \"it\"\n"}`},
		{Event{Kind: Vote, Term: 4, Vote: "n11"}, `{"e":"vote","t":5000000000,"term":4,"vote":"n11"}`},
		{Event{Kind: Commit, Term: 4, Index: 64, EntryTerm: 3, Hash: 0xabc},
			`{"e":"commit","t":5000000000,"term":4,"i":64,"et":3,"h":"0000000000000abc"}`},
		{Event{Kind: Commit, Term: 4, Index: 65, EntryTerm: 3}, `{"e":"commit","t":5000000000,"term":4,"i":65,"et":3}`},
		{Event{Kind: State, Index: 64}, `{"e":"state","t":5000000000,"i":64,"h":"0000000000000000"}`},
		{Event{Kind: Members, Members: []string{"n1", "n\"2"}}, `{"e":"members","t":5000000000,"members":["n1","n\"2"]}`},
	} {
		if got := string(c.event.appendLine(nil, at)); got != c.want+"\n" || !json.Valid([]byte(got)) {
			t.Errorf("line\n%s, want\n%s", got, c.want)
		}
	}
}

// pieces keeps each write.
type pieces struct {
	list []string
	fail bool
}

func (p *pieces) Write(b []byte) (int, error) {
	p.list = append(p.list, string(b))
	if p.fail {
		return 0, errors.New("broken pipe")
	}
	return len(b), nil
}

func TestWritesAreWholeAndSmall(t *testing.T) {
	var w pieces
	tracer, err := New(&w)
	if err != nil {
		t.Fatal(err)
	}
	tracer.Write()
	tracer.Write(Event{Kind: Vote, Vote: "n1"})
	if len(w.list) != 1 {
		t.Fatalf("%d writes for an event, want 1", len(w.list))
	}
	events := make([]Event, 200)
	for i := range events {
		events[i] = Event{Kind: Commit, Index: uint64(i + 1), EntryTerm: 1, Hash: 1}
	}
	tracer.Write(events...)
	for i, p := range w.list {
		if len(p) > atomicWrite || !strings.HasSuffix(p, "}\n") {
			t.Errorf("write %d is of %d bytes, and ends in %q", i, len(p), p[max(0, len(p)-10):])
		}
	}
	if all := strings.Join(w.list, ""); strings.Count(all, "\n") != 201 || !strings.Contains(all, `"i":200,`) {
		t.Errorf("%d lines, want 201", strings.Count(all, "\n"))
	}
	if full := len(w.list); full < 4 || full > 6 {
		t.Errorf("%d writes for %d bytes", full, len(strings.Join(w.list, "")))
	}
}

func TestTraceEndsWhenItCannotBeWritten(t *testing.T) {
	w := pieces{fail: true}
	tracer, err := New(&w)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		tracer.Write(Event{Kind: Vote, Vote: "n1"})
	}
	if err := tracer.Err(); len(w.list) != 1 || err == nil {
		t.Errorf("%d writes, %v", len(w.list), err)
	}
}

func TestNilTracerCostsNothing(t *testing.T) {
	t.Setenv(FDVar, "")
	tracer, err := Open()
	if tracer != nil || err != nil {
		t.Fatalf("without squall: %v, %v", tracer, err)
	}
	if n := testing.AllocsPerRun(100, func() {
		tracer.Write(Event{Kind: Vote, Term: 1, Vote: "n1"})
	}); n != 0 || tracer.Err() != nil {
		t.Errorf("%v allocations, %v", n, tracer.Err())
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	tracer, err := New(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		tracer.Write(Event{Kind: Commit, Term: 1, Index: 70, EntryTerm: 1, Hash: 5}, Event{Kind: State, Term: 1, Index: 70, Hash: 6})
	}); n > 1 { // the list of events
		t.Errorf("%v allocations a write", n)
	}
}

func TestOpenRefusesWhatIsNoTrace(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, value := range []string{"x", "2", "-1", "987", fd(file)} {
		t.Setenv(FDVar, value)
		if tracer, err := Open(); err == nil || tracer != nil || !strings.Contains(err.Error(), FDVar) {
			t.Errorf("%s=%s: %v, %v", FDVar, value, tracer, err)
		}
	}
}

// childVar makes the test program a server that squall has started.
const childVar = "TRACE_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		os.Exit(server())
	}
	os.Exit(m.Run())
}

func server() int {
	tracer, err := Open()
	if err != nil || tracer == nil {
		println("no trace:", err)
		return 1
	}
	tracer.Write(Event{Kind: Vote, Term: 1, Vote: "n1"})
	// A child must not hold the trace open.
	out, err := exec.Command("readlink", "/proc/self/fd/3").CombinedOutput()
	if err == nil && strings.HasPrefix(string(out), "pipe:") {
		println("the child has the trace:", string(out))
		return 1
	}
	return 0
}

func TestOpenWritesToThePipeItIsGiven(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("squall starts servers on Linux alone")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	clock, err := pipe.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	before := clock.Now()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"=1", FDVar+"=3")
	cmd.ExtraFiles = []*os.File{w}
	out, err := cmd.CombinedOutput()
	w.Close()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	after := clock.Now()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		E, Vote string
		T       int64
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&e); err != nil || e.E != "vote" || e.Vote != "n1" {
		t.Errorf("it wrote %q, %v", text, err)
	}
	if e.T < int64(before) || e.T > int64(after) {
		t.Errorf("its time is %d, not between %d and %d of the machine's clock", e.T, before, after)
	}
}

func BenchmarkWrite(b *testing.B) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	go io.Copy(io.Discard, r)
	tracer, err := New(w)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		tracer.Write(Event{Kind: Commit, Term: 1, Index: 70, EntryTerm: 1, Hash: 5}, Event{Kind: State, Term: 1, Index: 70, Hash: 6})
	}
	w.Close()
}

func BenchmarkWithoutSquall(b *testing.B) {
	var tracer *Tracer
	for b.Loop() {
		tracer.Write(Event{Kind: Commit, Term: 1, Index: 70, EntryTerm: 1, Hash: 5})
	}
}
