package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"squall/nodeimage/agent/protocol"
)

// spinPatience is how much longer than it spins a helper may take to begin and
// to end: it is held to the machine's limit too.
const spinPatience = 30 * time.Second

// squeezer uses up what the machine has. It does so in helpers, processes of
// their own: the agent itself stays small, and answers.
type squeezer struct {
	server *supervisor

	hogging sync.Mutex // one hog at a time

	mu     sync.Mutex
	hogs   []*hog // the one that holds memory, or takes it, and its decoys
	closed bool
	marked *process // the server that is to be killed first
	before string   // its oom_score_adj before that
}

func (s *squeezer) perform(ctx context.Context, req protocol.Request) (any, error) {
	switch req.Method {
	case protocol.MethodSpin:
		p, err := params[protocol.SpinParams](req)
		if err != nil {
			return nil, err
		}
		return s.spin(ctx, p)
	case protocol.MethodHog:
		p, err := params[protocol.HogSpec](req)
		if err != nil {
			return nil, err
		}
		return s.takeMemory(ctx, p)
	default:
		return usage(cgroupRoot, selfCgroup), nil
	}
}

// spin has a helper keep processors busy.
func (s *squeezer) spin(ctx context.Context, p protocol.SpinParams) (protocol.SpinResult, error) {
	if p.For <= 0 || p.For > protocol.MaxSpin || p.Threads < 1 || p.Threads > protocol.MaxSpinThreads {
		return protocol.SpinResult{}, fmt.Errorf("%w: spin: %d threads for %v: from 1 to %d for %v at most are possible",
			errBadRequest, p.Threads, p.For, protocol.MaxSpinThreads, protocol.MaxSpin)
	}
	ctx, cancel := context.WithTimeout(ctx, p.For+spinPatience)
	defer cancel()
	var out, words bytes.Buffer
	cmd := s.server.helper(ctx, spinArg, p.For.String(), strconv.Itoa(p.Threads))
	cmd.Stdout, cmd.Stderr = &out, &words
	err := s.server.startHelper(cmd)
	if err == nil {
		err = s.server.waitHelper(cmd)
	}
	var cpu int64
	if err == nil {
		cpu, err = strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	}
	if err != nil {
		return protocol.SpinResult{}, fmt.Errorf("keeping processors busy: %w%s", err, said(&words))
	}
	return protocol.SpinResult{CPU: time.Duration(cpu)}, nil
}

// said is what a helper had to say for itself.
func said(words *bytes.Buffer) string {
	if text := lastLine(words.Bytes()); text != "" {
		return ": " + text
	}
	return ""
}

// helper is a command that runs Squeeze, without capabilities. It has the
// agent's user, so that no server can stop it.
func (s *supervisor) helper(ctx context.Context, args ...string) *exec.Cmd {
	var argv []string
	argv = append(argv, s.wrap...)
	argv = append(argv, "--", "/proc/self/exe", "squeeze")
	argv = append(argv, args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{}
	cmd.WaitDelay = time.Second
	return cmd
}

// startHelper starts a helper. Until waitHelper it is nobody else's to reap.
func (s *supervisor) startHelper(cmd *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errors.New("the agent is shutting down")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if s.helpers == nil {
		s.helpers = map[int]bool{}
	}
	s.helpers[cmd.Process.Pid] = true
	return nil
}

func (s *supervisor) waitHelper(cmd *exec.Cmd) error {
	err := cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.helpers, cmd.Process.Pid)
	return err
}
