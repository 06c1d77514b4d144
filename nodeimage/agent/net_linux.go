package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/agent/shape"
)

// network is what the machine does to packets.
type network struct {
	mu     sync.Mutex
	shaper *shape.Shaper
	state  protocol.NetState // what holds
	// compat says that this kernel has no queue expression of nftables' own.
	compat bool
}

func newNetwork(engine string) *network {
	return &network{shaper: shape.New(shape.Options{Engine: engine})}
}

// set makes a state hold, and nothing else.
func (n *network) set(state protocol.NetState) error {
	if err := state.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	state = state.Canonical()
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.shaper.Set(state.Shape, func(queued, counted []netip.Addr) error {
		err := setRules(n.rules(state, queued, counted))
		if err == nil || len(queued) == 0 || n.compat {
			return err
		}
		n.compat = true
		if again := setRules(n.rules(state, queued, counted)); again != nil {
			n.compat = false
			return fmt.Errorf("%w (and with the queue of iptables: %w)", err, again)
		}
		return nil
	})
	if err == nil {
		n.state = state
	}
	return err
}

// clear lets all packets pass again. An agent that never did anything to packets
// needs no right to.
func (n *network) clear() error {
	n.mu.Lock()
	idle := len(n.state.Cut)+len(n.state.Shape) == 0
	n.mu.Unlock()
	if idle {
		return nil
	}
	return n.set(protocol.NetState{})
}

// rules are the kernel's rules for a state.
func (n *network) rules(state protocol.NetState, queued, counted []netip.Addr) []rule {
	if len(state.Cut)+len(queued)+len(counted) == 0 {
		return nil
	}
	accept := &expr.Verdict{Kind: expr.VerdictAccept}
	rules := []rule{
		{"neighbours in", inputChain, append(isNeighbourTalk(), accept)},
		{"neighbours out", outputChain, append(isNeighbourTalk(), accept)},
		{"shaped", outputChain, append(isMarked(), accept)},
	}
	for _, c := range state.Cut {
		rules = append(rules, cutRules(c)...)
	}
	for _, to := range queued {
		rules = append(rules, rule{queueName(to), outputChain,
			append(isTo(to), &expr.Counter{}, toQueue(!n.compat))})
	}
	for _, to := range counted {
		rules = append(rules, rule{netemName(to, state), outputChain, append(isTo(to), &expr.Counter{})})
	}
	return rules
}

// cutRules keep an address out.
func cutRules(c protocol.Cut) []rule {
	drop := &expr.Verdict{Kind: expr.VerdictDrop}
	if !c.Reject {
		return []rule{{dropName(c.From), inputChain, append(isFrom(c.From), &expr.Counter{}, drop)}}
	}
	reset := append(isFrom(c.From), isNoReset()...)
	reset = append(reset, &expr.Counter{}, &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
	// A reset belongs to the connection of what it answers. Where connections are
	// tracked, as in Docker's containers, one that is new is unknown as soon as
	// its first packet is refused, and a packet queue throws such resets away.
	untracked := append(isFrom(c.From), &expr.Notrack{})
	other := append(isFrom(c.From), isProtocol(expr.CmpOpNeq, unix.IPPROTO_TCP)...)
	return []rule{
		{"untracked " + c.From.String(), earlyChain, untracked},
		{resetName(c.From), inputChain, reset},
		{otherName(c.From), inputChain, append(other, &expr.Counter{}, drop)},
	}
}

// The names of the rules.
func dropName(a netip.Addr) string  { return "drop " + a.String() }
func resetName(a netip.Addr) string { return "reset " + a.String() }
func otherName(a netip.Addr) string { return "drop all but TCP of " + a.String() }
func queueName(a netip.Addr) string { return "queue to " + a.String() }

// netemName is another when the shape is: its counter begins anew then.
func netemName(a netip.Addr, state protocol.NetState) string {
	i := slices.IndexFunc(state.Shape, func(s protocol.Shape) bool { return s.To == a })
	text, err := json.Marshal(state.Shape[i])
	if err != nil { // there is nothing in it that JSON does not know
		return "netem to " + a.String()
	}
	return fmt.Sprintf("netem to %v %x", a, crc32.ChecksumIEEE(text))
}

// counters reads back what holds, and what it did. That a rule is missing is an
// error: the fault is not there any more.
func (n *network) counters() (protocol.NetCounters, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all protocol.NetCounters
	counts, err := readCounts()
	if err != nil {
		return all, err
	}
	var missing []string
	count := func(name string) ruleCount {
		c, ok := counts[name]
		if !ok {
			missing = append(missing, name)
		}
		return c
	}
	for _, c := range n.state.Cut {
		sum := protocol.CutCount{From: c.From, Reject: c.Reject}
		names := []string{dropName(c.From)}
		if c.Reject {
			names = []string{resetName(c.From), otherName(c.From)}
		}
		for _, name := range names {
			sum.Packets += count(name).packets
			sum.Bytes += count(name).bytes
		}
		all.Cut = append(all.Cut, sum)
	}
	slices.SortFunc(all.Cut, func(a, b protocol.CutCount) int { return a.From.Compare(b.From) })
	all.Shape, all.QueueOverrun, err = n.shaper.Counts()
	for i := range all.Shape {
		s := &all.Shape[i]
		if s.Engine == protocol.EngineNetem {
			c := count(netemName(s.To, n.state))
			s.Packets, s.Bytes = c.packets, c.bytes
		} else {
			count(queueName(s.To))
		}
	}
	if len(missing) > 0 {
		err = errors.Join(err, fmt.Errorf("packet rules are gone that the agent has set: %q: something else has removed them", missing))
	}
	return all, err
}
