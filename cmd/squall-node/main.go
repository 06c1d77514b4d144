// Command squall-node is the one program inside every machine: the agent that
// is process 1 there, the servers and the driver that the agent starts, and
// the go-between through which it starts them. It is not meant for people.
package main

import (
	"fmt"
	"os"
	"strings"
)

// Exit statuses of the program's own.
const (
	exitFailed = 1
	exitUsage  = 64
)

// command is a sub-command and what it is for.
type command struct {
	name string
	help string
	run  func(args []string) error
}

func commands() []command {
	return []command{
		{"agent", "process 1 of a machine, commanded over stdin and stdout", runAgent},
		{"hub", "holds the machines of a cluster without Docker", runHub},
		{"machine", "how a machine of a hub begins", runMachine},
		{"exec", "give up all capabilities and become another program", runExec},
		{"squeeze", "the agent's helper: uses up processors or memory", runSqueeze},
		{"disk", "the agent's helper: a file system on the data directory", runDisk},
		{"kv", "the replicated key-value server", runKV},
		{"driver", "the clients: runs a workload against the cluster", runDriver},
		{"idle", "a server that does nothing, to try a machine with", runIdle},
	}
}

func main() {
	if len(os.Args) > 1 {
		for _, c := range commands() {
			if c.name == os.Args[1] {
				if err := c.run(os.Args[2:]); err != nil {
					fmt.Fprintf(os.Stderr, "squall-node %s: %v\n", c.name, err)
					os.Exit(exitFailed)
				}
				return
			}
		}
	}
	fmt.Fprint(os.Stderr, usage())
	os.Exit(exitUsage)
}

func usage() string {
	var b strings.Builder
	b.WriteString("usage: squall-node COMMAND [ARGUMENTS]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-8s %s\n", c.name, c.help)
	}
	return b.String()
}
