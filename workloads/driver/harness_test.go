package driver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/history"
	"squall/internal/machinetest"
	"squall/workloads/systems"
)

func TestMain(m *testing.M) {
	if os.Getenv(instantProgramEnv) != "" {
		instantProgram()
		return
	}
	goleak.VerifyTestMain(machinetest.Waiting(m))
}

func testNodes(n int) []systems.Node {
	var nodes []systems.Node
	for i := 1; i <= n; i++ {
		nodes = append(nodes, systems.Node{ID: i, Name: fmt.Sprintf("n%d", i), Addr: netip.AddrFrom4([4]byte{127, 0, 0, byte(i)})})
	}
	return nodes
}

// batches keeps what is written to it, write by write.
type batches struct {
	mu     sync.Mutex
	writes [][]byte
	fail   error // returned by writes from now on
}

func (b *batches) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return 0, b.fail
	}
	b.writes = append(b.writes, bytes.Clone(p))
	return len(p), nil
}

// lines are all that was written, line by line.
func (b *batches) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Split(strings.TrimSuffix(string(bytes.Join(b.writes, nil)), "\n"), "\n")
}

func (b *batches) failWith(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// run is a driver under test.
type run struct {
	t       *testing.T
	fake    *fake
	in      *io.PipeWriter
	history batches
	status  batches
	cancel  context.CancelFunc
	err     chan error
	ready   Event
	readyAt time.Time
}

// drive starts a driver. Within a synctest bubble it lives in virtual time.
func drive(t *testing.T, f *fake, cfg Config) *run {
	t.Helper()
	r := driveSystem(t, f, cfg)
	r.fake = f
	return r
}

// driveSystem is drive, of any system.
func driveSystem(t *testing.T, sys systems.System, cfg Config) *run {
	t.Helper()
	line, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	r := &run{t: t, in: pw, err: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	cat := Catalogue{System: func(string) (systems.System, error) { return sys, nil }}
	go func() {
		r.err <- Run(ctx, Streams{Commands: pr, Status: &r.status, History: &r.history}, cat)
		pr.Close() // as the end of the process would
	}()
	r.say(string(line))
	r.ready, r.readyAt = r.await(EventReady), time.Now()
	return r
}

func (r *run) say(line string) {
	r.t.Helper()
	if _, err := io.WriteString(r.in, line+"\n"); err != nil {
		r.t.Fatalf("the driver does not listen to %q: %v", line, err)
	}
}

// now is the time on the driver's clock.
func (r *run) now() int64 {
	r.t.Helper()
	return r.ready.Time + int64(time.Since(r.readyAt))
}

// wait is for the driver's end.
func (r *run) wait() error {
	err := <-r.err
	r.in.Close()
	r.cancel()
	return err
}

// quit ends the driver, which must end well.
func (r *run) quit() {
	r.t.Helper()
	r.say(CommandQuit)
	if err := r.wait(); err != nil {
		r.t.Fatalf("driver: %v", err)
	}
}

// await returns the first event of that name, once it has come.
func (r *run) await(name string) Event {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, e := range r.events() {
			if e.Event == name {
				return e
			}
		}
	}
	r.t.Fatalf("no event %q in a minute; there was %+v", name, r.events())
	return Event{}
}

func (r *run) events() []Event {
	r.t.Helper()
	r.status.mu.Lock()
	defer r.status.mu.Unlock()
	var events []Event
	for _, w := range r.status.writes {
		if bytes.HasPrefix(w, []byte("client: ")) {
			continue // a client program's word
		}
		var e Event
		dec := json.NewDecoder(bytes.NewReader(w))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			r.t.Fatalf("event %q: %v", w, err)
		}
		events = append(events, e)
	}
	return events
}

// last is the driver's latest word.
func (r *run) last() Event {
	r.t.Helper()
	events := r.events()
	return events[len(events)-1]
}

// opKey is what makes an operation unique.
type opKey struct{ process, call int64 }

// parseBatch decodes the lines of a batch.
func parseBatch(t testing.TB, batch []byte, each func(op history.Op, open bool)) {
	t.Helper()
	for line := range bytes.Lines(batch) {
		rec, open, err := history.ParseLine(line)
		if err != nil || rec.Op == nil {
			t.Fatalf("line %q: %v", line, err)
		}
		each(*rec.Op, open)
	}
}

// ops are the finished operations of the history, after the rules that hold
// for every history were checked.
func (r *run) ops() []history.Op {
	r.t.Helper()
	var ops []history.Op
	open := map[opKey]bool{}
	for _, b := range r.history.writes {
		parseBatch(r.t, b, func(op history.Op, isOpen bool) {
			k := opKey{op.Process, op.Call}
			if isOpen {
				if open[k] {
					r.t.Errorf("written as open twice: %+v", op)
				}
				open[k] = true
				return
			}
			delete(open, k)
			ops = append(ops, op)
		})
	}
	for k := range open {
		r.t.Errorf("operation %+v was never ended", k)
	}
	checkProcesses(r.t, ops)
	return ops
}

// checkProcesses: a process runs one operation at a time, and none after one
// of unknown outcome.
func checkProcesses(t testing.TB, ops []history.Op) {
	t.Helper()
	byProcess := map[int64][]history.Op{}
	for _, op := range ops {
		byProcess[op.Process] = append(byProcess[op.Process], op)
	}
	for p, ops := range byProcess {
		sortByCall(ops)
		for i := 1; i < len(ops); i++ {
			last := ops[i-1]
			if last.Outcome == history.Info {
				t.Errorf("process %d goes on after an unknown outcome: %+v, then %+v", p, last, ops[i])
			}
			if ops[i].Call < last.Return {
				t.Errorf("process %d has two operations at once: %+v and %+v", p, last, ops[i])
			}
		}
	}
}
