package transactions

import (
	"cmp"
	"fmt"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/cycles"
)

// words are how people speak of an object's versions.
type words struct {
	wrote   string // "wrote", "appended"
	write   string
	without string // "r3 without a value", "l3 empty"
	// ordered says that reads show the order of versions, and not only what they were.
	ordered bool
}

var (
	registerWords = words{wrote: "wrote", write: "write", without: "without a value"}
	listWords     = words{wrote: "appended", write: "append", without: "empty", ordered: true}
)

// cycle is the most serious anomaly that a graph with cycles has: the shortest cycle of
// its class. nil: there is none.
func (d *dependencies) cycle() *cycleFinding {
	for _, extra := range []cycles.Kind{0, cycles.Process, cycles.Real} {
		all := extended(dataKinds, extra)
		sets := d.graph.Components(all)
		if len(sets) == 0 {
			continue
		}
		for _, class := range classes() {
			if c := d.shortest(class, extra, sets); c != nil {
				return c
			}
		}
	}
	return nil
}

// extended are kinds with those of a relation in time; what is inferred from time belongs
// to that alone.
func extended(kinds, extra cycles.Kind) cycles.Kind {
	if extra == cycles.Real {
		if kinds&cycles.WW != 0 {
			kinds |= cycles.InferredWW
		}
		if kinds&cycles.RW != 0 {
			kinds |= cycles.InferredRW
		}
	}
	return kinds | extra
}

// shortest is the shortest cycle of a class.
func (d *dependencies) shortest(class data, extra cycles.Kind, sets [][]int32) *cycleFinding {
	var best []cycles.Edge
	for _, set := range sets {
		s := cycles.Search{Kinds: extended(class.kinds, extra), Within: set}
		if class.once != 0 {
			s.Once = cycles.RW | extended(class.once, extra)&cycles.InferredRW
		}
		if class.apart != 0 {
			s.Apart = cycles.RW | extended(class.apart, extra)&cycles.InferredRW
		}
		if c := d.graph.Shortest(s); c != nil && (best == nil || len(c) < len(best)) {
			best = c
		}
		if len(best) == 2 {
			break
		}
	}
	if best == nil {
		return nil
	}
	a := class.anomaly
	if extra != 0 {
		a = a.timed(extra, best)
	}
	return &cycleFinding{d, a, best}
}

// cycleFinding is a cycle, and what it is called.
type cycleFinding struct {
	*dependencies
	anomaly
	edges []cycles.Edge
}

// finding is the cycle as something that is wrong.
func (c *cycleFinding) finding(in *check.Input) *finding {
	f := &finding{anomaly: c.anomaly}
	for _, e := range c.edges {
		op := c.txns[e.From].op
		f.ops = append(f.ops, op)
		f.at = max(f.at, c.certain(e.From))
		drawn := drawnEdge{from: op, to: c.txns[e.To].op, kind: drawnKind(e.Kind)}
		if object := c.object(e); object != none {
			drawn.on = c.objects[object].key
			f.key = cmp.Or(f.key, drawn.on)
		}
		f.cycle = append(f.cycle, drawn)
	}
	for _, e := range c.edges {
		if e.Kind&(cycles.InferredWW|cycles.InferredRW) != 0 {
			why := c.reasons[e.On]
			for _, t := range []int32{why.early, why.late} {
				f.ops = append(f.ops, c.txns[t].op)
				f.at = max(f.at, c.certain(t))
			}
		}
	}
	f.tells = func() string { return c.tell(in) }
	return f
}

// drawnKind is the name of a kind of edges.
func drawnKind(kind cycles.Kind) string {
	switch kind {
	case cycles.WR:
		return "wr"
	case cycles.RW, cycles.InferredRW:
		return "rw"
	case cycles.Process:
		return "process"
	case cycles.Real:
		return "rt"
	}
	return "ww"
}

// certain is when it was certain that a transaction took effect as it did: when it was
// answered, or when somebody who saw it was.
func (c *cycleFinding) certain(t int32) int64 {
	if op := c.txns[t].op; op.Outcome == history.OK {
		return op.Return
	}
	return c.by([]int32{t})
}

// object is what an edge is about; none: it is about time.
func (c *cycleFinding) object(e cycles.Edge) int32 {
	switch {
	case e.Kind&dataKinds != 0:
		return c.versions[e.On].object
	case e.Kind&(cycles.InferredWW|cycles.InferredRW) != 0:
		return c.versions[c.reasons[e.On].after].object
	}
	return none
}

// tell tells the cycle in words.
func (c *cycleFinding) tell(in *check.Input) string {
	names := map[int32]string{}
	name := func(t int32) string {
		if names[t] == "" {
			names[t] = fmt.Sprintf("T%d", len(names)+1)
		}
		return names[t]
	}
	var who, why []string
	introduce := func(t int32) {
		if names[t] != "" {
			return
		}
		op := c.txns[t].op
		how := fmt.Sprintf("answered by %s%s at %.3f s", history.Show(op.Node), check.Standing(in, op.Node, op.Return), in.Since(op.Return))
		if op.Outcome != history.OK {
			how = fmt.Sprintf("called on %s at %.3f s, its outcome unknown", history.Show(op.Node), in.Since(op.Call))
		}
		who = append(who, fmt.Sprintf("%s is %s, %s", name(t), check.Briefly(in.Functions, op), strings.TrimSuffix(how, ",")))
	}
	for _, e := range c.edges {
		introduce(e.From)
	}
	for _, e := range c.edges {
		if e.Kind&(cycles.InferredWW|cycles.InferredRW) != 0 {
			introduce(c.reasons[e.On].early)
			introduce(c.reasons[e.On].late)
		}
	}
	for _, e := range c.edges {
		why = append(why, fmt.Sprintf("%s comes before %s, since %s", name(e.From), name(e.To), c.because(e, name, in)))
	}
	return strings.Join(who, "; ") + ". " + strings.Join(why, "; ") + ". So none of them can be the first."
}

// because says why one transaction comes before another.
func (c *cycleFinding) because(e cycles.Edge, name func(int32) string, in *check.Input) string {
	from, to := name(e.From), name(e.To)
	switch e.Kind {
	case cycles.Process:
		return fmt.Sprintf("process %d ran %s first", c.txns[e.From].op.Process, from)
	case cycles.Real:
		return fmt.Sprintf("%s had been answered by %.3f s, and %s was called at %.3f s", from, in.Since(c.txns[e.From].ret), to, in.Since(c.txns[e.To].op.Call))
	case cycles.WR:
		return fmt.Sprintf("%s read %s, which %s %s", to, c.ended(e.On), from, c.words.wrote)
	case cycles.WW, cycles.Next:
		return fmt.Sprintf("%s %s %s after %s of %s", to, c.words.wrote, c.begun(e.On), c.versions[c.before(e.On)].end.Show(), from)
	case cycles.RW:
		return fmt.Sprintf("%s read %s, before %s %s %s", from, c.ended(c.before(e.On)), to, c.words.wrote, c.versions[e.On].begin.Show())
	}
	why := c.reasons[e.On]
	told := fmt.Sprintf("%s %s %s before %s %s %s", from, c.words.wrote, c.ended(why.before), to, c.words.wrote, c.versions[why.after].begin.Show())
	if e.Kind == cycles.InferredRW {
		told = fmt.Sprintf("%s read %s, and %s %s %s only later", from, c.ended(why.before), to, c.words.wrote, c.versions[why.after].begin.Show())
	}
	if why.inTime {
		return told + fmt.Sprintf(" (%s, which saw or %s the one, had been answered by %.3f s; %s, which saw or %s the other, was called at %.3f s)",
			name(why.early), c.words.wrote, in.Since(c.txns[why.early].ret), name(why.late), c.words.wrote, in.Since(c.txns[why.late].op.Call))
	}
	return told + fmt.Sprintf(" (as the other way round %s would have to come before %s, and it cannot)", name(why.late), name(why.early))
}

// before is the version that came before another: the one that it replaced, or the last
// of the object's first chain.
func (c *cycleFinding) before(v int32) int32 {
	if b := c.versions[v].before; b != none {
		return b
	}
	return c.tail(c.objects[c.versions[v].object].first)
}

// ended names a version by what was written last: "5 of r3".
func (c *cycleFinding) ended(v int32) string {
	x := &c.versions[v]
	key := c.objects[x.object].key.Show()
	if x.by == none {
		return key + " " + c.words.without
	}
	return x.end.Show() + " of " + key
}

// begun names a version by what was written first.
func (c *cycleFinding) begun(v int32) string {
	x := &c.versions[v]
	return x.begin.Show() + " of " + c.objects[x.object].key.Show()
}
