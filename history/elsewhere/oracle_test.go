package elsewhere

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"squall/history/check"
	"squall/internal/machinetest"
)

// told is an operation as another tool tells of it: what it asks for and how it ended, in
// EDN. end is "" where nothing tells that.
type told struct {
	f, in, end, out string
	process         int
	call, ret       int // place among the events
}

// kindOfObject is an object by definition: what its operations do, without any thought of
// speed, and as told.
type kindOfObject struct {
	name string
	init string
	draw func(rng *rand.Rand) told
	// step is the state after an operation; false when it cannot have been answered so.
	// answered is false for one of unknown outcome.
	step func(state string, o told, answered bool) (string, bool)
	// steps is step, of an object whose state may be one of several.
	steps func(state string, o told, answered bool) []string
}

// after are the states that an operation can leave.
func (k kindOfObject) after(state string, o told) []string {
	answered := o.end == typeOK
	if k.steps != nil {
		return k.steps(state, o, answered)
	}
	if next, fits := k.step(state, o, answered); fits {
		return []string{next}
	}
	return nil
}

func pick(rng *rand.Rand, of ...string) string { return of[rng.IntN(len(of))] }

func kinds() []kindOfObject {
	return []kindOfObject{
		{name: "cas-register", init: "nil", draw: func(rng *rand.Rand) told {
			switch rng.IntN(3) {
			case 0:
				return told{f: "read", in: "nil", out: pick(rng, "nil", "1", "2", "3")}
			case 1:
				v := pick(rng, "1", "2", "3")
				return told{f: "write", in: v, out: v}
			}
			v := fmt.Sprintf("[%s %s]", pick(rng, "1", "2"), pick(rng, "2", "3"))
			return told{f: "cas", in: v, out: v}
		}, step: func(s string, o told, answered bool) (string, bool) {
			switch o.f {
			case "read":
				return s, !answered || o.out == s
			case "write":
				return o.in, true
			}
			old, new, _ := strings.Cut(strings.Trim(o.in, "[]"), " ")
			return new, old == s
		}},
		{name: "mutex", init: "free", draw: func(rng *rand.Rand) told { return told{f: pick(rng, "acquire", "release"), in: "nil", out: "nil"} },
			step: func(s string, o told, _ bool) (string, bool) {
				if o.f == "acquire" {
					return "held", s == "free"
				}
				return "free", s == "held"
			}},
		{name: "counter", init: "0", draw: func(rng *rand.Rand) told {
			if rng.IntN(2) == 0 {
				return told{f: "read", in: "nil", out: pick(rng, "0", "1", "2", "3")}
			}
			v := pick(rng, "1", "1", "2")
			return told{f: "add", in: v, out: v}
		}, step: func(s string, o told, answered bool) (string, bool) {
			if o.f == "read" {
				return s, !answered || o.out == s
			}
			return fmt.Sprint(int(s[0]-'0') + int(o.in[0]-'0')), true
		}},
		{name: "set", init: "", draw: func(rng *rand.Rand) told {
			if rng.IntN(2) == 0 {
				return told{f: "read", in: "nil", out: pick(rng, "#{}", "[1]", "#{2 1}", "(3)", "[1 3]", "[1 2 3]")}
			}
			v := pick(rng, "1", "2", "3")
			return told{f: "add", in: v, out: v}
		}, step: func(s string, o told, answered bool) (string, bool) {
			if o.f == "read" {
				found := strings.Fields(strings.Trim(o.out, "#{}[]()"))
				slices.Sort(found)
				return s, !answered || strings.Join(found, "") == s
			}
			if !strings.Contains(s, o.in) {
				have := strings.Split(s+o.in, "")
				slices.Sort(have)
				s = strings.Join(have, "")
			}
			return s, true
		}},
		queue("queue", false),
		queue("fifo-queue", true),
		{name: "multi-register", init: "nil nil", draw: func(rng *rand.Rand) told {
			var in, out []string
			for range 1 + rng.IntN(2) {
				key := pick(rng, ":x", ":y")
				if rng.IntN(2) == 0 {
					w := fmt.Sprintf("[:w %s %s]", key, pick(rng, "1", "2"))
					in, out = append(in, w), append(out, w)
					continue
				}
				in, out = append(in, "[:r "+key+" nil]"), append(out, fmt.Sprintf("[:r %s %s]", key, pick(rng, "nil", "1", "2")))
			}
			return told{f: "txn", in: "[" + strings.Join(in, " ") + "]", out: "[" + strings.Join(out, " ") + "]"}
		}, step: func(s string, o told, answered bool) (string, bool) {
			held := strings.Fields(s)
			of := o.in
			if answered {
				of = o.out
			}
			for _, one := range strings.Split(strings.Trim(of, "[]"), "] [") {
				part := strings.Fields(one)
				at := map[string]int{":x": 0, ":y": 1}[part[1]]
				if part[0] == ":w" {
					held[at] = part[2]
				} else if answered && held[at] != part[2] {
					return "", false
				}
			}
			return strings.Join(held, " "), true
		}},
	}
}

// queue is one that keeps an order, or not. Its state is a letter for each value.
func queue(name string, fifo bool) kindOfObject {
	return kindOfObject{name: name, draw: func(rng *rand.Rand) told {
		if rng.IntN(2) == 0 {
			return told{f: "dequeue", in: "nil", out: pick(rng, "nil", "1", "2", "3")}
		}
		v := pick(rng, "1", "2", "3")
		return told{f: "enqueue", in: v, out: v}
	}, steps: func(s string, o told, answered bool) []string {
		if o.f == "enqueue" {
			return []string{s + o.in}
		}
		var after []string
		for i, v := range s {
			if (i == 0 || !fifo) && (!answered || o.out == string(v)) {
				after = append(after, s[:i]+s[i+1:])
			}
		}
		if s == "" && (!answered || o.out == "nil") {
			after = append(after, s)
		}
		return after
	}}
}

// possible is the definition of linearizability, tried out order by order.
func (k kindOfObject) possible(ops []told, done int, state string) bool {
	first, left := 1<<30, false // the earliest return of what must still be placed
	for i, o := range ops {
		if done&(1<<i) == 0 && o.end == typeOK {
			first, left = min(first, o.ret), true
		}
	}
	if !left {
		return true
	}
	for i, o := range ops {
		if done&(1<<i) != 0 || o.end == typeFail || o.call > first {
			continue
		}
		for _, next := range k.after(state, o) {
			if k.possible(ops, done|1<<i, next) {
				return true
			}
		}
	}
	return false
}

// simulate draws a few operations of a few processes and the events that tell of them, one
// line each.
func (k kindOfObject) simulate(rng *rand.Rand) (ops []told, lines []told) {
	var open []int
	free := []int{0, 1, 2}
	next := len(free)
	n := 1 + rng.IntN(7)
	ops = make([]told, 0, n)
	for at := 0; len(ops) < n || len(open) > 0; at++ {
		if len(ops) < n && len(free) > 0 && rng.IntN(2) == 0 || len(open) == 0 {
			if len(ops) == n {
				break
			}
			o := k.draw(rng)
			o.process, o.call = free[0], at
			free = free[1:]
			open = append(open, len(ops))
			ops = append(ops, o)
			lines = append(lines, told{f: o.f, end: typeInvoke, out: o.in, process: o.process})
			continue
		}
		i := rng.IntN(len(open))
		o := &ops[open[i]]
		open = slices.Delete(open, i, i+1)
		if rng.IntN(8) == 0 { // nothing tells its end
			free, next = append(free, next), next+1
			continue
		}
		o.end, o.ret = pick(rng, typeOK, typeOK, typeOK, typeOK, typeInfo, typeFail), at
		out := o.out
		if o.end != typeOK {
			out = o.in
		}
		lines = append(lines, told{f: o.f, end: o.end, out: out, process: o.process})
		if o.end == typeInfo {
			o.process = next // in histories of Jepsen's, another one goes on
			next++
		}
		free = append(free, o.process)
	}
	return ops, lines
}

// write tells of events in one of the ways that other tools have.
func write(rng *rand.Rand, lines []told) string {
	var b strings.Builder
	way := rng.IntN(5)
	vector := way == 1
	if vector {
		b.WriteString("[")
	}
	for i, l := range lines {
		switch way {
		case 0, 1:
			fmt.Fprintf(&b, "{:process %d, :type :%s, :f :%s, :value %s}\n", l.process, l.end, l.f, l.out)
		case 2:
			fmt.Fprintf(&b, "#jepsen.history.Op{:index %d, :time %d, ; %d\n :type :%s :process %d,\n\n :f :%s :value %s}", i, 1000*i, i, l.end, l.process, l.f, l.out)
		case 3:
			fmt.Fprintf(&b, "INFO  jepsen.util - %d\t:%s\t:%s\t%s\nINFO  jepsen.core - 7 :ok :read 9\n", l.process, l.end, l.f, l.out)
		case 4:
			fmt.Fprintf(&b, "%d\t:%s\t:%s\t%s\n", l.process, l.end, l.f, l.out)
		}
	}
	if vector {
		b.WriteString("]")
	}
	return b.String()
}

// TestAgainstTheDefinition: histories of every object, told in every way, are decided as the
// definition decides.
func TestAgainstTheDefinition(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			count := map[check.Verdict]int{}
			for seed := range machinetest.Rounds(300, 3000) {
				rng := rand.New(rand.NewPCG(uint64(seed), 1))
				ops, lines := k.simulate(rng)
				want := check.Violation
				if k.possible(ops, 0, k.init) {
					want = check.Pass
				}
				text := write(rng, lines)
				if got := of(t, text, Options{Object: k.name}); got != want {
					t.Fatalf("seed %d: %s, want %s:\n%s", seed, got, want, text)
				}
				count[want]++
			}
			if count[check.Pass] < 50 || count[check.Violation] < 50 {
				t.Errorf("%v: too few of one", count)
			}
		})
	}
}
