package agent

import (
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

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
	// Disk says whether a file system of squall's lies on the data directory.
	Disk DiskOptions
	// Server is what every server is held to. The zero value is no more than
	// that it has no capabilities.
	Server ServerRules
}

// DiskOptions say whether a file system of squall's lies on the servers' data
// directory (package agent/disk). For that the agent needs CAP_SYS_ADMIN, which it gives up, and /dev/fuse.
type DiskOptions struct {
	On      bool
	Journal int64 // bytes of the journal, at most; 0: none
}

// ServerRules are what a server is held to in a machine of its own. Where a
// machine does not let all of it be, the agent says so in its Hello.
type ServerRules struct {
	UIDs      []int  // its user and group, by number: the first that there is; none: the agent's
	Processes int    // that its user may have at once, threads included; 0: any number
	DataDir   string // becomes the server's; "": none
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

// ParseOptions are the options that the flags of an agent give. In, Out and Log
// are left to the caller. A program that stands for squall-node in tests calls it
// too, so that it takes what squall-node takes. Usage goes to standard error.
func ParseOptions(args []string) (Options, error) {
	var opts Options
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.Func("server-uids", "users of the servers, by number: the first that there is", func(list string) (err error) {
		opts.Server.UIDs, err = parseUIDs(list)
		return err
	})
	flags.IntVar(&opts.Server.Processes, "server-processes", 0, "how many processes and threads the servers' user may have")
	flags.StringVar(&opts.Server.DataDir, "data", "", "directory that becomes the servers'")
	flags.BoolVar(&opts.Disk.On, "disk", false, "lay a file system of squall's on the data directory")
	flags.Int64Var(&opts.Disk.Journal, "disk-journal", 0, "bytes of that file system's journal, at most")
	if err := flags.Parse(args); err != nil {
		return Options{}, fmt.Errorf("read the flags of the agent: %w", err)
	}
	return opts, nil
}

// parseUIDs reads numbers with commas between them.
func parseUIDs(list string) (uids []int, err error) {
	for word := range strings.SplitSeq(list, ",") {
		uid, err := strconv.ParseUint(word, 10, 31)
		if err != nil || uid == 0 {
			return nil, fmt.Errorf("user %q: a number above 0 is wanted", word)
		}
		uids = append(uids, int(uid))
	}
	return uids, nil
}
