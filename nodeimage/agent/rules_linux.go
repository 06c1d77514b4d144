package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/google/nftables/xt"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/shape"
)

const (
	tableName   = "squall"
	inputChain  = "input"
	outputChain = "output"
	earlyChain  = "early" // of what comes in, before connections are tracked
	// answerRoom is for the kernel's answers to one transaction, in bytes.
	answerRoom = 4 << 20
)

// rule is one rule of ours. Its name is kept beside it in the kernel, so that it
// is known again.
type rule struct {
	name  string
	chain string
	exprs []expr.Any
}

// ruleCount is the kernel's counter of a rule.
type ruleCount struct{ packets, bytes uint64 }

func squallTable() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
}

func openRules() (*nftables.Conn, error) {
	// Where the system does not allow the room, the usual has to do.
	room := nftables.WithSockOptions(func(c *netlink.Conn) error { _ = c.SetReadBuffer(answerRoom); return nil })
	conn, err := nftables.New(room)
	if err != nil {
		return nil, fmt.Errorf("opening nftables: %w", err)
	}
	return conn, nil
}

// setRules makes the kernel have these rules and no others of ours, in one
// transaction: no packet meets a half of it. Rules that are there already are
// left alone, with their counters.
func setRules(want []rule) error {
	conn, err := openRules()
	if err != nil {
		return err
	}
	have, err := listRules(conn)
	if err != nil {
		return err
	}
	if len(want) == 0 {
		// To delete what may not be there is an error; so it is made first.
		conn.AddTable(squallTable())
		conn.DelTable(squallTable())
		return commit(conn, want)
	}
	table := conn.AddTable(squallTable())
	chains := addChains(conn, table)
	wanted := map[string]bool{}
	for _, r := range want {
		wanted[r.name] = true
	}
	for name, old := range have {
		if wanted[name] {
			continue
		}
		if err := conn.DelRule(old); err != nil {
			return fmt.Errorf("removing the packet rule %q: %w", name, err)
		}
	}
	for _, r := range want {
		if have[r.name] == nil {
			conn.AddRule(&nftables.Rule{
				Table:    table,
				Chain:    chains[r.chain],
				Exprs:    r.exprs,
				UserData: userdata.AppendString(nil, userdata.TypeComment, r.name),
			})
		}
	}
	return commit(conn, want)
}

// ourChains are where our rules are.
func ourChains() []string { return []string{earlyChain, inputChain, outputChain} }

// addChains makes the chains; those that are there stay as they are.
func addChains(conn *nftables.Conn, table *nftables.Table) map[string]*nftables.Chain {
	accept := nftables.ChainPolicyAccept
	chains := map[string]*nftables.Chain{}
	for _, name := range ourChains() {
		hook, priority := nftables.ChainHookInput, nftables.ChainPriorityFilter
		switch name {
		case earlyChain:
			hook, priority = nftables.ChainHookPrerouting, nftables.ChainPriorityRaw
		case outputChain:
			hook = nftables.ChainHookOutput
		}
		chains[name] = conn.AddChain(&nftables.Chain{
			Table:    table,
			Name:     name,
			Type:     nftables.ChainTypeFilter,
			Hooknum:  hook,
			Priority: priority,
			Policy:   &accept,
		})
	}
	return chains
}

// commit carries a transaction out. When the kernel's answers to it found no
// room, what is there now tells whether it was.
func commit(conn *nftables.Conn, want []rule) error {
	err := conn.Flush()
	if errors.Is(err, unix.ENOBUFS) {
		if same(want) {
			return nil
		}
	}
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("setting packet rules: %w: the machine lacks the capability NET_ADMIN", err)
	}
	if err != nil {
		return fmt.Errorf("setting packet rules: %w", err)
	}
	return nil
}

func same(want []rule) bool {
	conn, err := openRules()
	if err != nil {
		return false
	}
	have, err := listRules(conn)
	if err != nil || len(have) != len(want) {
		return false
	}
	return !slices.ContainsFunc(want, func(r rule) bool { return have[r.name] == nil })
}

// listRules reads our rules from the kernel, by name. A rule of somebody else in
// this table is an error, since it would be a fault unaccounted for.
func listRules(conn *nftables.Conn) (map[string]*nftables.Rule, error) {
	table := squallTable()
	// Without the table, to list its rules is an error of many faces; so look
	// for the table first.
	tables, err := conn.ListTablesOfFamily(table.Family)
	if err != nil {
		return nil, fmt.Errorf("listing packet rules: %w", err)
	}
	found := map[string]*nftables.Rule{}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == tableName }) {
		return found, nil
	}
	for _, chain := range ourChains() {
		rules, err := conn.GetRules(table, &nftables.Chain{Table: table, Name: chain})
		if err != nil {
			return nil, fmt.Errorf("listing packet rules: %w", err)
		}
		for _, r := range rules {
			name, ok := userdata.GetString(r.UserData, userdata.TypeComment)
			if !ok || found[name] != nil {
				return nil, fmt.Errorf("reading packet rules back: a rule in %s %s is not the agent's (comment %q)", tableName, chain, name)
			}
			r.Table, r.Chain = table, &nftables.Chain{Table: table, Name: chain}
			found[name] = r
		}
	}
	return found, nil
}

// readCounts is what each of our rules has counted.
func readCounts() (map[string]ruleCount, error) {
	conn, err := openRules()
	if err != nil {
		return nil, err
	}
	rules, err := listRules(conn)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]ruleCount, len(rules))
	for name, r := range rules {
		var c ruleCount
		for _, e := range r.Exprs {
			if counter, ok := e.(*expr.Counter); ok {
				c = ruleCount{counter.Packets, counter.Bytes}
			}
		}
		counts[name] = c
	}
	return counts, nil
}

// Where a packet's addresses begin, in bytes after the network header.
const (
	sourceOffset4 = 12
	sourceOffset6 = 8
	destOffset4   = 16
	destOffset6   = 24
)

// isFrom and isTo match the packets of an address.
func isFrom(a netip.Addr) []expr.Any { return hasAddr(a, sourceOffset4, sourceOffset6) }
func isTo(a netip.Addr) []expr.Any   { return hasAddr(a, destOffset4, destOffset6) }

func hasAddr(a netip.Addr, offset4, offset6 uint32) []expr.Any {
	family, offset := byte(unix.NFPROTO_IPV4), offset4
	if a.Is6() {
		family, offset = unix.NFPROTO_IPV6, offset6
	}
	raw := a.AsSlice()
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(raw))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: raw},
	}
}

// isProtocol matches, by op, the transport protocol.
func isProtocol(op expr.CmpOp, proto byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: op, Register: 1, Data: []byte{proto}},
	}
}

// isNoReset matches TCP segments but resets.
func isNoReset() []expr.Any {
	const flagsOffset, rst = 13, 0x04
	return append(isProtocol(expr.CmpOpEq, unix.IPPROTO_TCP),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: flagsOffset, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{rst}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0}})
}

// isNeighbourTalk matches what finds a neighbour's link address in IPv6.
func isNeighbourTalk() []expr.Any {
	const first, last = 133, 137
	return append(isProtocol(expr.CmpOpEq, unix.IPPROTO_ICMPV6),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: []byte{first}},
		&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: []byte{last}})
}

// isMarked matches what the shaper sends by itself.
func isMarked() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(shape.Mark)},
	}
}

// toQueue hands packets to the shaper, or lets them pass when it is not there.
// Native kernels have a queue of nftables' own; others that of iptables.
func toQueue(native bool) expr.Any {
	if native {
		return &expr.Queue{Num: shape.QueueNumber, Flag: expr.QueueFlagBypass}
	}
	const bypass, revision = 1, 3
	info := binaryutil.NativeEndian.PutUint16(shape.QueueNumber)
	info = append(info, binaryutil.NativeEndian.PutUint16(1)...) // one queue
	info = append(info, binaryutil.NativeEndian.PutUint16(bypass)...)
	info = append(info, 0, 0) // aligned to 8
	unknown := xt.Unknown(info)
	return &expr.Target{Name: "NFQUEUE", Rev: revision, Info: &unknown}
}
