package nemesis

import (
	"fmt"
	"slices"
	"strings"
)

// Claim is what a fault takes for itself while it is in force: what it holds,
// and of which nodes. Without names it may be of any node: who plays a role, or
// comes first in a random order, is not for its neighbours to know.
type Claim struct {
	Fault Fault
	Nodes []string
}

// Claim is that of a planned fault.
func (p Planned) Claim(f Fault) Claim { return Claim{f, p.Nodes} }

// Meets reports whether two faults must not be in force at once, because neither
// could prove that it takes effect, or is gone: they hold the same resource, of a node
// that both may hit, or one that is the whole cluster's.
func (c Claim) Meets(other Claim) bool {
	apart := len(c.Nodes) > 0 && len(other.Nodes) > 0 &&
		!slices.ContainsFunc(c.Nodes, func(node string) bool { return slices.Contains(other.Nodes, node) })
	for _, r := range c.Fault.Holds {
		if slices.Contains(other.Fault.Holds, r) && !(apart && r.PerNode()) {
			return true
		}
	}
	return false
}

// Fits reports whether a variant means anything in a cluster of n nodes.
func (f Fault) Fits(v Variant, n int) bool { return n >= max(f.MinNodes, v.MinNodes) }

// Within refuses a choice that a cluster of these nodes cannot have. Else it
// returns the variants to draw from, without those that mean nothing there.
func (c Choice) Within(nodes []string) ([]Variant, error) {
	if n := len(nodes); n < c.Fault.MinNodes {
		return nil, c.tooSmall(c.Fault.Name, c.Fault.MinNodes, n)
	}
	for _, node := range c.Nodes {
		if !slices.Contains(nodes, node) {
			return nil, fmt.Errorf("fault %v: there is no node %s in a test of %d nodes: name one of %s, or add nodes",
				c, node, len(nodes), strings.Join(nodes, ", "))
		}
	}
	if left := len(nodes) - len(c.Nodes); len(c.Nodes) > 0 {
		if left < c.Fault.Outside {
			return nil, fmt.Errorf("fault %v: these are all the nodes, and none is left to cut them off from: name fewer", c)
		}
		return nil, nil
	}
	var fit []Variant
	least := 0
	for _, v := range c.Variants {
		if c.Fault.Fits(v, len(nodes)) {
			fit = append(fit, v)
		} else if least == 0 || v.MinNodes < least {
			least = v.MinNodes
		}
	}
	if len(fit) == 0 {
		return nil, c.tooSmall(c.String(), least, len(nodes))
	}
	return fit, nil
}

// tooSmall says what a cluster is too small for, and what to do.
func (c Choice) tooSmall(what string, least, n int) error {
	return fmt.Errorf("fault %s needs at least %d nodes, and the test has %d: set nodes to %d or more, "+
		"or choose faults that fewer nodes can have, such as kill,pause", what, least, n, least)
}
