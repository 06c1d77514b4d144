// Package catalogue lists what squall knows: systems and workloads.
package catalogue

import (
	"fmt"
	"strings"

	"squall/internal/declare"
	"squall/workloads/systems"
	"squall/workloads/systems/etcd"
	"squall/workloads/systems/nats"
	"squall/workloads/systems/raftkv"
)

// Systems lists the systems that squall knows, in the order in which it shows them.
// The first is the default.
func Systems() []systems.System {
	return []systems.System{
		raftkv.System{},
		etcd.System{},
		nats.System{},
	}
}

// FindSystem returns the system of that name.
func FindSystem(name string) (systems.System, error) {
	var names []string
	for _, s := range Systems() {
		if s.Name() == name {
			return s, nil
		}
		names = append(names, s.Name())
	}
	return nil, fmt.Errorf("no system is called %q; there is: %s", name, strings.Join(names, ", "))
}

// SystemDeclarations are the systems with their parameters, as they are called:
// raftkv(heartbeat=50ms).
func SystemDeclarations() []declare.Declaration {
	var all []declare.Declaration
	for _, s := range Systems() {
		all = append(all, systems.Declaration(s))
	}
	return all
}
