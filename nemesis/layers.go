package nemesis

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"squall/history"
)

// Layer is what one fault does to links.
type Layer struct {
	Cut   map[history.Link]bool // true: refused with a reset; false: silence
	Shape map[history.Link]Shaping
}

// LinkLayers merges what the faults in force do to links, and has each machine
// do its part of the whole. So two faults at once do not undo each other, and
// what a machine that was switched off has forgotten can be told to it again.
type LinkLayers struct {
	cluster Cluster

	mu     sync.Mutex
	layers map[int]Layer
	told   map[string]NetState // what each machine does, by node
}

// NewLinkLayers is for a cluster whose links are whole.
func NewLinkLayers(c Cluster) *LinkLayers {
	return &LinkLayers{cluster: c, layers: map[int]Layer{}, told: map[string]NetState{}}
}

// Set puts the layer of a fault in the place of the one before. It returns when
// every machine that is up does its part. The empty layer takes it away.
func (l *LinkLayers) Set(ctx context.Context, fault int, layer Layer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(layer.Cut) == 0 && len(layer.Shape) == 0 {
		delete(l.layers, fault)
	} else {
		l.layers[fault] = layer
	}
	return l.tell(ctx, false)
}

// Clear takes all layers away and tells every machine so, whatever it was told
// before.
func (l *LinkLayers) Clear(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.layers)
	return l.tell(ctx, true)
}

// Restore tells a machine that has forgotten it what it has to do.
func (l *LinkLayers) Restore(ctx context.Context, node Node) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.told, node.Name())
	want := l.states()[node.Name()]
	if reflect.DeepEqual(want, NetState{}) {
		return nil
	}
	if err := node.SetNet(ctx, want); err != nil {
		return fmt.Errorf("%s: set again what it does to packets: %w", node.Name(), err)
	}
	l.told[node.Name()] = want
	return nil
}

// tell is called with the lock held.
func (l *LinkLayers) tell(ctx context.Context, all bool) error {
	states := l.states()
	var mu sync.Mutex
	told := make(map[string]NetState, len(l.told))
	keep := func(node string, state NetState) {
		mu.Lock()
		defer mu.Unlock()
		told[node] = state
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range l.cluster.Nodes() {
		name, want := node.Name(), states[node.Name()]
		if !node.Up() {
			continue // what it forgot is told to it by Restore
		}
		if !all && reflect.DeepEqual(l.told[name], want) {
			keep(name, want)
			continue
		}
		group.Go(func() error {
			if err := node.SetNet(ctx, want); err != nil && node.Up() { // switched off meanwhile, it does nothing to packets
				return fmt.Errorf("%s: set what it does to packets: %w", name, err)
			}
			keep(name, want)
			return nil
		})
	}
	err := group.Wait()
	l.told = told // a machine that failed is told again next time
	return err
}

// states is what each machine has to do, all layers together.
func (l *LinkLayers) states() map[string]NetState {
	states := map[string]NetState{}
	cut, shape := l.merged()
	for link, reject := range cut {
		s := states[link.To]
		s.Cut = append(s.Cut, Cut{From: link.From, Reject: reject})
		states[link.To] = s
	}
	for link, shaping := range shape {
		s := states[link.From]
		s.Shape = append(s.Shape, Shape{To: link.To, Shaping: shaping})
		states[link.From] = s
	}
	for _, s := range states {
		slices.SortFunc(s.Cut, func(a, b Cut) int { return cmp.Compare(a.From, b.From) })
		slices.SortFunc(s.Shape, func(a, b Shape) int { return cmp.Compare(a.To, b.To) })
	}
	return states
}

// merged is what is done to each link. Of two faults that cut a link the later
// one says how; two that shape one exclude each other, see Packets.
func (l *LinkLayers) merged() (map[history.Link]bool, map[history.Link]Shaping) {
	cut, shape := map[history.Link]bool{}, map[history.Link]Shaping{}
	for _, id := range slices.Sorted(maps.Keys(l.layers)) {
		maps.Copy(cut, l.layers[id].Cut)
		maps.Copy(shape, l.layers[id].Shape)
	}
	return cut, shape
}

// CutNow are the links that are cut at this moment, by any fault.
func (l *LinkLayers) CutNow() map[history.Link]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	cut, _ := l.merged()
	return cut
}

// ShapedNow are the links whose packets some fault delays or loses, and how long
// one packet may be under way because of it.
func (l *LinkLayers) ShapedNow() (links map[history.Link]bool, flight time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	links = map[history.Link]bool{}
	_, shape := l.merged()
	for link, s := range shape {
		links[link] = true
		flight = max(flight, s.Delay+2*s.Jitter)
	}
	return links, flight
}
