package kv

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"squall/nodeimage/raft"
)

// inbox notes what is delivered and when, by the message's index.
type inbox struct {
	faults MessageFaults
	begin  time.Time
	got    chan arrival
}

type arrival struct {
	index uint64
	after time.Duration
}

func newInbox(t testing.TB, rules ...string) *inbox {
	t.Helper()
	in := &inbox{begin: time.Now(), got: make(chan arrival, 100_000)}
	in.obey(t, "rules 1 "+strings.Join(rules, " "), "ok 1 0")
	return in
}

func (in *inbox) obey(t testing.TB, line, want string) {
	t.Helper()
	if got := in.faults.carryOut(line); !strings.HasPrefix(got, want) {
		t.Errorf("%q was answered %q, want %q", line, got, want)
	}
}

// come lets a message of n2's in.
func (in *inbox) come(kind raft.MessageType, index uint64) {
	in.faults.receive(&raft.Message{Type: kind, From: 2, To: 1, Term: 1, Index: index}, 100, func(m *raft.Message) {
		in.got <- arrival{m.Index, time.Since(in.begin)}
	})
}

// all are what was delivered so far.
func (in *inbox) all() (list []arrival) {
	synctest.Wait()
	for {
		select {
		case a := <-in.got:
			list = append(list, a)
		default:
			return list
		}
	}
}

func indexes(list []arrival) (order []uint64) {
	for _, a := range list {
		order = append(order, a.index)
	}
	return order
}

// inVirtualTime lets ten appends of n2's in, a millisecond apart, and returns what
// was delivered within ten seconds, and what was counted.
func inVirtualTime(t *testing.T, rule string) (list []arrival, counted string) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t, rule)
		for i := range uint64(10) {
			in.come(raft.MsgAppend, i)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		list, counted = in.all(), in.faults.counts()
		in.faults.set(nil)
		if late := in.all(); len(late) > 0 {
			t.Errorf("%d messages came when the rules ended", len(late))
		}
	})
	return list, counted
}

func TestMessagesAreDelayed(t *testing.T) {
	list, counted := inVirtualTime(t, "from=n2,do=delay,share=0.5,delay=5000000,seed=3")
	var late, overtaken int
	for i, a := range list {
		sent := time.Duration(a.index) * time.Millisecond
		switch took := a.after - sent; took {
		case 0:
		case 5 * time.Millisecond:
			late++
		default:
			t.Errorf("message %d came %v after it was sent", a.index, took)
		}
		if slices.ContainsFunc(list[:i], func(b arrival) bool { return b.index > a.index }) {
			overtaken++
		}
	}
	if len(list) != 10 || late == 0 || late == 10 || overtaken == 0 {
		t.Errorf("%d of 10 came, %d of them late and %d overtaken: %v", len(list), late, overtaken, list)
	}
	if want := fmt.Sprintf(" 0 10/%d", late); counted != want {
		t.Errorf("counted %q, want %q", counted, want)
	}
}

func TestMessagesAreLost(t *testing.T) {
	list, counted := inVirtualTime(t, "from=n2,do=lose,share=0.5,seed=3")
	if want := fmt.Sprintf(" 0 10/%d", 10-len(list)); len(list) == 0 || len(list) == 10 || counted != want {
		t.Errorf("%d of 10 came; counted %q, want %q", len(list), counted, want)
	}
}

func TestMessagesAreDuplicated(t *testing.T) {
	for _, delay := range []time.Duration{0, 30 * time.Millisecond} {
		list, counted := inVirtualTime(t, fmt.Sprintf("from=n2,do=duplicate,share=0.5,delay=%d,seed=3", delay))
		seen := map[uint64][]time.Duration{}
		for _, a := range list {
			seen[a.index] = append(seen[a.index], a.after)
		}
		twice := 0
		for index, at := range seen {
			if len(at) == 2 {
				twice++
				if apart := at[1] - at[0]; apart != delay {
					t.Errorf("message %d came again after %v, want %v", index, apart, delay)
				}
			}
		}
		if want := fmt.Sprintf(" 0 10/%d", twice); len(seen) != 10 || twice == 0 || twice == 10 || len(list) != 10+twice || counted != want {
			t.Errorf("%d of 10 came, %d twice; counted %q, want %q", len(seen), twice, counted, want)
		}
	}
}

func TestMessagesAreReordered(t *testing.T) {
	const window = 3
	list, counted := inVirtualTime(t, fmt.Sprintf("from=n2,do=reorder,share=0.5,delay=50000000,count=%d,seed=3", window))
	order := indexes(list)
	overtaken := 0
	for i, index := range order {
		before := 0
		for _, other := range order[:i] {
			if other > index {
				before++
			}
		}
		// Those that are set free at the same moment as it keep their order, and
		// may have to be counted for the ones that they were behind.
		if before > 2*window {
			t.Errorf("message %d was overtaken by %d, the window is %d: %v", index, before, window, order)
		}
		if before > 0 {
			overtaken++
		}
	}
	if slices.Sort(order); len(order) != 10 || order[0] != 0 || order[9] != 9 {
		t.Errorf("came %v, want each of 10 once", order)
	}
	if want := fmt.Sprintf(" 0 10/%d", overtaken); overtaken == 0 || counted != want {
		t.Errorf("%d were overtaken; counted %q, want %q", overtaken, counted, want)
	}
}

// A message that nobody overtakes comes when its time is over, and is not counted.
func TestAMessageThatNobodyOvertakesComesAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t, "from=n2,do=reorder,delay=50000000,count=3")
		in.come(raft.MsgVote, 7)
		time.Sleep(49 * time.Millisecond)
		if early := in.all(); len(early) > 0 {
			t.Errorf("it came early: %v", early)
		}
		in.obey(t, "count 2", "ok 2 1 1/0")
		time.Sleep(2 * time.Millisecond)
		if list := in.all(); len(list) != 1 {
			t.Errorf("came %v", list)
		}
		in.obey(t, "count 3", "ok 3 0 1/0")
	})
}

// Only messages of the types and the sender that a rule is about are hit.
func TestRulesAreAboutTypesAndSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t, "from=n2,do=lose,types=vote-reply+pre-vote-reply", "from=n3,do=lose")
		for i, kind := range []raft.MessageType{raft.MsgVoteReply, raft.MsgAppend, raft.MsgPreVoteReply, raft.MsgVote} {
			in.come(kind, uint64(i))
		}
		if got := indexes(in.all()); !slices.Equal(got, []uint64{1, 3}) {
			t.Errorf("came %v, want the append and the vote", got)
		}
		in.obey(t, "count 2", "ok 2 0 2/2 0/0")
	})
}

// A grant of a term that has passed comes again as soon as this node asks for
// votes in the next; one of the term that it is in does not.
func TestOldMessagesComeAgainInTheNextTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t, "from=n2,do=replay,count=4")
		send := func(kind raft.MessageType, term uint64) { in.faults.sent(&raft.Message{Type: kind, Term: term}) }
		in.come(raft.MsgVoteReply, 1) // this node's term is not known: is it old? nobody knows
		send(raft.MsgVote, 2)
		in.all()
		in.come(raft.MsgVoteReply, 2)
		in.come(raft.MsgAppend, 3)
		send(raft.MsgVote, 2)
		send(raft.MsgPreVote, 3) // it would be a candidate in 3, and is in 2
		time.Sleep(time.Minute)
		if got := indexes(in.all()); !slices.Equal(got, []uint64{2, 3}) {
			t.Errorf("in the same term came %v, want each once", got)
		}
		send(raft.MsgVote, 3)
		time.Sleep(replaySpread)
		again := indexes(in.all())
		if slices.Sort(again); !slices.Equal(again, []uint64{2, 3}) {
			t.Errorf("in the next term came %v, want 2 and 3 again", again)
		}
		in.obey(t, "count 2", "ok 2 0 3/2")
		in.faults.set(nil)
		send(raft.MsgVote, 4)
		time.Sleep(time.Minute)
		if late := in.all(); len(late) > 0 {
			t.Errorf("when the rules had ended came %v", late)
		}
	})
}

func TestOldMessagesComeAgainByTheirAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const age, kept = 200 * time.Millisecond, 4
		in := newInbox(t, fmt.Sprintf("from=n2,do=replay,count=%d,delay=%d", kept, age))
		for i := range uint64(100) {
			in.come(raft.MsgAppend, i)
		}
		in.come(raft.MsgVote, 1000)
		if got := in.all(); len(got) != 101 {
			t.Fatalf("%d of 101 came", len(got))
		}
		time.Sleep(age - time.Millisecond)
		if early := in.all(); len(early) > 0 {
			t.Errorf("before their age came %v", early)
		}
		time.Sleep(age / 2)
		first := indexes(in.all())
		if len(first) != kept+1 || first[kept] != 1000 && first[0] != 1000 {
			t.Errorf("at their age came %v, want %d appends and the vote", first, kept)
		}
		if slices.Max(first[:kept]) < kept && slices.Min(first) < kept {
			t.Errorf("the sample is the first ones only: %v", first)
		}
		time.Sleep(age + age/2)
		if again := indexes(in.all()); !slices.Equal(again, first) {
			t.Errorf("and later %v, want %v once more", again, first)
		}
	})
}

// Whatever the rules: each message that is not lost comes, once unless it is
// duplicated or replayed, and what is counted is what happened. The end of the
// rules sets free what they held.
func TestNoMessageIsLostByAccident(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		do := rapid.SampledFrom(messageActions).Draw(rt, "do")
		rule := fmt.Sprintf("from=n2,do=%s,share=%v,delay=%d,count=%d,seed=%d", do, rapid.Float64Range(0, 1).Draw(rt, "share"),
			rapid.Int64Range(1, int64(time.Second)).Draw(rt, "delay"), rapid.IntRange(1, 20).Draw(rt, "count"), rapid.Uint64().Draw(rt, "seed"))
		pauses := rapid.SliceOfN(rapid.Int64Range(0, int64(50*time.Millisecond)), 1, 60).Draw(rt, "pauses")
		wait := rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(rt, "wait")
		var f fate
		synctest.Test(t, func(t *testing.T) { f = fateOf(t, rule, pauses, wait) })
		right := f.matched == len(pauses)
		switch do {
		case loseMessage:
			right = right && f.came == len(pauses)-f.hit && f.again == 0 && f.held == 0
		case duplicateMessage, replayMessage:
			right = right && f.came == len(pauses) && f.again == f.hit && f.freed == 0
		default:
			right = right && f.came == len(pauses) && f.again == 0 && f.freed == f.held
		}
		if !right {
			rt.Errorf("%s: of %d messages: %+v", do, len(pauses), f)
		}
	})
}

// fate is what became of some messages.
type fate struct {
	held, matched, hit int // as counted, before the rules ended
	came, again        int // delivered at all; delivered once more
	freed              int // delivered when the rules ended
}

func fateOf(t *testing.T, rule string, pauses []int64, wait time.Duration) (f fate) {
	in := newInbox(t, rule)
	for i, pause := range pauses {
		in.come(raft.MsgAppend+raft.MessageType(i%2), uint64(i))
		in.faults.sent(&raft.Message{Type: raft.MsgHeartbeat, Term: uint64(1 + i/8)})
		time.Sleep(time.Duration(pause))
	}
	time.Sleep(wait)
	before := in.all()
	if _, err := fmt.Sscanf(in.faults.counts(), " %d %d/%d", &f.held, &f.matched, &f.hit); err != nil {
		t.Fatal(err)
	}
	in.faults.set(nil)
	freed := in.all()
	order := indexes(append(before, freed...))
	total := len(order)
	slices.Sort(order)
	f.came = len(slices.Compact(order))
	f.again, f.freed = total-f.came, len(freed)
	return f
}

// What is held is bounded; what comes beyond passes as if there were no rule.
func TestHeldMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox(t, "from=n2,do=delay,delay=1000000000")
		for i := range uint64(maxHeldMessages + 10) {
			in.come(raft.MsgAppend, i)
		}
		if now := in.all(); len(now) != 10 || now[0].index != maxHeldMessages {
			t.Errorf("%d passed at once, want the last 10", len(now))
		}
		time.Sleep(time.Second)
		if late := in.all(); len(late) != maxHeldMessages {
			t.Errorf("%d came late, want %d", len(late), maxHeldMessages)
		}
		in.come(raft.MsgAppend, 1)
		if now := in.all(); len(now) != 0 {
			t.Error("there is room again, and it passed")
		}
		in.faults.set(nil)
		keep := newInbox(t, "from=n2,do=replay,count=1000")
		for i := range uint64(1000) {
			keep.faults.receive(&raft.Message{Type: raft.MsgAppend, From: 2, Term: 1, Index: i}, maxHeldBytes/4, func(*raft.Message) {})
		}
		if held := keep.faults.inForce.Load().room; held.messages != 4 || held.bytes != maxHeldBytes {
			t.Errorf("kept %+v of large messages, want 4", held)
		}
		keep.faults.set(nil)
	})
}
