//go:build unix

package programtest

import (
	"os/exec"
	"syscall"
	"testing"
)

// Server is a server that runs until the test ends.
type Server struct{ cmd *exec.Cmd }

// StartServer starts a server.
func StartServer(t *testing.T, argv []string) *Server {
	t.Helper()
	s := &Server{exec.Command(argv[0], argv[1:]...)}
	endWithTest(s.cmd)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

// Stop has it stand still: when Stop returns, none of its threads runs.
func (s *Server) Stop(t *testing.T) {
	t.Helper()
	var status syscall.WaitStatus
	err := s.cmd.Process.Signal(syscall.SIGSTOP)
	for err == nil && !status.Stopped() {
		if _, err = syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err == syscall.EINTR {
			err = nil
		}
		if status.Exited() || status.Signaled() {
			t.Fatal("the server has ended")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Continue has it go on.
func (s *Server) Continue() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// Kill ends it. It may have ended.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
