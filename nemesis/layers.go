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
	// Messages is what befalls the messages of a link, above its packets.
	Messages map[history.Link]MessageFault
}

// none reports whether the layer does nothing.
func (l Layer) none() bool { return len(l.Cut) == 0 && len(l.Shape) == 0 && len(l.Messages) == 0 }

// duty is what one machine has to do for the links.
type duty struct {
	net      NetState
	messages []MessageRule // sorted by sender
}

// tell has a node do its duty, as far as it does not do so already.
func (d duty) tell(ctx context.Context, node Node, before duty, all bool) error {
	if all || !reflect.DeepEqual(d.net, before.net) {
		if err := node.SetNet(ctx, d.net); err != nil {
			return fmt.Errorf("set what it does to packets: %w", err)
		}
	}
	if all || !slices.EqualFunc(d.messages, before.messages, MessageRule.equal) {
		if err := node.SetMessages(ctx, d.messages); err != nil {
			return fmt.Errorf("set what befalls its messages: %w", err)
		}
	}
	return nil
}

// LinkLayers merges what the faults in force do to links, and has each machine
// do its part of the whole. So two faults at once do not undo each other, and
// what a machine that was switched off has forgotten can be told to it again.
type LinkLayers struct {
	cluster Cluster

	mu     sync.Mutex
	layers map[int]Layer
	told   map[string]duty // what each machine does, by node
}

// NewLinkLayers is for a cluster whose links are whole.
func NewLinkLayers(c Cluster) *LinkLayers {
	return &LinkLayers{cluster: c, layers: map[int]Layer{}, told: map[string]duty{}}
}

// Set puts the layer of a fault in the place of the one before. It returns when
// every machine that is up does its part. The empty layer takes it away.
func (l *LinkLayers) Set(ctx context.Context, fault int, layer Layer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if layer.none() {
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
	want := l.duties()[node.Name()]
	if err := want.tell(ctx, node, duty{}, false); err != nil {
		return fmt.Errorf("%s was started again: %w", node.Name(), err)
	}
	l.told[node.Name()] = want
	return nil
}

// tell is called with the lock held.
func (l *LinkLayers) tell(ctx context.Context, all bool) error {
	duties := l.duties()
	var mu sync.Mutex
	told := make(map[string]duty, len(l.told))
	keep := func(node string, d duty) {
		mu.Lock()
		defer mu.Unlock()
		told[node] = d
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, node := range l.cluster.Nodes() {
		name, want, before := node.Name(), duties[node.Name()], l.told[node.Name()]
		if !node.Up() {
			continue // what it forgot is told to it by Restore
		}
		group.Go(func() error {
			if err := want.tell(ctx, node, before, all); err != nil && node.Up() { // switched off meanwhile, it does nothing
				return fmt.Errorf("%s: %w", name, err)
			}
			keep(name, want)
			return nil
		})
	}
	err := group.Wait()
	l.told = told // a machine that failed is told again next time
	return err
}

// duties is what each machine has to do, all layers together.
func (l *LinkLayers) duties() map[string]duty {
	duties := map[string]duty{}
	all := l.merged()
	for link, reject := range all.Cut {
		d := duties[link.To]
		d.net.Cut = append(d.net.Cut, Cut{From: link.From, Reject: reject})
		duties[link.To] = d
	}
	for link, shaping := range all.Shape {
		d := duties[link.From]
		d.net.Shape = append(d.net.Shape, Shape{To: link.To, Shaping: shaping})
		duties[link.From] = d
	}
	for link, fault := range all.Messages {
		d := duties[link.To]
		d.messages = append(d.messages, MessageRule{From: link.From, MessageFault: fault})
		duties[link.To] = d
	}
	for _, d := range duties {
		slices.SortFunc(d.net.Cut, func(a, b Cut) int { return cmp.Compare(a.From, b.From) })
		slices.SortFunc(d.net.Shape, func(a, b Shape) int { return cmp.Compare(a.To, b.To) })
		slices.SortFunc(d.messages, func(a, b MessageRule) int { return cmp.Compare(a.From, b.From) })
	}
	return duties
}

// merged is what is done to each link. Of two faults that cut a link the later
// one says how; two that shape one exclude each other, see HoldPackets, and so do
// two on its messages.
func (l *LinkLayers) merged() Layer {
	all := Layer{map[history.Link]bool{}, map[history.Link]Shaping{}, map[history.Link]MessageFault{}}
	for _, id := range slices.Sorted(maps.Keys(l.layers)) {
		maps.Copy(all.Cut, l.layers[id].Cut)
		maps.Copy(all.Shape, l.layers[id].Shape)
		maps.Copy(all.Messages, l.layers[id].Messages)
	}
	return all
}

// CutNow are the links that are cut at this moment, by any fault.
func (l *LinkLayers) CutNow() map[history.Link]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.merged().Cut
}

// ShapedNow are the links whose packets some fault delays or loses, and how long
// one packet may be under way because of it.
func (l *LinkLayers) ShapedNow() (links map[history.Link]bool, flight time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	links = map[history.Link]bool{}
	for link, s := range l.merged().Shape {
		links[link] = true
		flight = max(flight, s.Delay+2*s.Jitter)
	}
	return links, flight
}
