package watches

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/check/checktest"
	"squall/history/objects"
)

// watchable is the definition of what watches promise, tried out revision by revision. It
// shares nothing with the check but how answers are read.
//
// There is a log: each acknowledged write has the revision that it was answered with, each
// of unknown outcome has any revision or none, no two have the same, and those that failed
// have none. There are moments at which the writes took effect, each between its call and
// its return, that are in the order of revisions. And an answer is what the log has of the
// prefix between two revisions, and the log had come so far when it was given.
func watchable(t *rapid.T, ops []history.Op) bool {
	log := map[int64]*history.Op{}
	var unsure []*history.Op
	for i := range ops {
		switch op := &ops[i]; {
		case op.Func == objects.Watch || op.Outcome == history.Fail:
		case op.Outcome == history.Info:
			unsure = append(unsure, op)
		default:
			revision, err := strconv.ParseInt(string(op.Out), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if log[revision] != nil {
				return false
			}
			log[revision] = op
		}
	}
	return tryLogs(t, ops, log, unsure)
}

// tryLogs tries all revisions of writes of unknown outcome.
func tryLogs(t *rapid.T, ops []history.Op, log map[int64]*history.Op, unsure []*history.Op) bool {
	if len(unsure) == 0 {
		return fitsLog(t, ops, log)
	}
	if tryLogs(t, ops, log, unsure[1:]) {
		return true
	}
	for revision := int64(1); revision <= lastRevision; revision++ {
		if log[revision] != nil {
			continue
		}
		log[revision] = unsure[0]
		fits := tryLogs(t, ops, log, unsure[1:])
		delete(log, revision)
		if fits {
			return true
		}
	}
	return false
}

// lastRevision is the highest in the histories of anyWatches.
const lastRevision = 7

func fitsLog(t *rapid.T, ops []history.Op, log map[int64]*history.Op) bool {
	latest := map[int64]int64{} // by when a revision had taken effect
	for revision, op := range log {
		latest[revision] = 1 << 60
		if op.Outcome == history.OK {
			latest[revision] = op.Return
		}
	}
	for i := range ops {
		op := &ops[i]
		if op.Func != objects.Watch || op.Outcome != history.OK {
			continue
		}
		request, err := objects.ParseWatchRequest(op.In)
		if err != nil {
			t.Fatal(err)
		}
		var answer objects.WatchAnswer
		if err := objects.ParseWatchAnswer(op.Out, &answer); err != nil {
			t.Fatal(err)
		}
		var want []objects.Event
		for revision := request.From; revision < answer.Next; revision++ {
			want = append(want, eventsOf(log[revision], revision, op.Key)...)
		}
		// The events of one revision are in any order.
		got := slices.Clone(answer.Events)
		slices.SortStableFunc(got, func(a, b objects.Event) int {
			if a.Revision == b.Revision {
				return strings.Compare(a.Key, b.Key)
			}
			return 0
		})
		if !slices.Equal(got, want) {
			return false
		}
		for revision := range log {
			if request.From < answer.Next && revision < answer.Next {
				latest[revision] = min(latest[revision], op.Return)
			}
		}
	}
	moment := int64(-1)
	for revision := int64(1); revision <= lastRevision; revision++ {
		op := log[revision]
		if op == nil {
			continue
		}
		if moment = max(moment, op.Call); moment > latest[revision] {
			return false
		}
	}
	return true
}

func eventsOf(op *history.Op, revision int64, prefix string) (events []objects.Event) {
	switch {
	case op == nil:
	case op.Func == history.Write:
		events = append(events, objects.Event{Revision: revision, Key: op.Key, Value: op.In})
	default:
		for d := range op.In.Elements() {
			key, _ := d.At("0").Text()
			events = append(events, objects.Event{Revision: revision, Key: key, Value: d.At("1")})
		}
	}
	events = slices.DeleteFunc(events, func(e objects.Event) bool { return !strings.HasPrefix(e.Key, prefix) })
	slices.SortFunc(events, func(a, b objects.Event) int { return cmp.Compare(a.Key, b.Key) })
	return events
}

// anyWatches draws a small history of a log that is right, and then spoils some of it.
func anyWatches(t *rapid.T) []history.Op {
	var ops []history.Op
	var log [lastRevision]*history.Op // by revision, from 1
	took := make([]int64, lastRevision)
	clock := int64(0)
	n := rapid.IntRange(1, 4).Draw(t, "writes")
	revision := int64(0)
	for i := range n {
		revision += rapid.Int64Range(1, 2).Draw(t, "step")
		if revision >= lastRevision {
			break
		}
		clock += rapid.Int64Range(0, 3).Draw(t, "gap")
		call := max(clock-rapid.Int64Range(0, 3).Draw(t, "before"), 0)
		op := wrote("n1", int64(2*i), revision, 0, 0)
		if rapid.IntRange(0, 3).Draw(t, "txn") == 0 {
			op = wroteTwo("n1", int64(2*i), revision, 0, 0)
		} else if rapid.IntRange(0, 5).Draw(t, "elsewhere") == 0 {
			op.Key = "x"
		}
		op.Process, op.Call, op.Return = int64(i), call, clock+rapid.Int64Range(0, 3).Draw(t, "after")
		switch rapid.IntRange(0, 5).Draw(t, "outcome") {
		case 0:
			op = checktest.Unknown(op)
		case 1:
			ops = append(ops, checktest.Failed(op))
			continue
		}
		ops = append(ops, op)
		if op.Outcome == history.OK || rapid.Bool().Draw(t, "takes effect") {
			kept := op
			log[revision-1], took[revision-1] = &kept, clock
		}
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "answers") {
		from := rapid.Int64Range(1, 3).Draw(t, "from")
		next := rapid.Int64Range(from+1, lastRevision).Draw(t, "next")
		end := int64(0)
		var events []objects.Event
		for r := from; r < next; r++ {
			events = append(events, eventsOf(log[r-1], r, "w/")...)
		}
		for r := int64(1); r < next; r++ {
			end = max(end, took[r-1])
		}
		end += rapid.Int64Range(0, 4).Draw(t, "late")
		op := watched("n2", from, next, 0, 0, spoilEvents(t, events, from, next)...)
		op.Process, op.Call, op.Return = int64(100+i), max(end-1, 0), end
		ops = append(ops, op)
	}
	if rapid.IntRange(0, 3).Draw(t, "spoil") < 2 {
		op := &ops[rapid.IntRange(0, len(ops)-1).Draw(t, "which")]
		switch {
		case rapid.Bool().Draw(t, "times"):
			shift := rapid.Int64Range(-4, 4).Draw(t, "shift")
			op.Call, op.Return = max(op.Call+shift, 0), max(op.Return+shift, 0)
		case op.Func != objects.Watch && op.Outcome == history.OK:
			op.Out = checktest.Number(rapid.Int64Range(1, lastRevision-1).Draw(t, "revision"))
		}
	}
	return ops
}

// spoilEvents changes now and then what an answer has.
func spoilEvents(t *rapid.T, events []objects.Event, from, next int64) []objects.Event {
	n := len(events)
	if n == 0 || rapid.IntRange(0, 3).Draw(t, "spoil events") > 1 {
		return events
	}
	events = slices.Clone(events)
	i := rapid.IntRange(0, n-1).Draw(t, "event")
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		events = slices.Delete(events, i, i+1)
	case 1:
		events = append(events, events[i])
	case 2:
		slices.Reverse(events)
	case 3:
		events[i].Revision = max(1, min(next-1, events[i].Revision+rapid.Int64Range(-1, 1).Draw(t, "by")))
	case 4:
		events[i].Key = "w/m"
	default:
		events[i].Value = history.Text(strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "value")))
	}
	return events
}

func showWatches(ops []history.Op) string {
	var lines []string
	for i := range ops {
		lines = append(lines, fmt.Sprintf("%d-%d %s", ops[i].Call, ops[i].Return, check.Describe(objects.WatchFunctions(), &ops[i])))
	}
	return strings.Join(lines, "\n")
}

// TestWatchesAgainstTheDefinition: of small histories the check says just what the
// definition does.
func TestWatchesAgainstTheDefinition(t *testing.T) {
	said := map[bool]int{}
	for range 40 { // a thousand histories take a second; with -short these are 200
		rapid.Check(t, func(rt *rapid.T) {
			ops := anyWatches(rt)
			res := checkWatches(ops)
			checktest.Told(t, res)
			want := watchable(rt, ops)
			if res.Verdict == check.Unknown && !strings.Contains(res.Summary, "nothing was observed") && !strings.Contains(res.Summary, "acknowledged writes") {
				rt.Fatalf("%s\n%s", res.Summary, showWatches(ops))
			}
			if got := res.Verdict != check.Violation; got != want {
				rt.Fatalf("%s, and the definition says %t: %s: %s\n%s", res.Verdict, want, res.Summary, res.Explanation, showWatches(ops))
			}
			said[want]++
		})
	}
	if least := (said[true] + said[false]) / 5; min(said[true], said[false]) < max(least, 10) {
		t.Errorf("%d histories were right, %d wrong: too few of either to mean anything", said[true], said[false])
	}
}

// FuzzWatches gives the check histories with data of any kind: it never panics, and what it
// shows is well formed.
func FuzzWatches(f *testing.F) {
	f.Add(uint64(1), `[[2,"w/k","1"]]`, "n1")
	f.Add(uint64(2), `[[],{}`, "\x1b[2J")
	f.Fuzz(func(t *testing.T, seed uint64, data, text string) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ops := make([]history.Op, 1+rng.IntN(30))
		for i := range ops {
			op := &ops[i]
			call := rng.Int64N(100)
			switch rng.IntN(5) {
			case 0, 1:
				*op = wrote("n1", int64(i), 1+rng.Int64N(20), call, call+rng.Int64N(20))
			case 2:
				*op = wroteTwo(text, int64(100+2*i), 1+rng.Int64N(20), call, call+rng.Int64N(20))
			default:
				from := 1 + rng.Int64N(10)
				var events []objects.Event
				for range rng.IntN(4) {
					events = append(events, ev(from+rng.Int64N(4), rng.Int64N(30)))
				}
				*op = watched("n2", from, from+4, call, call+rng.Int64N(20), events...)
			}
			op.Process, op.Final = int64(i), rng.IntN(5) == 0
			switch rng.IntN(20) {
			case 0:
				op.In = history.Data(data)
			case 1:
				op.Out = history.Data(data)
			case 2:
				op.Key = text
			case 3:
				op.Func = history.Func(text)
			case 4, 5:
				op.Outcome, op.Out = history.Info, ""
			case 6:
				op.Outcome, op.Out = history.Fail, ""
			}
		}
		res := checkWatchesWithin(t.Context(), &history.History{Ops: ops}, check.Limits{Time: time.Hour})
		checktest.Told(t, res)
	})
}
