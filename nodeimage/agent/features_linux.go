package agent

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/agent/shape"
)

// features tries everything that packets can be done to, in the kernel.
func (n *network) features() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	nobody := netip.MustParseAddr("192.0.2.1") // for examples: no machine has it
	cut := rule{"", inputChain, cutRules(protocol.Cut{From: nobody})[0].exprs}
	reject := rule{"", inputChain, cutRules(protocol.Cut{From: nobody, Reject: true})[0].exprs}
	return map[string]string{
		protocol.FeatureCut:    whyNot(tryRule(cut), "the host's kernel needs nf_tables (module nf_tables)"),
		protocol.FeatureReject: whyNot(tryRule(reject), "the host's kernel needs nft_reject_inet: load that module"),
		protocol.FeatureQueue: whyNot(errors.Join(tryQueueRule(), shape.TryQueue()),
			"the host's kernel needs nft_queue, or nft_compat with xt_NFQUEUE, and nfnetlink_queue: load these modules"),
		protocol.FeatureNetem: whyNot(shape.TryNetem(), "shaping goes through NFQUEUE meanwhile"),
		protocol.FeatureRaw:   whyNot(shape.TryRaw(), "give the machine the capability NET_RAW"),
	}
}

// whyNot is "" for what worked, else the error and what would fix it.
func whyNot(err error, fix string) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return fmt.Sprintf("%v: give the machine the capabilities NET_ADMIN and NET_RAW", err)
	default:
		return fmt.Sprintf("%v: %s", err, fix)
	}
}

func tryQueueRule() error {
	err := tryRule(rule{"", outputChain, append(isTo(netip.MustParseAddr("192.0.2.1")), toQueue(true))})
	if err == nil {
		return nil
	}
	if tryRule(rule{"", outputChain, append(isTo(netip.MustParseAddr("192.0.2.1")), toQueue(false))}) == nil {
		return nil
	}
	return err
}

// tryRule makes a rule in a table of its own and takes both away.
func tryRule(r rule) error {
	conn, err := openRules()
	if err != nil {
		return err
	}
	table := conn.AddTable(&nftables.Table{Name: tableName + "-try", Family: nftables.TableFamilyINet})
	conn.AddRule(&nftables.Rule{Table: table, Chain: addChains(conn, table)[r.chain], Exprs: r.exprs})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("making a packet rule: %w", err)
	}
	conn.DelTable(table)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("removing a packet rule: %w", err)
	}
	return nil
}
