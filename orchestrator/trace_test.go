package orchestrator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"squall/history"
	"squall/nodeimage/agent/protocol"
)

const fineLine = `{"e":"role","t":900,"term":1,"role":"follower"}` + "\n"

// tracedNode is n1 of n1 to n3, at a moment that is set.
func tracedNode(s nodeSink, now *int64) *node {
	addrs := map[string]netip.Addr{"clients": netip.MustParseAddr("198.18.0.99")}
	for i := range 3 {
		addrs[fmt.Sprintf("n%d", i+1)] = netip.AddrFrom4([4]byte{198, 18, 0, byte(i + 10)})
	}
	return &node{machine: namedMachine{name: "n1"}, sink: s, log: io.Discard, addrs: addrs, now: func() int64 { return *now }, begin: func() int64 { return traceBegin }}
}

// traceBegin is when the history of a tracedNode begins, ns.
const traceBegin = 500

// refused is what the history that a node's events are for says of them, whole
// and when it is read again; nil: it takes them all.
func refused(t testing.TB, events []history.NodeEvent) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), history.FileName)
	rec, err := history.Create(path, history.Header{Nodes: []string{"n1", "n2", "n3"}, Mono: traceBegin})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		if err := rec.Append(history.Record{Node: &events[i]}); err != nil {
			return errors.Join(err, rec.Close())
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := history.Load(path)
	if err == nil && len(h.Nodes) != len(events) {
		err = fmt.Errorf("%d of %d events came back", len(h.Nodes), len(events))
	}
	return err
}

// TestATraceSpeaksForItself: what a server cannot know, or may not tell, silences
// its trace. It becomes nobody's event, and neither an error of the test.
func TestATraceSpeaksForItself(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"another node":             {`{"node":"n2","e":"vote","t":900,"term":1,"vote":"n2"}`, "names another node"},
		"a path":                   {`{"node":"../../x","e":"vote","t":900,"term":1,"vote":"n2"}`, "names another node"},
		"another spelling":         {`{"Node":"n2","e":"vote","t":900,"term":1,"vote":"n2"}`, "names another node"},
		"another boot":             {`{"boot":3,"e":"vote","t":900,"term":1,"vote":"n2"}`, "names boot 3"},
		"a start":                  {`{"e":"start","t":900}`, "cannot report"},
		"an exit":                  {`{"e":"exit","t":900,"reason":"killed by squall"}`, "cannot report"},
		"a pause":                  {`{"e":"pause","t":900}`, "cannot report"},
		"a resumption":             {`{"e":"resume","t":900}`, "cannot report"},
		"a silence":                {`{"e":"silent","t":900}`, "cannot report"},
		"no kind":                  {`{"t":900}`, "cannot report"},
		"a kind unheard of":        {`{"e":"coup","t":900}`, "cannot report"},
		"no time":                  {`{"e":"commit","i":4}`, "before the server was started"},
		"a time long ago":          {`{"e":"commit","t":-5,"i":4}`, "before the server was started"},
		"before the test began":    {`{"e":"commit","t":499,"i":4,"h":"00"}`, "before the server was started"},
		"a time to come":           {`{"e":"commit","t":9000000000000000000,"i":4}`, "in the future"},
		"no such role":             {`{"e":"role","t":900,"role":"emperor"}`, "unknown role"},
		"a vote without one":       {`{"e":"vote","t":900,"term":1}`, "without its"},
		"a state without its hash": {`{"e":"state","t":900,"i":4}`, "without its"},
		"an endless timeout":       {`{"e":"role","t":900,"role":"leader","timeout":9000000000000000000}`, "timeout"},
		"a vote for none":          {`{"e":"vote","t":900,"vote":"../../x"}`, "an unknown node"},
		"a vote of clients":        {`{"e":"vote","t":900,"vote":"clients"}`, "an unknown node"},
		"a negative term":          {`{"e":"commit","t":900,"term":-1}`, "not a JSON object"},
		"a negative length":        {`{"e":"role","t":900,"role":"leader","timeout":-1}`, "below zero"},
		"a long text":              {`{"e":"role","t":900,"role":"leader","reason":"` + strings.Repeat("x", 2000) + `"}`, "longer than 1024 bytes"},
		"no JSON":                  {"not a trace line", "not a JSON object"},
		"an empty line":            {"", "not a JSON object"},
		"two in one line":          {strings.TrimSpace(fineLine) + strings.TrimSpace(fineLine), "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			var s sink
			now := int64(1000)
			n := tracedNode(&s, &now)
			n.Stream(protocol.StreamTrace, 1, []byte(fineLine+test.text+"\n"+fineLine))
			n.Stream(protocol.StreamTrace, 1, []byte(fineLine))
			if len(s.errs) > 0 || len(s.events) != 2 {
				t.Fatalf("events %+v, errors %v", s.events, s.errs)
			}
			e := s.events[1]
			if e.Kind != history.EventSilent || e.Node != "n1" || e.Boot != 1 || e.Time != 1000 || !strings.Contains(e.Reason, test.want) {
				t.Errorf("%+v; want a silence of n1 that says %q", e, test.want)
			}
			if len(e.Reason) > 400 {
				t.Errorf("a reason of %d bytes", len(e.Reason))
			}
			n.Stream(protocol.StreamTrace, 2, []byte(fineLine)) // the next boot may speak again
			if len(s.events) != 3 || s.events[2].Boot != 2 {
				t.Errorf("after the next start: %+v", s.events)
			}
		})
	}
}

// TestAServerWithoutATrace: what it writes in its place is not read, whatever it is,
// and that it closes it says nothing.
func TestAServerWithoutATrace(t *testing.T) {
	var s sink
	now := int64(1000)
	n := tracedNode(&s, &now)
	n.untraced = true
	n.Event(protocol.Event{Kind: protocol.EventStart, Boot: 1, Mono: 600})
	for _, text := range []string{fineLine, "not a trace\n", strings.Repeat("x", 100<<10)} {
		n.Stream(protocol.StreamTrace, 1, []byte(text))
	}
	n.Event(protocol.Event{Kind: protocol.EventSilent, Boot: 1, Mono: 700, Reason: "it closed its trace"})
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 800, Reason: "exit status 1"})
	if len(s.events) != 2 || s.events[0].Kind != history.EventStart || s.events[1].Kind != history.EventExit || len(s.errs) != 0 {
		t.Errorf("%+v, %v", s.events, s.errs)
	}
}

// TestATraceWithoutAnEnd: a line without an end is bounded, and a trace that
// endless lines fill is too.
func TestATraceWithoutAnEnd(t *testing.T) {
	var s sink
	now := int64(1000)
	n := tracedNode(&s, &now)
	n.Stream(protocol.StreamTrace, 1, []byte(fineLine))
	for range 1000 { // 64 MB
		n.Stream(protocol.StreamTrace, 1, bytes.Repeat([]byte{'x'}, 64<<10))
	}
	if len(s.events) != 2 || s.events[1].Kind != history.EventSilent || !strings.Contains(s.events[1].Reason, "more than 64 KiB") {
		t.Errorf("%d events, the last %+v", len(s.events), s.events[len(s.events)-1])
	}
	if kept := cap(n.tracer.lines.part); kept > 1<<20 {
		t.Errorf("%d bytes of it are kept", kept)
	}
	flood := []byte(`{"e":"commit","t":900,"i":4,"h":"00","more":"` + strings.Repeat("x", 60<<10) + "\"}\n")
	for range 3000 { // 180 MB in no time
		n.Stream(protocol.StreamTrace, 2, flood)
	}
	last := s.events[len(s.events)-1]
	if last.Kind != history.EventSilent || last.Boot != 2 || !strings.Contains(last.Reason, "MiB to its trace in 0.0 s") || len(s.events) > 1200 {
		t.Errorf("%d events of a flood, the last %+v", len(s.events), last)
	}
}

// TestAnUnendedLine: a line that was begun long before the server's end is told of;
// one that the end has cut is not.
func TestAnUnendedLine(t *testing.T) {
	for name, test := range map[string]struct {
		age    int64
		silent bool
	}{"cut by the end": {1e9, false}, "never ended": {20e9, true}} {
		t.Run(name, func(t *testing.T) {
			var s sink
			now := int64(1000)
			n := tracedNode(&s, &now)
			n.Stream(protocol.StreamTrace, 1, []byte(fineLine+`{"e":"comm`))
			now += test.age / 2
			n.Stream(protocol.StreamTrace, 1, []byte(`it","t"`)) // it does not begin anew
			now += test.age / 2
			n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: now, Reason: "exit status 2"})
			kinds := ""
			for _, e := range s.events {
				kinds += e.Kind + " "
			}
			if want := map[bool]string{false: "role exit ", true: "role silent exit "}[test.silent]; kinds != want {
				t.Fatalf("recorded %s; want %s", kinds, want)
			}
			if test.silent && (s.events[1].Time != 1000 || !strings.Contains(s.events[1].Reason, "without an end")) {
				t.Errorf("%+v", s.events[1])
			}
		})
	}
}

// TestAClosedTrace: the agent tells that a server has closed its trace.
func TestAClosedTrace(t *testing.T) {
	var s sink
	now := int64(1000)
	n := tracedNode(&s, &now)
	n.Stream(protocol.StreamTrace, 1, []byte(fineLine))
	for range 2 {
		n.Event(protocol.Event{Kind: protocol.EventSilent, Boot: 1, Mono: 950, Reason: "the server closed its trace"})
	}
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 990, Reason: "exit status 0"})
	if len(s.events) != 3 || s.events[1].Kind != history.EventSilent || s.events[1].Time != 950 || s.events[1].Reason != "the server closed its trace" {
		t.Errorf("%+v", s.events)
	}
	c := &nodes{all: []*node{n}}
	if text := c.silent(); !strings.Contains(text, "the trace of n1 is silent: the server closed its trace") {
		t.Errorf("to be added to an error: %q", text)
	}
}

// TestATraceStartsAfterTheLastEnd: an event of a boot cannot lie before the end of
// the boot before it.
func TestATraceStartsAfterTheLastEnd(t *testing.T) {
	var s sink
	now := int64(2000)
	n := tracedNode(&s, &now)
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 1500, Reason: "exit status 1"})
	n.Stream(protocol.StreamTrace, 2, []byte(fineLine))
	if len(s.events) != 2 || s.events[1].Kind != history.EventSilent {
		t.Errorf("%+v", s.events)
	}
}

// TestTheHistoryTakesWhatATraceMaySay: what is taken from a server at the bounds of
// its time and size is never refused by the history, where it would end the test.
func TestTheHistoryTakesWhatATraceMaySay(t *testing.T) {
	now := int64(1000)
	line := func(boot, at int64, role string) string {
		return fmt.Sprintf(`{"e":"state","boot":%d,"t":%d,"i":4,"h":"00","role":%s}`+"\n", boot, at, role)
	}
	var s sink
	n := tracedNode(&s, &now)
	longest := `"` + strings.Repeat("<", maxTraceLine-200) + `"` // each is written as six bytes
	n.Event(protocol.Event{Kind: protocol.EventStart, Boot: 1, Mono: 700})
	for _, text := range []string{line(1, traceBegin, `""`), line(1, now+int64(traceSlack), `""`), line(1, 900, longest), line(1, 900, "\"\xff\x01\"")} {
		n.Stream(protocol.StreamTrace, 1, []byte(text))
	}
	n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 1, Mono: 950, Reason: "exit status 0"})
	n.Event(protocol.Event{Kind: protocol.EventStart, Boot: 2, Mono: 960})
	n.Stream(protocol.StreamTrace, 2, []byte(line(2, 970, `""`)+line(2, 940, `""`))) // the last is of the life before
	if err := refused(t, s.events); err != nil {
		t.Error(err)
	}
	last := s.events[len(s.events)-1]
	if len(s.events) < 8 || last.Kind != history.EventSilent || !strings.Contains(last.Reason, "before the server was started") {
		t.Errorf("%d events, the last %+v", len(s.events), last)
	}
}

// TestWhatTheHistoryRefuses makes the test invalid and says why; so does what comes
// before there is a history.
func TestWhatTheHistoryRefuses(t *testing.T) {
	r, _ := recordedRun(t)
	r.event(history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventPause, Time: r.earliest() - 1})
	if r.failure == nil || !strings.Contains(r.failure.Error(), "before the start of the test") {
		t.Errorf("an event before the test: %v", r.failure)
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if h, err := history.Load(filepath.Join(r.dir, history.FileName)); err != nil || len(h.Nodes) != 0 {
		t.Errorf("the history holds %+v, %v", h, err)
	}
	early, _ := recordedRun(t)
	if err := early.close(); err != nil {
		t.Fatal(err)
	}
	early.recorder = nil
	early.event(history.NodeEvent{Node: "n1", Boot: 1, Kind: history.EventStart, Time: 1})
	if early.failure == nil || !strings.Contains(early.failure.Error(), "before the test had begun") {
		t.Errorf("an event before the history: %v", early.failure)
	}
}

// FuzzTrace: whatever a server writes, in whatever pieces, its trace tells of
// nothing but of its own node and boot, in bounds, and falls silent once at most.
func FuzzTrace(f *testing.F) {
	f.Add([]byte(fineLine+fineLine), uint8(7))
	f.Add([]byte(`{"node":"n2","e":"vote","t":900,"term":1,"vote":"n2"}`+"\n"), uint8(3))
	f.Add([]byte(`{"e":"commit","t":900,"i":4,"members":["n1"],"h":"00"}`+"\n{"), uint8(200))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		var s sink
		now := int64(1000)
		n := tracedNode(&s, &now)
		for rest := data; len(rest) > 0; {
			piece := rest[:min(len(rest), int(size)+1)]
			n.Stream(protocol.StreamTrace, 4, piece)
			rest = rest[len(piece):]
		}
		n.Event(protocol.Event{Kind: protocol.EventExit, Boot: 4, Mono: 1000, Reason: "exit status 0"})
		silent := 0
		for i, e := range s.events[:len(s.events)-1] {
			if e.Node != "n1" || e.Boot != 4 || e.Time <= 0 || e.Time > now+int64(traceSlack) || len(e.Reason) > 2048 {
				t.Fatalf("event %d is %+v", i, e)
			}
			if e.Kind == history.EventSilent {
				silent++
			}
		}
		if err := refused(t, s.events); err != nil {
			t.Fatalf("the history refuses what was taken: %v", err)
		}
		if silent > 1 || len(s.errs) > 0 || silent == 1 && s.events[len(s.events)-2].Kind != history.EventSilent {
			t.Fatalf("%d silences, errors %v", silent, s.errs)
		}
	})
}
