package agent

import (
	"bytes"
	"encoding/json"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"

	"squall/nodeimage/agent/protocol"
)

// FuzzRequests reads requests as the agent does, and looks at their parameters
// as their methods do before they touch anything.
func FuzzRequests(f *testing.F) {
	for method, params := range map[string]any{
		protocol.MethodStart:     protocol.StartSpec{Argv: []string{"/squall-node", "kv"}, Clock: true},
		protocol.MethodNet:       protocol.NetState{Cut: []protocol.Cut{{From: netip.MustParseAddr("198.18.0.1"), Reject: true}}, Shape: []protocol.Shape{{To: netip.MustParseAddr("fd00::1"), Delay: 1e6}}},
		protocol.MethodFlowSend:  protocol.FlowSpec{To: []netip.Addr{netip.MustParseAddr("198.18.0.1")}, Port: 4199, Count: 3},
		protocol.MethodClockBend: protocol.ClockBend{Offset: 1e9, Rate: 2},
		protocol.MethodSpin:      protocol.SpinParams{For: 1e9, Threads: 2},
		protocol.MethodHog:       protocol.HogSpec{Bytes: 1 << 20, ServerFirst: true},
	} {
		text, err := json.Marshal(params)
		must(f, err)
		text, err = json.Marshal(protocol.Request{ID: 7, Method: method, Params: text})
		must(f, err)
		frame, err := protocol.AppendFrame(nil, protocol.KindRequest, text)
		must(f, err)
		f.Add(protocol.AppendCredit(frame, 3))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		for {
			req, credit, err := nextRequest(r)
			if err != nil {
				return
			}
			if credit < 0 || credit > protocol.Window {
				t.Errorf("credit for %d frames", credit)
			}
			if req != nil {
				look(t, *req)
			}
		}
	})
}

// look reads the parameters of a request, and makes of them what needs no kernel.
func look(t *testing.T, req protocol.Request) {
	if state, err := params[protocol.NetState](req); err == nil && state.Validate() == nil {
		state = state.Canonical()
		n := network{}
		for _, r := range n.rules(state, []netip.Addr{}, []netip.Addr{}) {
			if r.name == "" || len(r.exprs) == 0 {
				t.Errorf("an empty rule for %+v", state)
			}
		}
	}
	if spec, err := params[protocol.FlowSpec](req); err == nil && checkFlow(&spec) == nil {
		if len(spec.To)*spec.Count > protocol.MaxFlowTotal {
			t.Errorf("a flow that is too long: %+v", spec)
		}
	}
	if bend, err := params[protocol.ClockBend](req); err == nil && bend.Validate() == nil {
		if l := bend.Line(protocol.ClockBend{}, protocol.TrueClock, 1); math.IsNaN(l.Rate) {
			t.Errorf("a clock at no rate: %+v", bend)
		}
	}
	// These have their bounds looked at when they are carried out.
	_, _ = params[protocol.StartSpec](req)
	_, _ = params[protocol.ConnectParams](req)
	_, _ = params[protocol.HogSpec](req)
}

// FuzzDatagram gives the agent's port what anybody on the network can send.
func FuzzDatagram(f *testing.F) {
	whole := make([]byte, protocol.MinFlowSize)
	sealFlow(whole, 7, 1, 2)
	echo := make([]byte, echoSize)
	sealFlow(echo, 7, 1, 2)
	for _, datagram := range [][]byte{whole, echo, append([]byte(probeMagic), "12345678"...), whole[:len(whole)-1], {}} {
		f.Add(datagram, datagram)
	}
	machine := netip.MustParseAddr("198.18.0.1")
	f.Fuzz(func(t *testing.T, first, second []byte) {
		out := &flowOut{done: make(chan struct{}), sending: true, left: 1, targets: map[netip.Addr]*flowTarget{machine: {sent: 1}}}
		p := &prober{udp: &net.UDPConn{}, sending: map[uint64]*flowOut{7: out}} // a socket that is not open: no echo is sent
		for _, datagram := range [][]byte{first, second, first} {
			p.take(datagram, netip.AddrPortFrom(machine, 1), 3)
		}
		if len(p.heard) > 2 || len(p.flows) > 2 {
			t.Errorf("two datagrams are %d probes and %d flows", len(p.heard), len(p.flows))
		}
		if len(out.targets[machine].rtts) > 2 {
			t.Errorf("two datagrams are %d echoes", len(out.targets[machine].rtts))
		}
		for _, flow := range p.flows {
			p.flowsHeard(flow.nonce) // must not panic
		}
	})
}

// FuzzLineAnswer is what a server says on a line to it.
func FuzzLineAnswer(f *testing.F) {
	for _, line := range []string{"ok 1 17", "ok 1 -17", "error 3 no clock", "ok", "error 1", "ok 18446744073709551616 0", "ok 2 3 120/31 88/0"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		id, answer, err := clockKind.parse(line)
		if err == nil && !strings.HasPrefix(line, "ok ") && !strings.HasPrefix(line, "error ") {
			t.Errorf("%q is taken for an answer to %d: %+v", line, id, answer)
		}
		counts, err := protocol.ParseMessageCounts(answer.said)
		if rules := strings.Count(answer.said, " "); err == nil && (len(counts.Rules) != rules || rules > protocol.MaxMessageRules) {
			t.Errorf("%q is taken for the counts %+v", answer.said, counts)
		}
	})
}
