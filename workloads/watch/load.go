package watch

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"squall/history"
	"squall/history/objects"
	"squall/workloads"
)

// prefix is what is watched. Nobody but the load writes below it.
const prefix = "w/"

const (
	// backMost is how many revisions a watcher goes back, at most.
	backMost = 200
	// readBack is how far behind the latest revision a client begins that watches only
	// because it may not write.
	readBack = 20
	// piece is how many revisions a final watch covers. There are catchUp of them at
	// most for each watcher, and pieces of all that was written.
	piece   = 1000
	catchUp = 5
	pieces  = 30
	// finalWaitMs is how long a final watch waits, ms: it has much to catch up with.
	finalWaitMs = 2000
)

// load is the part of the load that all clients share.
type load struct {
	seed     uint64
	keys     int
	watchers int
	mix      [3]int // of writes, txns and watches
	most     int
	waitMs   int64
	goBack   float64

	mu     sync.Mutex
	next   []int64 // of each client: the revision at which its watch goes on; 0: it never watched
	latest int64   // the highest revision that was acknowledged
}

var _ workloads.Generator = (*load)(nil)

func newLoad(l workloads.Load) workloads.Generator {
	return &load{
		seed:     l.Seed,
		keys:     l.Args.Int("keys"),
		watchers: l.Args.Int("watchers"),
		mix:      [3]int(l.Args.Weights("mix")),
		most:     l.Args.Int("most"),
		waitMs:   max(l.Args.Duration("wait").Milliseconds(), 1),
		goBack:   l.Args.Float("go-back"),
		next:     make([]int64, l.Clients),
	}
}

// watcherPrefix begins the name of a client's watcher: "c3".
const watcherPrefix = "c"

// Observe notes how far a watcher has come, and which revision was reached.
func (l *load) Observe(op *history.Op) {
	if op.Outcome != history.OK {
		return
	}
	if op.Func != objects.Watch {
		if revision, ok := objects.ParseRevision(op.Out); ok {
			l.mu.Lock()
			l.latest = max(l.latest, revision)
			l.mu.Unlock()
		}
		return
	}
	name, _ := op.In.At("as").Text()
	number, ours := strings.CutPrefix(name, watcherPrefix)
	i, err := strconv.Atoi(number)
	from, asked := objects.ParseRevision(op.In.At("from"))
	next, told := objects.ParseRevision(op.Out.At("next"))
	if !ours || err != nil || i < 0 || i >= len(l.next) || !asked || !told {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// An answer that was long on its way may be of before the watcher went back.
	if l.next[i] == from && next > from {
		l.next[i] = next
	}
}

// request is a watch of a client, which goes back as many revisions first.
func (l *load) request(client int, back int64) objects.WatchRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.next[client] > 0:
		l.next[client] = max(l.next[client]-back, 1)
	case client < l.watchers:
		l.next[client] = 1
	default:
		l.next[client] = max(l.latest-readBack, 1)
	}
	return objects.WatchRequest{As: watcherPrefix + strconv.Itoa(client), From: l.next[client], Most: l.most, WaitMs: l.waitMs}
}

// Finals let every watcher catch up, and watch the last part of all that was written
// again, in pieces: through every node what came last, and what came before through one
// node each.
func (l *load) Finals() []workloads.Final {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []workloads.Final
	for i, next := range l.next {
		if next > 0 {
			all = append(all, finals(watcherPrefix+strconv.Itoa(i), next, l.latest, true, catchUp)...)
		}
	}
	last := max(l.latest-piece+1, 1)
	all = append(all, finals("last", last, l.latest, true, 1)...)
	return append(all, finals("all", 1, last-1, false, pieces)...)
}

// finals watch what was written from one revision to another, in pieces, last first.
func finals(as string, from, until int64, everyNode bool, most int) (all []workloads.Final) {
	for ; until >= from && len(all) < most; until -= piece {
		r := objects.WatchRequest{As: as, From: max(until-piece+1, from), Most: 2 * piece, WaitMs: finalWaitMs, Until: until}
		if len(all) > 0 {
			r.As = as + "-" + strconv.Itoa(len(all))
		}
		all = append(all, workloads.Final{Intent: watch(prefix, r), EveryNode: everyNode})
	}
	return all
}

// Recovery writes a key of the node's own and watches it.
func (l *load) Recovery(node string, attempt int) []workloads.Intent {
	key := "recovery-" + node
	return []workloads.Intent{
		{Func: history.Write, Key: key, In: history.Text(node + "-" + strconv.Itoa(attempt+1))},
		watch(key, objects.WatchRequest{As: key, From: 1, Most: 1, WaitMs: finalWaitMs / 2}),
	}
}

func watch(key string, r objects.WatchRequest) workloads.Intent {
	return workloads.Intent{Func: objects.Watch, Key: key, In: r.Data()}
}

// Client is the stream of client i.
func (l *load) Client(i int) workloads.Stream {
	return &stream{load: l, client: i, rng: rand.New(rand.NewPCG(l.seed, 0x7761746368^uint64(i))), values: workloads.NewUnique(i, len(l.next))}
}

// stream is one client's share of the load.
type stream struct {
	*load
	client int
	rng    *rand.Rand
	values workloads.Unique
}

// Next draws the next operation.
func (s *stream) Next(readOnly bool) workloads.Intent {
	writes := s.mix[0] + s.mix[1]
	most := writes
	if s.client < s.watchers {
		most += s.mix[2]
	}
	drawn := s.rng.IntN(most)
	if readOnly || drawn >= writes {
		back := int64(0)
		if s.rng.Float64() < s.goBack {
			back = 1 + s.rng.Int64N(backMost)
		}
		return watch(prefix, s.request(s.client, back))
	}
	first := s.rng.IntN(s.keys)
	if drawn < s.mix[0] {
		return workloads.Intent{Func: history.Write, Key: key(first), In: s.value()}
	}
	second := (first + 1 + s.rng.IntN(s.keys-1)) % s.keys
	return workloads.Intent{Func: objects.Txn, In: history.List(history.List(history.Text(key(first)), s.value()), history.List(history.Text(key(second)), s.value()))}
}

func key(i int) string { return prefix + strconv.Itoa(i) }

func (s *stream) value() history.Data { return history.Text(strconv.FormatInt(s.values.Next(), 10)) }
