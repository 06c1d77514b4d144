package driver

import (
	"context"
	"math/rand/v2"
	"time"

	"squall/history"
	"squall/workloads/systems"
)

const (
	// resendOps is how many operations a client makes in one session before it registers
	// another one.
	resendOps = 50
	// resendMost is how often an operation is sent.
	resendMost = 8
	// resendAtOnce is one in how many operations that is sent through two nodes at the
	// same time, as by a client that lost patience at the worst moment.
	resendAtOnce = 32
	// resendPause is the shortest time before an operation is sent again.
	resendPause = 20 * time.Millisecond
)

// resender carries out a client's operations that change something in a session: what is
// not answered in time, or with an unknown outcome, it sends again, with the same number,
// through one node after the other. Such an operation is one in the history, takes effect
// once at most, and its outcome is known if any of its attempts tells it.
type resender struct {
	links    []*link // of all nodes, the client's own first
	rng      *rand.Rand
	patience time.Duration
	reads    func(history.Func) bool

	session systems.Session // nil: it has to be registered
	left    int             // operations until another one is
}

// newResender is the resender of a client, or nil where the client sends all once. Of the
// clients of a node the first one sends once, the second one again, and so on in turn: an
// operation that was sent again is that of the node that answered, so that of a node whose
// clients all do so nobody would see that it answers nothing that changes something.
func newResender(cfg Config, i int, links [][]*link) *resender {
	nodes := len(links)
	if !cfg.Resend || i/nodes%2 == 0 {
		return nil
	}
	s := &resender{patience: cfg.Patience, rng: rand.New(rand.NewPCG(cfg.Seed, 0x726573656e64^uint64(i)))}
	for k := range nodes {
		node := links[(i+k)%nodes]
		s.links = append(s.links, node[i/nodes%len(node)])
	}
	s.reads = s.links[0].work.Functions.Reads
	return s
}

// fresh is a resender of the same client with a session of its own.
func (s *resender) fresh() *resender {
	if s == nil {
		return nil
	}
	fresh := *s
	fresh.session, fresh.rng = nil, rand.New(rand.NewPCG(s.rng.Uint64(), s.rng.Uint64()))
	return &fresh
}

// takes reports whether it carries such an operation out. It registers a session if there
// is none; a system that does not answer that soon gets the operation without one.
func (s *resender) takes(ctx context.Context, f history.Func) bool {
	if s == nil || s.reads(f) {
		return false
	}
	if s.session != nil && s.left > 0 {
		s.left--
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	conn, err := s.links[0].get(ctx)
	if err != nil {
		return false
	}
	registrar, ok := conn.client.(systems.SessionClient)
	if !ok {
		return false
	}
	s.session, err = registrar.Register(ctx)
	if err != nil {
		s.session = nil
		return false
	}
	s.left = resendOps - 1
	return true
}

// tried is what came of an attempt.
type tried struct {
	op  history.Op
	err error
}

// sending is an operation under way.
type sending struct {
	*resender
	ctx     context.Context
	once    systems.Once
	op      history.Op // as it is sent
	answers chan tried
	sent    int
	pending int
	doubt   bool // an attempt ended that may have had an effect
	unknown bool // an attempt was told that the servers do not know the session
}

// perform is perform, of an operation that is sent again.
func (s *resender) perform(ctx context.Context, op *history.Op) {
	once := s.session.Begin()
	defer once.End()
	attempts, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &sending{resender: s, ctx: attempts, once: once, op: *op, answers: make(chan tried, resendMost)}
	wait := s.patience
	if s.rng.IntN(resendAtOnce) == 0 {
		wait = 0
	}
	o.send()
	last := o.run(ctx, wait)
	cancel()
	last = o.settle(last)
	// What came of it alone: others may look at what it is meanwhile.
	op.Return, op.Outcome, op.Out, op.Error = last.op.Return, last.op.Outcome, last.op.Out, last.op.Error
	if op.Outcome == history.OK { // or it stays its own node's: nobody's answer tells anything
		op.Node = last.op.Node
	}
	if o.unknown {
		s.session = nil
	}
}

// send makes one more attempt, through the next node.
func (o *sending) send() {
	l, op := o.links[o.sent%len(o.links)], o.op
	op.Node = l.node.Name
	o.sent++
	o.pending++
	go func() {
		err := attempt(o.ctx, l, o.once, &op)
		o.answers <- tried{op, err}
	}()
}

// run sends until an attempt has succeeded, all have certainly failed, it is of no use to
// send again, or ctx ends; and returns the last attempt that ended.
func (o *sending) run(ctx context.Context, wait time.Duration) (last tried) {
	again := time.NewTimer(wait)
	defer again.Stop()
	for {
		select {
		case last = <-o.answers:
			o.note(last)
			hopeless := o.pending == 0 && (!o.doubt || o.sent == resendMost)
			if last.op.Outcome == history.OK || hopeless || o.unknown || ctx.Err() != nil {
				return last
			}
			again.Reset(resendPause)
		case <-again.C:
			if o.sent == resendMost {
				continue
			}
			o.send()
			wait = max(2*wait, o.patience)
			again.Reset(wait)
		}
	}
}

// note counts an attempt that ended.
func (o *sending) note(t tried) {
	o.pending--
	o.doubt = o.doubt || t.op.Outcome == history.Info
	o.unknown = o.unknown || systems.Forgotten(t.err)
}

// settle waits for the attempts still under way, which were told to end, and returns what
// came of the operation. A success counts whenever it comes. Without one it is what the
// last one came to that was not told to end, for the others say no more than that they
// were; and nothing is certain unless all attempts are.
func (o *sending) settle(last tried) tried {
	for o.pending > 0 {
		t := <-o.answers
		o.note(t)
		switch {
		case last.op.Outcome == history.OK:
		case t.op.Outcome == history.OK:
			last = t
		default:
			last.op.Return = max(last.op.Return, t.op.Return)
		}
	}
	if last.op.Outcome == history.Fail && o.doubt {
		last.op.Outcome = history.Info
	}
	return last
}
