// Command hashicorp is a small replicated key-value store on github.com/hashicorp/raft,
// with its own TCP transport, raft-boltdb for log and votes, and HTTP for clients. Nodes
// that do not lead forward to the leader.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// config is how a node is started.
type config struct {
	name     string
	servers  []raft.Server // of the cluster: a server's ID is its name
	httpPort string        // for clients, on all nodes
	// forwardPort is where nodes take what other nodes forward, on all nodes.
	forwardPort string
	data        string        // folder
	heartbeat   time.Duration // how long a follower does without a leader
	disk        time.Duration // what a write to the log or of a vote takes beside its own time
	snapshots   uint64        // entries between two
}

func main() {
	log.SetFlags(log.Lmicroseconds)
	var c config
	var peers string
	flag.StringVar(&c.name, "name", "", "this node's `name`")
	flag.StringVar(&peers, "peers", "", "all nodes, as `NAME=HOST:PORT,…`")
	flag.StringVar(&c.httpPort, "http-port", "8080", "`port` for clients, on all nodes")
	flag.StringVar(&c.forwardPort, "forward-port", "7001", "`port` for what other nodes forward, on all nodes")
	flag.StringVar(&c.data, "data", "data", "`folder` of log and snapshots")
	flag.DurationVar(&c.heartbeat, "heartbeat", 300*time.Millisecond, "`time` that a follower does without a leader before it stands for election")
	flag.DurationVar(&c.disk, "disk", 0, "`time` that each write to the disk takes beside its own, to see what slow disks do")
	flag.Uint64Var(&c.snapshots, "snapshot-every", 5000, "`entries` between two snapshots")
	flag.Parse()
	log.Fatal(run(c, peers))
}

// run serves until something fails.
func run(c config, peers string) error {
	var err error
	if c.servers, err = parsePeers(peers); err != nil {
		return err
	}
	own := slices.IndexFunc(c.servers, func(s raft.Server) bool { return string(s.ID) == c.name })
	if own < 0 {
		return fmt.Errorf("-name %s is not among the -peers %q", c.name, peers)
	}
	n, err := startNode(c, c.servers[own].Address)
	if err != nil {
		return err
	}
	forwarded, err := net.Listen("tcp", ":"+c.forwardPort)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- http.Serve(checkedListener{forwarded}, n.handler()) }()
	go func() { failed <- http.ListenAndServe(":"+c.httpPort, n.handler()) }()
	return <-failed
}

func parsePeers(text string) (servers []raft.Server, err error) {
	for _, peer := range strings.Split(text, ",") {
		name, addr, ok := strings.Cut(peer, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("-peers: %q is not NAME=HOST:PORT", peer)
		}
		servers = append(servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(addr)})
	}
	return servers, nil
}
