package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

const (
	tableName = "squall"
	chainName = "input"
	// maxDropped bounds how many sources one machine drops. The kernel answers
	// for each rule, and all answers of a transaction must fit its buffer.
	maxDropped = 128
)

func squallTable() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
}

// setDropped makes the kernel drop what comes in from these addresses, and
// from no others. It is one transaction: no packet meets a half of it.
func setDropped(from []netip.Addr) error {
	from, err := cleanAddrs(from)
	if err != nil {
		return err
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("opening nftables: %w", err)
	}
	// To delete what may not be there is an error; so it is made first.
	conn.AddTable(squallTable())
	conn.DelTable(squallTable())
	if len(from) > 0 {
		table := conn.AddTable(squallTable())
		accept := nftables.ChainPolicyAccept
		chain := conn.AddChain(&nftables.Chain{
			Table:    table,
			Name:     chainName,
			Type:     nftables.ChainTypeFilter,
			Hooknum:  nftables.ChainHookInput,
			Priority: nftables.ChainPriorityFilter,
			Policy:   &accept,
		})
		for _, addr := range from {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: dropRule(addr)})
		}
	}
	if err := conn.Flush(); err != nil {
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("setting packet rules: %w: the machine lacks the capability NET_ADMIN", err)
		}
		return fmt.Errorf("setting packet rules: %w", err)
	}
	return nil
}

// cleanAddrs returns the addresses sorted and each once, those of IPv4 in
// their own form.
func cleanAddrs(addrs []netip.Addr) ([]netip.Addr, error) {
	clean := make([]netip.Addr, 0, len(addrs))
	for _, a := range addrs {
		a = a.Unmap()
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.Zone() != "" {
			return nil, fmt.Errorf("cannot drop packets from %q: not the address of one machine", a)
		}
		clean = append(clean, a)
	}
	slices.SortFunc(clean, netip.Addr.Compare)
	clean = slices.Compact(clean)
	if len(clean) > maxDropped {
		return nil, fmt.Errorf("cannot drop packets from %d addresses, at most from %d", len(clean), maxDropped)
	}
	return clean, nil
}

// Where a packet's source address begins, in bytes after the network header.
const (
	sourceOffset4 = 12
	sourceOffset6 = 8
)

// dropRule is: family is addr's, and source is addr: count and drop.
func dropRule(addr netip.Addr) []expr.Any {
	family, offset := byte(unix.NFPROTO_IPV4), uint32(sourceOffset4)
	if addr.Is6() {
		family, offset = unix.NFPROTO_IPV6, sourceOffset6
	}
	raw := addr.AsSlice()
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{
			DestRegister: 1,
			Base:         expr.PayloadBaseNetworkHeader,
			Offset:       offset,
			Len:          uint32(len(raw)),
		},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: raw},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}

// dropped reads back from the kernel what setDropped has set.
func dropped() ([]protocol.Dropped, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("opening nftables: %w", err)
	}
	table := squallTable()
	// Without the table, to list its rules is an error of many faces; so look
	// for the table first.
	tables, err := conn.ListTablesOfFamily(table.Family)
	if err != nil {
		return nil, fmt.Errorf("listing packet rules: %w", err)
	}
	found := []protocol.Dropped{}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == tableName }) {
		return found, nil
	}
	rules, err := conn.GetRules(table, &nftables.Chain{Table: table, Name: chainName})
	if err != nil {
		return nil, fmt.Errorf("listing packet rules: %w", err)
	}
	for _, rule := range rules {
		d, err := parseRule(rule.Exprs)
		if err != nil {
			return nil, fmt.Errorf("reading packet rules back: %w", err)
		}
		found = append(found, d)
	}
	slices.SortFunc(found, func(a, b protocol.Dropped) int { return a.Addr.Compare(b.Addr) })
	return found, nil
}

// parseRule is the inverse of dropRule. Anything that is not such a rule is an
// error, since a rule of somebody else in this table is a fault unaccounted for.
func parseRule(exprs []expr.Any) (protocol.Dropped, error) {
	var d protocol.Dropped
	drops := false
	for _, e := range exprs {
		switch e := e.(type) {
		case *expr.Cmp:
			if len(e.Data) == 1 {
				continue // the family
			}
			addr, ok := netip.AddrFromSlice(e.Data)
			if !ok || e.Op != expr.CmpOpEq {
				return d, fmt.Errorf("a rule compares with %x", e.Data)
			}
			d.Addr = addr
		case *expr.Counter:
			d.Packets, d.Bytes = e.Packets, e.Bytes
		case *expr.Verdict:
			drops = e.Kind == expr.VerdictDrop
		}
	}
	if !d.Addr.IsValid() || !drops {
		return d, errors.New("a rule does not drop the packets of one source")
	}
	return d, nil
}
