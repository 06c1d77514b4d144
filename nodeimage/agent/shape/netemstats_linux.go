package shape

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// counts is what the kernel tells of each netem.
func (n *netem) counts() ([]protocol.ShapeCount, error) {
	if len(n.branches) == 0 {
		return nil, nil
	}
	all, err := queueStats()
	if err != nil {
		return nil, fmt.Errorf("listing queueing disciplines: %w", err)
	}
	var counts []protocol.ShapeCount
	for to, b := range n.branches {
		st, ok := all[leaf{b.iface, b.leaf()}]
		if !ok {
			return nil, fmt.Errorf("the netem to %v is gone: something else has removed it", to)
		}
		counts = append(counts, protocol.ShapeCount{
			To: to, Engine: protocol.EngineNetem,
			Held: uint64(st[0]), Lost: uint64(st[2]), Reordered: uint64(st[3]),
		})
	}
	return counts, nil
}

// leaf names a queueing discipline.
type leaf struct {
	iface  int
	handle uint32
}

// queueStats is struct gnet_stats_queue of every queueing discipline: length,
// bytes, drops, requeues (with netem: sent at once), overlimits.
func queueStats() (map[leaf][5]uint32, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETQDISC, unix.NLM_F_DUMP)
	req.AddData(&nl.TcMsg{Family: nl.FAMILY_ALL})
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWQDISC)
	if err != nil {
		return nil, err
	}
	all := map[leaf][5]uint32{}
	for _, m := range answers {
		msg := nl.DeserializeTcMsg(m)
		at := leaf{int(msg.Ifindex), msg.Handle}
		stats := attrNamed(attrNamed(m[msg.Len():], nl.TCA_STATS2), nl.TCA_STATS_QUEUE)
		var st [5]uint32
		for i := range st {
			if len(stats) >= 4*(i+1) {
				st[i] = binary.NativeEndian.Uint32(stats[4*i:])
			}
		}
		all[at] = st
	}
	return all, nil
}

// attrNamed is the value of an attribute, nil if there is none.
func attrNamed(b []byte, kind uint16) []byte {
	for len(b) >= attrHead {
		n := int(binary.NativeEndian.Uint16(b))
		if n < attrHead || n > len(b) {
			return nil
		}
		if binary.NativeEndian.Uint16(b[2:])&^nested == kind {
			return b[attrHead:n]
		}
		b = b[min(len(b), (n+3)&^3):]
	}
	return nil
}
