package boot

import (
	"context"
	"fmt"
	"sync"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
	"squall/orchestrator/crash"
	"squall/orchestrator/machines"
	"squall/workloads/systems"
)

// keptOutput is how much of the end of a server's output is kept, bytes.
const keptOutput = 16 << 10

// server is a machine with a server. It is the handler of what its agent sends.
type server struct {
	node    systems.Node
	machine machines.Machine
	agent   *protocol.Client
	start   systems.Start

	mu     sync.Mutex
	boot   int // that runs, or ran last
	output []byte
	ended  *crash.Ended // the server of this boot ended; nil: it runs
	notice func()       // called when it ends
}

var _ protocol.Handler = (*server)(nil)

// Stream keeps the end of the server's output.
func (s *server) Stream(id protocol.StreamID, boot int, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != protocol.StreamLog || boot < s.boot {
		return
	}
	s.output = append(s.output, data...)
	if extra := len(s.output) - keptOutput; extra > 0 {
		s.output = append(s.output[:0], s.output[extra:]...)
	}
}

// Event takes the server's end.
func (s *server) Event(e protocol.Event) {
	if e.Kind != protocol.EventExit {
		return
	}
	s.mu.Lock()
	notice := s.notice
	if e.Boot < s.boot || notice == nil { // it was killed, or one before it was
		s.mu.Unlock()
		return
	}
	s.ended = &crash.Ended{Node: s.node.Name, Reason: e.Reason, Output: string(s.output)}
	s.mu.Unlock()
	notice()
}

// newServer is that of a machine that was just made or switched on.
func newServer(node systems.Node, machine machines.Machine) *server {
	s := &server{node: node, machine: machine}
	s.agent = protocol.NewClient(machine.Control(), s)
	return s
}

func (s *server) greet(ctx context.Context) error {
	if _, err := s.agent.Hello(ctx); err != nil {
		return fmt.Errorf("greet the machine %s: %w", s.node.Name, err)
	}
	return nil
}

// unwatch has nobody told of the server's end, which will not be its own.
func (s *server) unwatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notice = nil
}

func (s *server) kill(ctx context.Context) error {
	s.unwatch()
	if _, err := s.agent.Kill(ctx); err != nil {
		return fmt.Errorf("kill the server of %s: %w", s.node.Name, err)
	}
	return nil
}

// lay kills the server, and puts an image in the place of its data. settle: squall's file system is to take it for durable.
func (s *server) lay(ctx context.Context, img *disk.Image, settle bool) error {
	if err := s.kill(ctx); err != nil {
		return err
	}
	if _, err := s.agent.Wipe(ctx); err != nil {
		return fmt.Errorf("empty the disk of %s: %w", s.node.Name, err)
	}
	p := packer{send: func(entries []protocol.LayEntry) error { return s.agent.Lay(ctx, entries) }}
	if err := p.image(img); err != nil {
		return fmt.Errorf("lay out the disk of %s: %w", s.node.Name, err)
	}
	if !settle {
		return nil
	}
	if err := s.agent.DiskSettle(ctx); err != nil {
		return fmt.Errorf("settle the disk of %s: %w", s.node.Name, err)
	}
	return nil
}

// run starts the server. notice is called if it ends.
func (s *server) run(ctx context.Context, notice func()) error {
	s.mu.Lock()
	s.boot++ // what comes of it comes with that number, and may come before the answer
	s.output, s.ended, s.notice = nil, nil, notice
	s.mu.Unlock()
	info, err := s.agent.Start(ctx, protocol.StartSpec{Argv: s.start.Argv, Env: s.start.Env, Dir: s.start.Dir})
	if err != nil {
		return fmt.Errorf("start the server of %s: %w", s.node.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boot = info.Boot
	return nil
}

// end is how the server ended by itself; nil: it did not.
func (s *server) end() *crash.Ended {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}
