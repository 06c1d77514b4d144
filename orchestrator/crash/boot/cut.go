package boot

import (
	"context"
	"fmt"
	"sync"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
)

// cut cuts the power of all nodes at one moment, and switches their machines on again. It says what that took, by node; nil where
// machines cannot tell what is synced: then all servers are killed, and what they wrote is there.
func (s *Site) cut(ctx context.Context) (lost map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	if !s.opts.Disk {
		return nil, s.each(ctx, func(ctx context.Context, one *server) error { return one.kill(ctx) })
	}
	lost = map[string]string{}
	var mu sync.Mutex
	err = s.each(ctx, func(ctx context.Context, one *server) error { // all disks first: it is one moment
		loss, err := one.agent.DiskCut(ctx, protocol.DiskCut{How: string(disk.SyncedOnly)})
		if err != nil {
			return fmt.Errorf("cut the disk of %s: %w", one.node.Name, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if lost[one.node.Name] = ""; loss.Writes+loss.Names > 0 {
			lost[one.node.Name] = loss.Text
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range s.servers {
		s.servers[i].unwatch()
	}
	return lost, s.restart(ctx)
}

// restart switches all machines off and on. Their agents are others then.
func (s *Site) restart(ctx context.Context) error {
	next := make([]*server, len(s.servers))
	at := map[*server]int{}
	for i, one := range s.servers {
		at[one] = i
	}
	err := s.each(ctx, func(ctx context.Context, one *server) error {
		if err := one.machine.Kill(ctx); err != nil {
			return fmt.Errorf("switch %s off: %w", one.node.Name, err)
		}
		_ = one.agent.Close()
		if err := one.machine.Start(ctx); err != nil {
			return fmt.Errorf("switch %s on: %w", one.node.Name, err)
		}
		other := newServer(one.node, one.machine)
		other.start = one.start
		next[at[one]] = other
		return other.found(ctx)
	})
	for i, other := range next {
		if other != nil {
			s.servers[i] = other
		}
	}
	return err
}

// found greets a machine that was switched on, and sees that its disk is what the power cut has left.
func (s *server) found(ctx context.Context) error {
	if err := s.greet(ctx); err != nil {
		return err
	}
	state, err := s.agent.DiskStatus(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look at the disk of %s: %w", s.node.Name, err)
	case state.Restored == nil:
		return fmt.Errorf("the disk of %s does not know of the power cut", s.node.Name)
	case state.Restored.Wrong != "":
		return fmt.Errorf("the disk of %s is not as the power cut has left it: %s", s.node.Name, state.Restored.Wrong)
	}
	return nil
}
