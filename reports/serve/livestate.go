package serve

import (
	"cmp"
	"slices"
	"time"

	"squall/history"
)

// Bounds on what is kept of a run, which may hold anything.
const (
	maxSeconds = 48 * 3600
	maxHealed  = 8     // faults that are over, in the list
	maxBands   = 400   // faults in the chart
	maxTold    = 10000 // faults in force that are remembered
	maxForce   = 50    // faults in force, in the list
	again      = 3     // seconds that are sent again: something may have come late
)

// liveState is what the records of a run came to so far.
type liveState struct {
	header  history.Header
	planned time.Duration // of load
	begun   bool

	ok, fail, info []int64 // by second since the start of the test
	latest         int     // the last second in which something was recorded
	totals         [3]int64
	phase          string // the last mark
	loadBegan      int64  // ns; 0: not yet
	loadEnded      int64
	invalid        string

	leading history.Leading
	term    uint64 // the highest that a node was in
	elected int
	// logged says that who leads is known from the logs of servers alone.
	logged  bool
	force   map[int]history.Fault
	healed  []history.Fault // the last ones
	bands   []band
	trouble string
	behind  float64 // share that was read, while there is more; 0: all
	checked bool
	next    string // where to go now that the run is over
}

// band is a fault in the chart; times are seconds since the start.
type band struct {
	ID    int     `json:"id"`
	Class string  `json:"class"`
	Begin float64 `json:"begin"`
	End   float64 `json:"end"` // 0: it holds
}

func (s *liveState) init(planned time.Duration) {
	s.planned, s.force = planned, map[int]history.Fault{}
}

func (s *liveState) begin(h history.Header) { s.header, s.begun = h, true }

// second is the place of a moment in the slices; false outside of all bounds.
func (s *liveState) second(t int64) (int, bool) {
	if t < s.header.Mono {
		return 0, false
	}
	n := (uint64(t) - uint64(s.header.Mono)) / uint64(time.Second) // the difference may be more than an int64 holds
	return int(min(n, maxSeconds)), n < maxSeconds
}

func (s *liveState) seconds(t int64) float64 { return between(s.header.Mono, t) }

// between is how many seconds it is from one moment to another, whatever they are.
func between(from, to int64) float64 {
	if d := to - from; (d >= 0) == (to >= from) {
		return float64(d) / 1e9
	}
	return float64(to)/1e9 - float64(from)/1e9
}

func (s *liveState) take(rec history.Record) {
	switch {
	case rec.Op != nil:
		s.op(rec.Op)
	case rec.Node != nil:
		s.node(rec.Node)
	case rec.Fault != nil:
		s.fault(*rec.Fault)
	case rec.Mark != nil:
		s.mark(rec.Mark)
	}
}

func (s *liveState) op(op *history.Op) {
	n, ok := s.second(op.Return)
	if !ok || op.Final {
		return
	}
	for len(s.ok) <= n {
		s.ok, s.fail, s.info = append(s.ok, 0), append(s.fail, 0), append(s.info, 0)
	}
	s.latest = max(s.latest, n)
	switch op.Outcome {
	case history.OK:
		s.ok[n]++
		s.totals[0]++
	case history.Fail:
		s.fail[n]++
		s.totals[1]++
	default:
		s.info[n]++
		s.totals[2]++
	}
}

func (s *liveState) node(e *history.NodeEvent) {
	if n, ok := s.second(e.Time); ok {
		s.latest = max(s.latest, n)
	}
	s.hear(e)
	if elected, _ := s.leading.Take(e); elected {
		s.elected++
	}
	if e.Kind == history.EventRole {
		s.term = max(s.term, e.Term)
	}
}

// hear takes whom a server's log names as the leader. No election is counted by it.
func (s *liveState) hear(e *history.NodeEvent) {
	leader := e.Leader
	if e.Role == history.RoleLeader {
		leader = e.Node
	}
	switch {
	case e.Kind != history.EventLogged || e.Term != 0 && e.Term < s.term:
		return
	case leader != "":
		s.leading.Observe(leader)
		s.term = max(s.term, e.Term)
	case e.Node == s.leading.Node:
		s.leading.Observe("")
	}
	s.logged = true
}

func (s *liveState) fault(f history.Fault) {
	if f.Phase == history.Inject {
		if f.Err != "" {
			s.healed = append(s.healed, f)
		} else if len(s.force) < maxTold {
			s.force[f.ID] = f
			s.bands = append(s.bands, band{ID: f.ID, Class: class(f), Begin: s.seconds(f.Begin)})
		}
	} else if began, ok := s.force[f.ID]; ok && f.Err == "" {
		delete(s.force, f.ID)
		began.End = f.End
		s.healed = append(s.healed, began)
		for i := range s.bands {
			if s.bands[i].ID == f.ID && s.bands[i].End == 0 {
				s.bands[i].End = s.seconds(f.Begin)
			}
		}
	}
	s.healed = s.healed[max(0, len(s.healed)-maxHealed):]
	s.bands = s.bands[max(0, len(s.bands)-maxBands):]
}

func (s *liveState) mark(m *history.Mark) {
	switch m.Name {
	case history.MarkLoadBegin:
		s.loadBegan = m.Time
	case history.MarkLoadEnd:
		s.loadEnded = m.Time
	case history.MarkInvalid:
		s.invalid = harmless(m.Text, 500)
		return
	case history.MarkClock, history.MarkRate, history.MarkMissed, history.MarkObserved, history.MarkReplicas:
		return
	}
	s.phase = m.Name
}

// message is what a page gets every second; the slices begin with second From.
type message struct {
	Phase   string      `json:"phase"`
	Elapsed float64     `json:"elapsed"` // s since the start of the test
	Load    float64     `json:"load"`    // s of load so far
	Planned float64     `json:"planned"` // s of load in all; 0: not known
	From    int         `json:"from"`
	OK      []int64     `json:"ok"`
	Fail    []int64     `json:"fail"`
	Info    []int64     `json:"info"`
	Totals  [3]int64    `json:"totals"`
	Leader  string      `json:"leader"`
	Term    uint64      `json:"term"`
	Elected int         `json:"elected"`
	Force   []liveFault `json:"force"`
	Healed  []liveFault `json:"healed"`
	Bands   []band      `json:"bands"`
	Trouble string      `json:"trouble,omitempty"`
	Behind  float64     `json:"behind,omitempty"`
	Next    string      `json:"next,omitempty"`
}

type liveFault struct {
	ID      int      `json:"id"`
	Name    string   `json:"name"`
	Class   string   `json:"class"`
	Targets []string `json:"targets"`
	Detail  string   `json:"detail"`
	Begin   float64  `json:"begin"`
	End     float64  `json:"end,omitempty"`
	Proof   []string `json:"proof"`
	Err     string   `json:"err,omitempty"`
}

// message is what is new for somebody who has the seconds before sent.
func (s *liveState) message(now time.Time, sent int) (m message, next int) {
	m = message{Phase: s.words(), Planned: s.planned.Seconds(), Totals: s.totals, Leader: harmless(s.leading.Node, 60), Term: s.term,
		Elected: s.elected, Bands: slices.Clone(s.bands), Trouble: cmp.Or(s.trouble, s.invalid), Behind: s.behind, Next: s.next}
	if s.logged && m.Leader != "" {
		m.Leader += ", from its log"
	}
	if s.begun {
		m.Elapsed = max(0, now.Sub(s.header.Wall).Seconds())
	}
	whole := s.latest // the second that goes on is not told yet
	if s.behind == 0 && s.loadEnded == 0 && s.loadBegan != 0 {
		whole = max(whole, min(int(m.Elapsed)-1, maxSeconds-1))
	}
	m.From = max(0, sent-again)
	for i := m.From; i < whole; i++ {
		m.OK, m.Fail, m.Info = append(m.OK, at(s.ok, i)), append(m.Fail, at(s.fail, i)), append(m.Info, at(s.info, i))
	}
	switch {
	case s.loadBegan == 0:
	case s.loadEnded != 0:
		m.Load = between(s.loadBegan, s.loadEnded)
	default:
		m.Load = max(0, m.Elapsed-s.seconds(s.loadBegan))
	}
	for _, f := range s.force {
		m.Force = append(m.Force, s.liveFault(f))
	}
	slices.SortFunc(m.Force, func(a, b liveFault) int { return cmp.Compare(a.ID, b.ID) })
	m.Force = m.Force[:min(len(m.Force), maxForce)]
	for _, f := range slices.Backward(s.healed) {
		m.Healed = append(m.Healed, s.liveFault(f))
	}
	return m, max(sent, whole)
}

func at(counts []int64, i int) int64 {
	if i < len(counts) {
		return counts[i]
	}
	return 0
}

func (s *liveState) liveFault(f history.Fault) liveFault {
	l := liveFault{ID: f.ID, Name: harmless(f.Name, 60), Class: class(f), Detail: harmless(f.Params, 200), Begin: s.seconds(f.Begin), Err: harmless(f.Err, 300)}
	if f.Variant != "" {
		l.Name += "(" + harmless(f.Variant, 60) + ")"
	}
	if f.Detail != "" {
		l.Detail = harmless(f.Detail, 200)
	}
	if _, held := s.force[f.ID]; !held {
		l.End = s.seconds(f.End)
	}
	for _, t := range f.Targets[:min(len(f.Targets), 20)] {
		l.Targets = append(l.Targets, harmless(t, 60))
	}
	for _, p := range f.Proof[:min(len(f.Proof), 6)] {
		l.Proof = append(l.Proof, harmless(p, 300))
	}
	return l
}

// words say what the run is doing.
func (s *liveState) words() string {
	switch {
	case s.next != "":
		return "over"
	case s.checked:
		return "writing the report"
	case s.phase == history.MarkDone:
		return "checking the history"
	case s.phase == history.MarkLoadBegin:
		return "under load"
	case s.phase == history.MarkServing:
		return "starting the clients"
	case s.phase == history.MarkUp:
		return "waiting for the system to serve"
	case s.phase == history.MarkLoadEnd:
		return "healing"
	case s.phase == history.MarkHealed:
		return "healed; waiting for the system to serve"
	case s.phase == history.MarkFinalReads:
		return "final reads"
	case s.phase == history.MarkScan:
		return "reading back all that was written"
	case s.begun:
		return "waiting for the system to serve"
	}
	return "bringing machines up"
}
