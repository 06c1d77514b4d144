package validity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"squall/history"
	"squall/history/check"
)

// What the load must have achieved for the other verdicts to mean anything.
// Operations after the load are none of it: a cluster that answers once the storm
// is over has shown nothing of how it stands a storm.
const (
	// DefaultMinOK is how many operations must have succeeded, when nothing else
	// is said.
	DefaultMinOK = 100
	// minOfFunc is how many operations of each function must have succeeded (of one
	// that was tried less than twice as often, half), minShare their share, and
	// minEffects how many must have observed a value, and how many written one.
	minOfFunc  = 10
	fewOfFunc  = 4 // one that was tried less often is not looked at
	minShare   = 0.05
	minEffects = 10
	// Of the keys that were tried keyTried times and more, one in keyShare must have
	// had a success, and as many (at least one) both a write and a read.
	keyTried = 10
	keyShare = 4
	// In a stretch of the load without faults something must have succeeded if it is
	// as long as calmShort, and minOfFunc operations, with some of each function, if
	// it is as long as calmLong. Under faults that leave a quorum alone, minOfFunc
	// operations, if those hold for as long as calmLong together. Where the load was to
	// try fewer than twice as many, half of them are enough, and of fewOfFunc none.
	calmShort = 3 * time.Second
	calmLong  = 5 * time.Second
)

// tally counts the operations of something.
type tally struct{ tried, ok int }

// keyTally is what clients did with a key.
type keyTally struct {
	tally
	read, written bool
}

// Phase is a stretch of the load in which faults were in force, or none was.
type Phase struct {
	check.Span
	Calm  bool
	serve bool // enough nodes are left alone that the cluster should serve
	tally
	funcs map[history.Func]*tally // of a long one only
}

// load is what the operations of the load came to.
type load struct {
	check.Span
	ok, reads, writes int
	lastOK, lastTried int64
	funcs             map[history.Func]*tally
	does              history.Functions
	keys              map[string]*keyTally
	phases            []Phase
	asked             *history.Demand
}

// countLoad counts the load. stop is the limit that was reached before the end.
func countLoad(in *check.Input, b *check.Budget) (l *load, stop string) {
	l = &load{does: in.Functions, funcs: map[history.Func]*tally{}, keys: map[string]*keyTally{}}
	l.Span = LoadSpan(in)
	l.lastOK, l.lastTried = l.From, l.From
	l.phases = Phases(in, l.Span)
	l.asked = history.DemandOf(in.Marks)
	for i := range in.Ops {
		if stop = b.Spent(); stop != "" {
			return l, stop
		}
		if !in.Ops[i].Final {
			l.count(&in.Ops[i])
		}
	}
	return l, ""
}

// LoadSpan is when the clients ran, ns on the machines' clock.
func LoadSpan(in *check.Input) check.Span {
	s := check.Span{From: in.Mono, To: in.Mono}
	for i := range in.Ops {
		if !in.Ops[i].Final {
			s.To = max(s.To, in.Ops[i].Call)
		}
	}
	if m, ok := in.MarkOf(history.MarkLoadBegin); ok {
		s.From = m.Time
	}
	if m, ok := in.MarkOf(history.MarkLoadEnd); ok {
		s.To = m.Time
	}
	s.To = max(s.To, s.From)
	return s
}

// Phases cuts the load into stretches with and without faults.
func Phases(in *check.Input, whole check.Span) (list []Phase) {
	at := whole.From
	add := func(p Phase) {
		if p.From, p.To = max(p.From, at), min(p.To, whole.To); p.To <= p.From {
			return
		}
		if p.Length() >= int64(calmLong) {
			p.funcs = map[history.Func]*tally{}
		}
		list, at = append(list, p), p.To
	}
	for _, f := range check.FaultTimes(in.Faults) {
		add(Phase{Span: check.Span{From: at, To: f.From}, Calm: true, serve: true})
		add(Phase{Span: f})
	}
	add(Phase{Span: check.Span{From: at, To: whole.To}, Calm: true, serve: true})
	markServing(in, list)
	return list
}

// markServing finds the phases with faults in which a quorum is left alone.
func markServing(in *check.Input, list []Phase) {
	hurt := make([]map[string]bool, len(list))
	for i := range in.Faults {
		f := &in.Faults[i]
		if f.Phase != history.Inject {
			continue
		}
		k, _ := slices.BinarySearchFunc(list, f.Begin, func(p Phase, t int64) int { return cmp.Compare(p.To, t+1) })
		if k == len(list) {
			continue
		}
		if hurt[k] == nil {
			hurt[k] = map[string]bool{}
		}
		for _, n := range f.Targets {
			hurt[k][n] = true
		}
	}
	n := len(in.Header.Nodes)
	for k := range list {
		if !list[k].Calm {
			list[k].serve = len(hurt[k]) > 0 && n-len(hurt[k]) >= n/2+1
		}
	}
}

// count takes one operation.
func (l *load) count(op *history.Op) {
	ok := op.Outcome == history.OK
	l.lastTried = max(l.lastTried, op.Call)
	if op.Error != history.ErrorUnderWay {
		l.lastTried = max(l.lastTried, op.Return)
	}
	k := l.keys[op.Key]
	if k == nil {
		k = &keyTally{}
		l.keys[op.Key] = k
	}
	addTo(l.funcs, op.Func, ok)
	k.add(ok)
	if p := l.phaseAt(op.Return); p != nil {
		p.add(ok)
		if p.funcs != nil {
			addTo(p.funcs, op.Func, ok)
		}
	}
	if !ok {
		return
	}
	l.ok++
	l.lastOK = max(l.lastOK, op.Return)
	// A compare-and-set observes, too, and a write that tells what it replaced; not one
	// that replaced nothing.
	if l.does.Reads(op.Func) || op.Out != "" && op.Out != history.Null {
		l.reads, k.read = l.reads+1, true
	}
	if l.does.Changed(op) {
		l.writes, k.written = l.writes+1, true
	}
}

func (t *tally) add(ok bool) {
	t.tried++
	if ok {
		t.ok++
	}
}

func addTo(m map[history.Func]*tally, f history.Func, ok bool) {
	t := m[f]
	if t == nil {
		t = &tally{}
		m[f] = t
	}
	t.add(ok)
}

func (l *load) phaseAt(t int64) *Phase {
	i, _ := slices.BinarySearchFunc(l.phases, t, func(p Phase, t int64) int { return cmp.Compare(p.To, t) })
	if i == len(l.phases) || t < l.phases[i].From {
		return nil
	}
	return &l.phases[i]
}

// missing says what of the load is missing for the verdict to mean anything; ""
// for nothing. Only the root of it, for the rest follows from that.
func (l *load) missing(in *check.Input, minOK int) string {
	const fix = ": run longer, with more clients, or with fewer faults"
	if what := l.fellSilent(in); what != "" {
		return what + ": look at the driver's log in the run directory"
	}
	if l.ok < minOK {
		return fmt.Sprintf("only %d operations of the load succeeded, and it takes %d for a verdict to mean anything%s", l.ok, minOK, fix)
	}
	for _, find := range []func(*check.Input) string{l.quietFunc, l.quietEffects, l.quietKeys, l.quietPhase} {
		if what := find(in); what != "" {
			return what + fix
		}
	}
	return ""
}

// fellSilent: from some moment to the end of the load nothing was recorded, not
// even an operation that failed.
func (l *load) fellSilent(in *check.Input) string {
	long := min(max(l.Length()/5, int64(5*time.Second)), int64(time.Minute))
	if l.To-l.lastTried < long || l.asked.Between(l.lastTried, l.To) < fewOfFunc {
		return ""
	}
	return fmt.Sprintf("the history falls silent: no operation was even tried from %s to the end of the load at %s", in.Clock(l.lastTried), in.Clock(l.To))
}

func (l *load) quietFunc(*check.Input) string {
	for _, f := range sortedFuncs(l.funcs) {
		t := l.funcs[f]
		if t.tried < fewOfFunc {
			continue // that they failed may be chance, and the load is not about them
		}
		if need := min(minOfFunc, (t.tried+1)/2); t.ok < need {
			return fmt.Sprintf("only %s succeeded, and it takes %d", t.of(f), need)
		}
		if float64(t.ok) < minShare*float64(t.tried) {
			return fmt.Sprintf("only %s succeeded, which is less than %.0f %%", t.of(f), 100*minShare)
		}
	}
	return ""
}

func (l *load) quietEffects(*check.Input) string {
	switch {
	case l.reads < minEffects:
		return fmt.Sprintf("only %d operations of the load observed a value, and it takes %d: nothing shows what the writes did", l.reads, minEffects)
	case l.writes < minEffects:
		return fmt.Sprintf("only %d operations of the load wrote a value, and it takes %d: the reads had nothing to see", l.writes, minEffects)
	}
	return ""
}

func (l *load) quietKeys(*check.Input) string {
	tried, alive, both := 0, 0, 0
	for _, k := range l.keys {
		if k.read && k.written {
			both++
		}
		if k.tried < keyTried {
			continue
		}
		tried++
		if k.ok > 0 {
			alive++
		}
	}
	need := max(1, tried/keyShare)
	switch {
	case tried > 0 && alive < need:
		return fmt.Sprintf("operations succeeded on only %d of %d keys, and it takes %d", alive, tried, need)
	case both < need:
		return fmt.Sprintf("only %d keys were both written and read, and it takes %d", both, need)
	}
	return ""
}

// quietPhase finds a stretch of the load in which the cluster should have served,
// and too little shows that it did.
func (l *load) quietPhase(in *check.Input) string {
	under, asked := Phase{}, 0.0
	for i := range l.phases {
		p := &l.phases[i]
		if !p.Calm {
			if p.serve {
				under.To += p.Length()
				under.tried, under.ok = under.tried+p.tried, under.ok+p.ok
				asked += l.asked.Between(p.From, p.To)
			}
			continue
		}
		// What arrives at its very end is answered later.
		if what := p.quiet(l.asked.Between(p.From, max(p.From, p.To-int64(time.Second)))); what != "" {
			return fmt.Sprintf("from %s to %s no fault was in force, and %s", in.Clock(p.From), in.Clock(p.To), what)
		}
	}
	if need := needed(asked); under.Length() >= int64(calmLong) && under.ok < need {
		return fmt.Sprintf("only %s succeeded in the %.1f s in which faults left a quorum connected, and it takes %d",
			under.of("operation"), float64(under.Length())/1e9, need)
	}
	if n := len(l.phases); n > 0 && l.phases[n-1].Calm {
		p := &l.phases[n-1]
		last := max(l.lastOK, p.From)
		if long := min(max(p.Length()/2, int64(10*time.Second)), int64(time.Minute)); p.To-last >= long && l.asked.Between(last, p.To) >= fewOfFunc {
			return fmt.Sprintf("no operation succeeded from %s to the end of the load at %s, though no fault was in force", in.Clock(last), in.Clock(p.To))
		}
	}
	return ""
}

// needed is how many operations must have succeeded, of so many that were asked for.
func needed(asked float64) int { return int(min(minOfFunc, asked/2)) }

// quiet says what is missing in a stretch without faults, in which so many operations
// were asked for.
func (p *Phase) quiet(asked float64) string {
	need := needed(asked)
	switch {
	case p.Length() < int64(calmShort) || asked < fewOfFunc:
		return ""
	case p.ok == 0:
		return fmt.Sprintf("none of %d operations succeeded", p.tried)
	case p.Length() < int64(calmLong):
		return ""
	case p.ok < need:
		return fmt.Sprintf("only %s succeeded, and it takes %d", p.of("operation"), need)
	}
	for _, f := range sortedFuncs(p.funcs) {
		if t := p.funcs[f]; t.ok == 0 && t.tried >= minOfFunc {
			return fmt.Sprintf("none of %d %s succeeded", t.tried, plural(string(f)))
		}
	}
	return ""
}

// of writes a tally: "2 of 51 reads".
func (t *tally) of(f history.Func) string {
	return fmt.Sprintf("%d of %d %s", t.ok, t.tried, plural(string(f)))
}

// plural is for the names of functions.
func plural(f string) string {
	if strings.HasSuffix(f, "s") {
		return f + " operations"
	}
	return f + "s"
}

func sortedFuncs(m map[history.Func]*tally) []history.Func {
	funcs := make([]history.Func, 0, len(m))
	for f := range m {
		funcs = append(funcs, f)
	}
	slices.Sort(funcs)
	return funcs
}
