// Command etcd-raft is a small replicated key-value store on go.etcd.io/raft/v3: a log
// that is fsynced, snapshots, TCP between the nodes, HTTP for clients, and linearizable
// reads by ReadIndex.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// config is how a node is started.
type config struct {
	id            uint64
	peers         map[uint64]string // addresses for Raft by ID, the node's own too
	http          string            // address for clients
	data          string            // folder
	tick          time.Duration     // between two heartbeats; an election timeout is 10 to 20
	snapshotEvery uint64            // entries
}

func main() {
	log.SetFlags(log.Lmicroseconds)
	var c config
	var peers string
	flag.Uint64Var(&c.id, "id", 0, "this node's `number`, from 1")
	flag.StringVar(&peers, "peers", "", "all nodes, as `ID=HOST:PORT,…`")
	flag.StringVar(&c.http, "http", ":8080", "`address` for clients")
	flag.StringVar(&c.data, "data", "data", "`folder` of the log")
	flag.DurationVar(&c.tick, "tick", 30*time.Millisecond, "`time` between heartbeats; an election timeout is 10 to 20 of them")
	flag.Uint64Var(&c.snapshotEvery, "snapshot-every", 5000, "`entries` between two snapshots")
	flag.Parse()
	var err error
	if c.peers, err = parsePeers(peers); err == nil && c.peers[c.id] == "" {
		err = fmt.Errorf("-id %d is not among the -peers %q", c.id, peers)
	}
	if err == nil {
		err = run(c)
	}
	log.Fatal(err)
}

func parsePeers(text string) (map[uint64]string, error) {
	peers := map[uint64]string{}
	for _, peer := range strings.Split(text, ",") {
		id, addr, ok := strings.Cut(peer, "=")
		n, err := strconv.ParseUint(id, 10, 64)
		if !ok || err != nil || n == 0 {
			return nil, fmt.Errorf("-peers: %q is not ID=HOST:PORT", peer)
		}
		peers[n] = addr
	}
	return peers, nil
}

// run serves until something fails.
func run(c config) error {
	n, err := startNode(c)
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- n.run() }()
	go func() { failed <- n.transport.listen(n.receive) }()
	go func() { failed <- http.ListenAndServe(c.http, n.handler()) }()
	return errors.Join(errors.New("the node ends"), <-failed)
}
