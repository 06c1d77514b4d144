package agent

import (
	"io"

	"squall/nodeimage/agent/protocol"
)

// Options says where an agent finds what it needs. In, Out and Log must be
// given.
type Options struct {
	In  io.ReadCloser // requests; its end is the agent's end
	Out io.Writer     // replies, streams and events
	Log io.Writer     // diagnostics, for people
	// Wrap is put before the argv of a server: the command that runs Exec.
	// Empty is /proc/self/exe exec, which fits squall-node.
	Wrap []string
	// ProbePort is the UDP and TCP port for probes, 0 for
	// protocol.ProbePort. An agent outside a machine of its own takes another.
	ProbePort uint16
	// Shaper is the only engine that may shape packets, protocol.EngineNetem or
	// protocol.EngineQueue; "" is whichever can do it, netem first.
	Shaper string
}

func (o Options) withDefaults() Options {
	if len(o.Wrap) == 0 {
		o.Wrap = []string{"/proc/self/exe", "exec"}
	}
	if o.ProbePort == 0 {
		o.ProbePort = protocol.ProbePort
	}
	return o
}
