package agent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"squall/nodeimage/agent/protocol"
)

// A refusal gets through a link that is shaped, also where the kernel tracks
// connections, as it does in Docker's containers.
func TestRejectOnShapedLinkInNamespace(t *testing.T) {
	inWorld(t, func() {
		hosts := newWorld(t, 2)
		a, b := hosts[0], hosts[1]
		for _, h := range hosts {
			h.inside(t, trackConnections)
		}
		const delay = 20 * time.Millisecond
		a.net(t, nil, protocol.Shape{To: b.addr, Delay: delay})
		b.net(t, nil, protocol.Shape{To: a.addr, Delay: delay})
		to := []netip.AddrPort{netip.AddrPortFrom(b.addr, protocol.ProbePort)}
		if errs, err := a.Connect(t.Context(), to, 2*time.Second); err != nil || errs[0] != "" {
			t.Fatalf("before: %v, %q", err, errs)
		}
		a.net(t, []protocol.Cut{{From: b.addr, Reject: true}}, protocol.Shape{To: b.addr, Delay: delay})
		b.net(t, []protocol.Cut{{From: a.addr, Reject: true}}, protocol.Shape{To: a.addr, Delay: delay})
		begin := time.Now()
		errs, err := a.Connect(t.Context(), to, 2*time.Second)
		if err != nil || !strings.Contains(errs[0], "refused") || time.Since(begin) < 2*delay {
			t.Errorf("after %v: %v, %q; want that it is refused, not before %v", time.Since(begin), err, errs, 2*delay)
		}
	})
}

// trackConnections makes the kernel track the connections of this network
// namespace: any rule that asks for a connection's state does.
func trackConnections() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Name: "tracking", Family: nftables.TableFamilyIPv4})
	for name, hook := range map[string]*nftables.ChainHook{"in": nftables.ChainHookInput, "out": nftables.ChainHookOutput} {
		chain := conn.AddChain(&nftables.Chain{Table: table, Name: name, Type: nftables.ChainTypeFilter,
			Hooknum: hook, Priority: nftables.ChainPriorityMangle})
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Ct{Key: expr.CtKeySTATE, Register: 1}, &expr.Counter{}}})
	}
	return conn.Flush()
}
