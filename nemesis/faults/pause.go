package faults

import (
	"fmt"

	"squall/history"
	"squall/nemesis"
)

// pause stops servers with SIGSTOP: for the others they are gone, for
// themselves no time passes.
func pause() nemesis.Fault {
	a := acting{do: nemesis.Node.Pause, undo: nemesis.Node.Resume, hurt: paused, well: resumed}
	return nemesis.Fault{
		Name:     "pause",
		Kind:     history.KindProcess,
		Doc:      "servers are stopped by SIGSTOP and continued by SIGCONT",
		Variants: targets(),
		Holds:    []nemesis.Resource{nemesis.HoldServers},
		MinNodes: 1,
		Inject:   a.inject,
		Undo:     a.heal,
	}
}

// A server that has crashed can be neither paused nor resumed. It is no less
// away, and the check of crashes tells of it.
func paused(p nemesis.Process) (string, bool)  { return inState(p), !p.Running || p.State == "T" }
func resumed(p nemesis.Process) (string, bool) { return inState(p), !p.Running || p.State != "T" }

func inState(p nemesis.Process) string {
	if !p.Running {
		return "no process: it had ended by itself: " + p.Exit
	}
	return fmt.Sprintf("process %d is in state %s", p.PID, p.State)
}
