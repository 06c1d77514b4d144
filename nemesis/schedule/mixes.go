package schedule

import (
	"strings"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/nemesis"
)

// Mix is a named choice of faults with a pace.
type Mix struct {
	Name string
	Doc  string
	list string
	// kinds are taken whole, beside the list.
	kinds     []history.FaultKind
	hold, gap Dist
	overlap   int
	limit     string
	// rest is how long no fault is in force after each spell of them; 0: no such rest.
	spell, rest time.Duration
}

// Mixes are all named mixes. The first has the pace of lists without any.
func Mixes() []Mix {
	s := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	return []Mix{
		{Name: "basic", Doc: "partitions, kills and pauses, one at a time",
			list: "partition,kill,pause", hold: Dist{Lo: s(2), Hi: s(3.5)}, gap: Dist{Lo: s(1), Hi: s(2.5)}, overlap: 1, limit: Anything},
		{Name: "calm", Doc: "mild faults now and then, one at a time; a majority stays up",
			list: "pause(follower),kill(follower),delay(10ms±5ms),partition(one),stutter(follower)",
			hold: Dist{Lo: s(2), Hi: s(4)}, gap: Dist{Lo: s(6), Hi: s(12)}, overlap: 1, limit: Majority},
		{Name: "ci", Doc: "every fault once in two minutes, two at a time, then again",
			kinds: everyKind(), hold: Dist{Lo: s(2), Hi: s(3.5)}, gap: Dist{Lo: s(0.6), Hi: s(1.2)}, overlap: 2, limit: Anything},
		{Name: "guided", Doc: "faults at the moments where they hurt, and sequences of them, in quick succession",
			list: guidedList, hold: Dist{Lo: s(1.8), Hi: s(2.8)}, gap: Dist{Lo: s(0.1), Hi: s(0.3)}, overlap: 2, limit: Anything, spell: s(25), rest: s(9)},
		{Name: "elections", Doc: "leaders are lost, and voters and candidates at the moments of the election, again and again",
			list: electionsList, hold: Dist{Lo: s(1), Hi: s(2)}, gap: Dist{Lo: s(0.2), Hi: s(0.5)}, overlap: 2, limit: Anything},
		{Name: "partitions", Doc: "links are cut, in every way",
			list: "partition*5,flapping,swizzle-clog,clients", hold: Dist{Lo: s(2), Hi: s(4)}, gap: Dist{Lo: s(1), Hi: s(2.5)}, overlap: 1, limit: Anything},
		{Name: "processes", Doc: "servers and machines end, stand still, and come back",
			kinds: []history.FaultKind{history.KindProcess, history.KindMachine}, hold: Dist{Lo: s(2), Hi: s(4)}, gap: Dist{Lo: s(1), Hi: s(2.5)}, overlap: 1, limit: Anything},
		{Name: "disks", Doc: "power cuts after which nothing is left but what was synced, of one node and of all, and disks that are slow, full, or fail",
			list: disksList, hold: Dist{Lo: s(2), Hi: s(3.5)}, gap: Dist{Lo: s(1), Hi: s(2.5)}, overlap: 1, limit: Anything},
		{Name: "members", Doc: "members leave, come back as new ones, and hand over leadership, one at a time",
			kinds: []history.FaultKind{history.KindMembership}, hold: Dist{Lo: s(2), Hi: s(4)}, gap: Dist{Lo: s(3), Hi: s(6)}, overlap: 1, limit: Anything},
		{Name: "network", Doc: "links are cut, and packets and messages late, lost, doubled, damaged, old",
			kinds: []history.FaultKind{history.KindPackets, history.KindMessages, history.KindPartition}, hold: Dist{Lo: s(2), Hi: s(4)}, gap: Dist{Lo: s(1), Hi: s(2)}, overlap: 2, limit: Anything},
		{Name: "storm", Doc: "everything, two at a time",
			list: "partition*2,kill*2", kinds: everyKind(), hold: Dist{Lo: s(2), Hi: s(3.5)}, gap: Dist{Lo: s(0.8), Hi: s(1.8)}, overlap: 2, limit: Anything},
	}
}

// guidedList are the faults of the mix guided. Each that waits for a moment waits shortly, so
// that one that misses its moment costs little. Those of messages go with any of the
// others, since nothing else holds what they hold: nearly always one of each is in force.
// A follower that most requests reach late, and a few at once, rejects what comes too
// early: it is sent a snapshot while the entries that it lacked are on their way.
const guidedList = "deposed-leader(alone=0s, with=half, next=lives, but=nobody),deposed-leader(alone=0s, next=dies),deposed-leader(alone=0s, hears=all, next=lives, but=nobody)," +
	"deposed-leader(alone=0s, next=lives, but=nobody, how=reject),frozen-leader*3,figure-8*2,lagging-follower,snapshot-interrupted,double-restart,interrupted-election*3," +
	"kill(leader) when=leader-elected after=0s-30ms within=1.5s," +
	"kill(moment) when=snapshot-taken after=0s-20ms within=1.5s," +
	"kill(moment) when=snapshot-installed after=0s-10ms within=1.5s," +
	"kill(all) when=commit-advanced after=0s-50ms within=1s," +
	"partition(leader) when=commit-advanced after=0s-100ms within=1s," +
	"contested-election*3,message-duplicate(type=votes, share=100%, delay=0s, all),message-duplicate(type=any, all)," +
	"message-delay(type=requests, share=50%, delay=200ms, all)," +
	"message-delay(type=requests, share=90%, delay=25ms, follower)*2,message-delay(type=requests, share=90%, delay=40ms, minority)," +
	"message-loss(type=append, share=100%, follower)*2," +
	"message-reorder(type=appends, all)*2,message-replay(type=any, all)*2," +
	"message-replay(type=snapshots, all),message-delay(type=snapshots, share=100%, all)"

// electionsList are the faults of the mix elections.
const electionsList = "partition(leader),kill(leader),interrupted-election*4,voter-restart,delay(20ms±10ms, all)"

// disksList are the faults of the mix disks: those that a correct system survives. Disks that lie about syncing, and
// damage, it need not: they are asked for by name.
const disksList = "lose-unsynced(all)*3,lose-unsynced(how=any, all)*2,lose-unsynced(how=any)*3,lose-unsynced(how=torn, majority),disk-slow,disk-error,disk-full,read-only"

// everyKind are the kinds that every system under test can stand, which leaves
// membership out: that is asked for by name, or by a mix of its own. So are sequences,
// which take the whole cluster for seconds, and disks, for which the machines need more rights.
func everyKind() []history.FaultKind {
	return []history.FaultKind{history.KindPartition, history.KindPackets, history.KindMessages, history.KindProcess, history.KindMachine, history.KindClock}
}

func findMix(name string) (Mix, bool) {
	for _, m := range Mixes() {
		if m.Name == name {
			return m, true
		}
	}
	return Mix{}, false
}

func mixNames() []string {
	var names []string
	for _, m := range Mixes() {
		names = append(names, m.Name)
	}
	return names
}

// pace is a Spec of the mix without its faults. It leaves the cluster time to
// notice a fault, elect, be healed and recover.
func (m Mix) pace() Spec {
	return Spec{Hold: m.hold, Gap: m.gap, Lead: 1500 * time.Millisecond, Tail: 2 * time.Second, Overlap: m.overlap, Limit: m.limit, Spell: m.spell, Rest: m.rest}
}

// cards are the faults of a mix.
func (m Mix) cards(catalogue []nemesis.Fault) ([]Card, error) {
	var cards []Card
	if m.list != "" {
		listed, err := ParseFaults(catalogue, m.list)
		if err != nil {
			return nil, err
		}
		cards = listed.Cards
	}
	for _, fault := range catalogue {
		if !m.has(fault) {
			continue
		}
		cards = append(cards, Card{Choice: nemesis.Choice{Fault: fault, Variants: nemesis.Unaimed(fault.Variants), Args: declare.Args{}}, Weight: 1})
	}
	for i := range cards {
		cards[i].Asked = false
	}
	return cards, nil
}

// has reports whether a fault comes into the mix by its kind, and is not in its
// list by name.
func (m Mix) has(fault nemesis.Fault) bool {
	for _, item := range Split(m.list, ',') {
		if name, _, _ := strings.Cut(item, "*"); name == fault.Name {
			return false
		}
	}
	for _, kind := range m.kinds {
		if fault.Kind == kind {
			return true
		}
	}
	return false
}
