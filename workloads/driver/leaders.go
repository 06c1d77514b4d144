package driver

import (
	"context"
	"slices"
	"sync"
	"time"
)

// leadersEvery is how often nodes are asked who leads.
const leadersEvery = 250 * time.Millisecond

// watchLeaders asks all nodes who leads, as long as ctx lasts, and tells of each
// change; "" is nobody.
func watchLeaders(ctx context.Context, links [][]*link, patience time.Duration, tell func(leader string)) {
	tick := time.NewTicker(leadersEvery)
	defer tick.Stop()
	known := ""
	for {
		if leader := observedLeader(ctx, links, patience, known); ctx.Err() == nil && leader != known {
			known = leader
			tell(leader)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// observedLeader is whom most of the nodes that answer take for the leader: one that
// was cut off may still name itself. Of two that are named equally often it is the
// one that was known before, if it is one of them, and else nobody.
func observedLeader(ctx context.Context, links [][]*link, patience time.Duration, known string) string {
	said := make([]string, len(links))
	var nodes sync.WaitGroup
	for i, conns := range links {
		nodes.Go(func() { said[i] = askLeader(ctx, conns[0], patience) })
	}
	nodes.Wait()
	for i, name := range said {
		if !slices.ContainsFunc(links, func(conns []*link) bool { return conns[0].node.Name == name }) {
			said[i] = "" // no node has that name
		}
	}
	return mostNamed(said, known)
}

func mostNamed(said []string, known string) string {
	votes := map[string]int{}
	most := 0
	for _, name := range said {
		if name != "" {
			votes[name]++
			most = max(most, votes[name])
		}
	}
	leader, tied := "", false
	for name, n := range votes {
		switch {
		case n < most:
		case name == known:
			return known
		default:
			leader, tied = name, leader != ""
		}
	}
	if tied {
		return ""
	}
	return leader
}
