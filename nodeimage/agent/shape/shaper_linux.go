package shape

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// QueueNumber is the NFQUEUE of a machine. It is the machine's own: queues belong
// to a network namespace.
const QueueNumber = 4199

// Options says how to shape.
type Options struct {
	// Engine is the only engine to use, protocol.EngineNetem or EngineQueue.
	// With "" it is netem where it can do what is asked, else the queue.
	Engine string
	// NoRaw does without raw sockets, as on a machine that may not have any.
	NoRaw bool
}

// Rules puts in place, in one step, which addresses' packets go to the queue
// QueueNumber (but for those marked with Mark, and past it when nobody reads it),
// and which are only counted.
type Rules func(queued, counted []netip.Addr) error

// Shaper shapes what this network namespace sends. Its methods may be called
// from many goroutines.
type Shaper struct {
	opts Options

	mu     sync.Mutex
	placed map[netip.Addr]placed
	queue  *queue // nil while nothing needs it
	netem  *netem
	lacks  error // why there will be no netem: the kernel has none
}

// placed is a shape that holds.
type placed struct {
	shape protocol.Shape
	link  *link // nil: netem has it
}

// New is a shaper that shapes nothing yet.
func New(opts Options) *Shaper {
	return &Shaper{opts: opts, placed: map[netip.Addr]placed{}, netem: newNetem()}
}

// Set makes these the only shapes; they have been validated and are canonical.
// One that is as before goes on in its sequence. What is held for an address that
// is no more shaped as before goes out at once. When it fails, all is as before,
// but held packets may have gone out.
func (s *Shaper) Set(shapes []protocol.Shape, rules Rules) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.place(shapes)
	if err == nil {
		err = s.show(next)
	}
	if err == nil {
		err = rules(split(next))
	}
	if err != nil {
		return errors.Join(err, s.back())
	}
	for to, p := range s.placed {
		if now, ok := next[to]; p.link == nil && (!ok || now.link != nil) {
			err = errors.Join(err, s.netem.drop(to))
		}
	}
	s.placed = next
	s.rest()
	return err
}

// place decides which engine does what. What goes to netem is in force then.
func (s *Shaper) place(shapes []protocol.Shape) (map[netip.Addr]placed, error) {
	next := make(map[netip.Addr]placed, len(shapes))
	for _, sh := range shapes {
		if old, ok := s.placed[sh.To]; ok && reflect.DeepEqual(old.shape, sh) && !s.isBroken(old) {
			next[sh.To] = old
			continue
		}
		p := placed{shape: sh}
		if s.opts.Engine != protocol.EngineQueue {
			err := s.tryNetem(sh)
			if err == nil {
				next[sh.To] = p
				continue
			}
			if s.opts.Engine == protocol.EngineNetem {
				return next, err
			}
		}
		_, mtu, err := wayTo(sh.To)
		if err != nil {
			mtu = 0 // no packet goes there, so none has to be sent
		}
		p.link = newLink(sh, mtu)
		next[sh.To] = p
	}
	return next, nil
}

// isBroken says that a shape's engine has broken down.
func (s *Shaper) isBroken(p placed) bool { return p.link != nil && s.queue.isBroken() != nil }

func (s *Shaper) tryNetem(sh protocol.Shape) error {
	if why := netemCan(sh); why != "" {
		return fmt.Errorf("shaping packets to %v: %s", sh.To, why)
	}
	if s.lacks != nil {
		return s.lacks
	}
	err := s.netem.set(sh)
	if errors.Is(err, unix.ENOENT) {
		s.lacks = err // and is not asked again: it costs a tree each time
	}
	return err
}

// show gives the queue its links, and opens it when it is needed.
func (s *Shaper) show(next map[netip.Addr]placed) error {
	links := map[netip.Addr]*link{}
	doubles := false
	for to, p := range next {
		if p.link != nil {
			links[to] = p.link
			doubles = doubles || p.shape.Duplicate > 0
		}
	}
	if s.queue != nil && s.queue.isBroken() != nil {
		s.queue.close()
		s.queue = nil
	}
	if s.queue == nil && len(links) > 0 {
		q, err := openQueue(QueueNumber, !s.opts.NoRaw)
		if err != nil {
			return err
		}
		s.queue = q
	}
	if doubles && s.queue.sender == nil {
		return errors.New("duplicate: packets can only be sent twice with raw sockets, for which the machine needs the capability NET_RAW")
	}
	if s.queue != nil {
		s.queue.put(links)
	}
	return nil
}

// back undoes what a Set that failed has done so far.
func (s *Shaper) back() error {
	links := map[netip.Addr]*link{}
	var errs []error
	for to, p := range s.placed {
		if p.link != nil {
			links[to] = p.link
		} else if b, ok := s.netem.branches[to]; !ok || !reflect.DeepEqual(b.shape, p.shape) {
			errs = append(errs, s.netem.set(p.shape))
		}
	}
	for to := range s.netem.branches {
		if p, ok := s.placed[to]; !ok || p.link != nil {
			errs = append(errs, s.netem.drop(to))
		}
	}
	if s.queue != nil {
		s.queue.put(links)
	}
	s.rest()
	return errors.Join(errs...)
}

// rest closes the queue when nothing needs it.
func (s *Shaper) rest() {
	for _, p := range s.placed {
		if p.link != nil {
			return
		}
	}
	if s.queue != nil {
		s.queue.close()
		s.queue = nil
	}
}

func split(all map[netip.Addr]placed) (queued, counted []netip.Addr) {
	for to, p := range all {
		if p.link != nil {
			queued = append(queued, to)
		} else {
			counted = append(counted, to)
		}
	}
	slices.SortFunc(queued, netip.Addr.Compare)
	slices.SortFunc(counted, netip.Addr.Compare)
	return queued, counted
}

// Counts is what every shape did, sorted by address, and how many packets to any
// of them were lost because the queue was not read fast enough. Packets and Bytes
// of netem's are left 0: they are the rules' to count. An engine that broke down
// is an error.
func (s *Shaper) Counts() (counts []protocol.ShapeCount, overrun uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts, err = s.netem.counts()
	if s.queue != nil {
		more, queueErr := s.queue.counts()
		counts = append(counts, more...)
		err = errors.Join(err, queueErr)
		overrun = s.queue.overrun()
	}
	slices.SortFunc(counts, func(a, b protocol.ShapeCount) int {
		return cmp.Or(a.To.Compare(b.To), cmp.Compare(a.Engine, b.Engine))
	})
	return counts, overrun, err
}
