package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
)

// growing is a run that goes on, as squall would record it.
type growing struct {
	t       *testing.T
	dir     string
	rec     *history.Recorder
	mono    int64
	release func()
}

const hostile = `</script><img src=x onerror="document.title='owned'">`

func newGrowing(t *testing.T, out, name string, wall time.Time) *growing {
	t.Helper()
	g := &growing{t: t, dir: filepath.Join(out, filepath.FromSlash(name)), mono: 1e15}
	write(t, out, name+"/plan.json", `{"test":{"name":"t","time":"30s","seed":1}}`)
	var err error
	if g.release, err = history.Hold(g.dir); err != nil {
		t.Fatal(err)
	}
	g.rec, err = history.Create(filepath.Join(g.dir, history.FileName),
		history.Header{Test: hostile, Nodes: []string{"n1", "n2", "n3"}, Functions: history.RegisterFunctions(), Mono: g.mono, Wall: wall})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.rec.Close(); g.release() })
	return g
}

func (g *growing) at(seconds float64) int64 { return g.mono + int64(seconds*1e9) }

func (g *growing) add(rec history.Record) {
	g.t.Helper()
	if err := g.rec.Append(rec); err != nil {
		g.t.Fatal(err)
	}
}

// load is n operations in a second, one in ten of them failed.
func (g *growing) load(second, n int) {
	g.t.Helper()
	for i := range n {
		outcome := history.OK
		if i%10 == 9 {
			outcome = history.Fail
		}
		op := history.Op{Process: int64(i), Node: "n1", Func: history.Read, Key: hostile, Outcome: outcome, Error: hostile,
			Call: g.at(float64(second)), Return: g.at(float64(second) + 0.5)}
		op.SetRegister(history.Register{})
		g.add(history.Record{Op: &op})
	}
	if err := g.rec.Flush(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *growing) mark(name string, seconds float64) {
	g.t.Helper()
	g.add(history.Record{Mark: &history.Mark{Name: name, Time: g.at(seconds)}})
}

func (g *growing) leader(node string, term uint64, seconds float64) {
	g.t.Helper()
	g.add(history.Record{Node: &history.NodeEvent{Node: node, Boot: 1, Kind: history.EventRole, Role: history.RoleLeader, Term: term, Time: g.at(seconds)}})
}

func (g *growing) fault(id int, phase history.Phase, seconds float64, proof string) {
	g.t.Helper()
	g.add(history.Record{Fault: &history.Fault{Name: "partition", ID: id, Variant: "one", Phase: phase, Targets: []string{"n2"}, Detail: "n2 | n1 n3",
		Begin: g.at(seconds), End: g.at(seconds + 0.05), Proof: []string{proof}}})
}

// over ends the run as squall does.
func (g *growing) over() {
	g.t.Helper()
	if err := g.rec.Close(); err != nil {
		g.t.Fatal(err)
	}
	for name, text := range map[string]string{check.ResultsName: `{"verdict":"pass"}`, "report.html": "<title>the report</title>"} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
	g.release()
}

// serveOn runs the server on a free port until the test ends.
func serveOn(t *testing.T, out string) string {
	t.Helper()
	s := newServer(t, out)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if n := len(s.watches.runs); n != 0 || s.watches.streams != 0 {
			t.Errorf("%d runs are still watched, by %d", n, s.watches.streams)
		}
	})
	return "http://" + listener.Addr().String()
}

func TestTheStateFollowsTheRecords(t *testing.T) {
	out := t.TempDir()
	began := time.Now().Add(-10 * time.Second)
	g := newGrowing(t, out, "alpha/20260101T000000Z-7", began)
	g.leader("n1", 3, 1)
	g.mark(history.MarkLoadBegin, 2)
	g.load(2, 100)
	g.load(3, 50)
	g.fault(1, history.Inject, 3.1, "it is cut")
	g.fault(2, history.Inject, 3.2, "this too")
	g.fault(2, history.Heal, 4, "whole")
	g.load(4, 10)

	s := newServer(t, out)
	run, leave, err := s.watches.join("alpha/20260101T000000Z-7")
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	now := func() message {
		run.mu.Lock()
		defer run.mu.Unlock()
		m, _ := run.state.message(began.Add(6*time.Second), 0)
		return m
	}
	m := await(t, now, func(m message) bool { return m.Totals[0] == 144 && len(m.Healed) == 1 })
	if m.Leader != "n1" || m.Term != 3 || m.Elected != 1 || m.Phase != "under load" || m.Planned != 30 || m.Load != 4 || m.Elapsed != 6 {
		t.Errorf("got %+v", m)
	}
	if m.From != 0 || fmt.Sprint(m.OK) != "[0 0 90 45 9]" || fmt.Sprint(m.Fail) != "[0 0 10 5 1]" {
		t.Errorf("by second from %d: ok %v, failed %v", m.From, m.OK, m.Fail)
	}
	if len(m.Force) != 1 || m.Force[0].ID != 1 || m.Force[0].Proof[0] != "it is cut" || m.Force[0].Class != "partition" || m.Healed[0].ID != 2 {
		t.Errorf("in force %+v, before %+v", m.Force, m.Healed)
	}
	if len(m.Bands) != 2 || m.Bands[0].End != 0 || m.Bands[1].End != 4 {
		t.Errorf("bands %+v", m.Bands)
	}
	// What comes later is added; the leader is lost.
	g.add(history.Record{Node: &history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventExit, Reason: history.ReasonKilled, Time: g.at(5)}})
	g.fault(1, history.Heal, 5, "whole")
	m = await(t, now, func(m message) bool { return len(m.Force) == 0 })
	if m.Leader != "" || m.Term != 3 {
		t.Errorf("after the leader's end: leader %q in term %d", m.Leader, m.Term)
	}
	// It is over when nobody holds it and there is a report.
	if m.Next != "" {
		t.Errorf("it goes on and leads to %q", m.Next)
	}
	g.over()
	m = await(t, now, func(m message) bool { return m.Next != "" })
	if m.Next != "/runs/alpha/20260101T000000Z-7/report.html" || m.Trouble != "" {
		t.Errorf("it leads to %q, trouble %q", m.Next, m.Trouble)
	}
}

// await looks until a condition holds.
func await(t *testing.T, look func() message, holds func(message) bool) message {
	t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(25 * time.Millisecond) {
		if m := look(); holds(m) {
			return m
		}
	}
	t.Fatalf("it never came to it: %+v", look())
	return message{}
}

// Times and faults without end keep to the bounds.
func TestTheStateKeepsItsBounds(t *testing.T) {
	var s liveState
	s.init(0)
	s.begin(history.Header{Mono: 100})
	for _, at := range []int64{-1 << 62, 0, 99, 1 << 62, 100 + maxSeconds*int64(time.Second)} {
		s.take(history.Record{Op: &history.Op{Return: at, Outcome: history.OK}})
		s.take(history.Record{Node: &history.NodeEvent{Time: at, Kind: history.EventRole, Node: "n"}})
	}
	if len(s.ok) != 0 {
		t.Errorf("%d seconds are kept", len(s.ok))
	}
	for i := range 5000 {
		f := history.Fault{ID: i, Name: strings.Repeat("x", 10_000), Phase: history.Inject, Begin: 200, Proof: []string{strings.Repeat("y", 10_000)}}
		s.take(history.Record{Fault: &f})
		f.Err = "no"
		s.take(history.Record{Fault: &f})
	}
	m, _ := s.message(time.Now(), 0)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Force) > maxForce || len(m.Bands) > maxBands || len(m.Healed) > maxHealed || len(text) > 100_000 {
		t.Errorf("%d faults in force, %d bands, %d before, %d bytes", len(m.Force), len(m.Bands), len(m.Healed), len(text))
	}
}

func TestStreamsEndWithTheServerAndAreNotTooMany(t *testing.T) {
	out := t.TempDir()
	g := newGrowing(t, out, "alpha/20260101T000000Z-7", time.Now())
	g.mark(history.MarkUp, 0)
	address := serveOn(t, out) + "/stream/alpha/20260101T000000Z-7"
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range maxStreams + 1 {
		res, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if i == maxStreams {
			if res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("one stream too many has status %d", res.StatusCode)
			}
			break
		}
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("status %d, %v", res.StatusCode, res.Header)
		}
		if i == 0 {
			line, err := bufio.NewReader(res.Body).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, `data: {"phase":`) {
				t.Errorf("the first line is %q, %v", line, err)
			}
		}
	}
}
