package orchestrator

import (
	"fmt"
	"strings"

	"squall/history"
	"squall/nodeimage/agent/protocol"
)

// signalKilled is how a server ends that SIGKILL ended: squall's, somebody else's,
// or the kernel's because memory had run out.
const signalKilled = "signal: killed"

// outsideSignals are signals that a server does not send itself: somebody else
// did, as a supervisor or a person at a terminal does.
var outsideSignals = map[string]string{"signal: terminated": "SIGTERM", "signal: interrupt": "SIGINT", "signal: hangup": "SIGHUP"}

// endReason is why a server ended, for the history: by squall's doing, by somebody
// else's, or by its own, in the agent's words.
func (n *node) endReason(e protocol.Event) string {
	why := n.expectedEnd(e.Boot)
	killed := e.Reason == signalKilled
	if why == "" && n.diskHurt.Load() {
		why = history.ReasonDisk
	}
	if why == history.ReasonDisk && killed {
		why = "" // no disk does that
	}
	if why == history.ReasonRemoved && crash(e.Reason) {
		why = "" // a server that leaves ends by itself, and in order
	}
	switch {
	case why != "" && (why != history.ReasonOOM || killed):
		return why
	case killed && !e.OOM:
		return history.ReasonOutside
	case killed && n.squeezed.Load():
		return history.ReasonOOM
	case killed && n.memory > 0:
		return history.ReasonOwnLimit
	case killed:
		return history.OutsideBy("SIGKILL by the kernel: the host was out of memory")
	}
	for text, signal := range outsideSignals {
		// The agent may have added the last line of the log.
		if e.Reason == text || strings.HasPrefix(e.Reason, text+": ") {
			return history.OutsideBy(signal)
		}
	}
	return e.Reason
}

// crash reports whether a server did not end in order: by a signal, or as a program in Go
// does that panics.
func crash(reason string) bool {
	const panicked = "exit status 2"
	return strings.HasPrefix(reason, "signal: ") || reason == panicked || strings.HasPrefix(reason, panicked+":")
}

// invalidEnd says, for people, why an end from outside makes the test invalid, and
// what to do about it. memory is the machine's limit in bytes; 0: none.
func invalidEnd(e history.NodeEvent, memory int64) error {
	if e.Reason == history.ReasonOwnLimit {
		return fmt.Errorf("the server of %s was killed by the kernel: it needed more than its limit of %d MiB; give it more (--memory)",
			e.Node, memory>>20)
	}
	return fmt.Errorf("the server of %s was %s: neither squall nor the server did that; find out who did, and run the test again",
		e.Node, e.Reason)
}
