// Command client carries out squall's operations on etcd, through etcd's own client.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	"squall.invalid/client/goclient"
)

func main() {
	s := settings{nodes: &nodes{}}
	reads := flag.String("reads", "linearizable", "linearizable, or serializable: from the state of the node alone")
	flag.DurationVar(&s.lease, "lease", time.Hour, "of the leases that locks are held with")
	streams := flag.String("watch-streams", "own", "own: each watch has a stream of etcd's to itself; shared: all of a connection share one")
	flag.StringVar(&s.transactions, "transactions", whole, "whole: one of etcd's; compared: reads, and then writes on the condition that nothing was changed; unchecked: without it")
	flag.Parse()
	s.sharedStreams = *streams == "shared"
	s.serializable = *reads == "serializable"
	err := goclient.Serve(requests(), os.Stdout, func(hello goclient.Hello) func(context.Context, goclient.Node) (goclient.Conn, error) {
		s.workload = hello.Workload
		return s.dial
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// requests is the standard input, read as connections are: a thread that waits for it
// alone would have to be woken for each request.
func requests() *os.File {
	if err := syscall.SetNonblock(0, true); err != nil {
		return os.Stdin
	}
	return os.NewFile(0, "stdin")
}

// settings are those of all connections.
type settings struct {
	workload     string
	serializable bool
	transactions string // whole, compared or unchecked
	// sharedStreams has all watches of a connection share a stream of etcd's.
	sharedStreams bool
	lease         time.Duration
	nodes         *nodes
}
