package elections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"squall/history"
	"squall/history/elections"
	"squall/nemesis"
)

const (
	// tuneBroadcasts is how many broadcasts are measured at each step.
	tuneBroadcasts = 40
	// tuneSteps is how often the delay is set anew.
	tuneSteps = 3
	// tuneFor bounds one broadcast.
	tuneFor = 10 * time.Second
	// linksFault is what the delay of the links is called among the layers.
	linksFault = 1
)

// tuneLinks delays the links so that a broadcast takes as long as it is to take.
// A packet is late by anything from nothing to twice the mean: so is an answer
// that has to wait for a disk, and with a delay that is always the same, servers
// of nearly the same timeout would split the vote for ever.
func (x *experiment) tuneLinks(ctx context.Context) error {
	if x.what.Plain && x.what.Broadcast == 0 {
		return nil
	}
	x.progress.Phase("measuring broadcasts")
	calm := elections.Range{Min: 1000, Max: 2000, Heartbeat: 100}
	net := &x.record.Net
	var err error
	measure := func(disk *elections.Spread, into *elections.Sample) error {
		if err = x.restart(ctx, calm, disk); err == nil {
			*into, err = x.broadcasts(ctx)
		}
		return err
	}
	if err := measure(nil, &net.Bare); err != nil {
		return err
	}
	net.Target, net.Broadcast = elections.MillisOf(int64(x.what.Broadcast)), net.Bare
	if x.what.Disk != nil {
		if err := measure(x.what.Disk, &net.Broadcast); err != nil {
			return err
		}
	}
	if x.what.Broadcast == 0 {
		return nil
	}
	return x.tuneDelay(ctx, net.Broadcast.P50)
}

// tuneDelay sets the delay of the links; bare is what a broadcast takes without.
func (x *experiment) tuneDelay(ctx context.Context, bare elections.Millis) error {
	net := &x.record.Net
	if bare >= net.Target {
		return fmt.Errorf("a broadcast takes %.1f ms already without delays, but should take %v: ask for more with --broadcast, or 0 to leave the links alone",
			bare, x.what.Broadcast)
	}
	mean := (net.Target - bare) / 3 // there and back, of the slowest of four
	for range tuneSteps {
		net.OneWay = elections.Spread{Max: 2 * mean}
		err := x.delayLinks(ctx, mean.Duration())
		if err != nil {
			return err
		}
		if net.Broadcast, err = x.broadcasts(ctx); err != nil {
			return err
		}
		x.Log().Info("broadcasts", "oneWayMean", mean.Duration(), "median", net.Broadcast.P50.Duration())
		if off := net.Broadcast.P50/net.Target - 1; off > -0.04 && off < 0.04 {
			break
		}
		mean *= (net.Target - bare) / max(net.Broadcast.P50-bare, net.Target/10)
	}
	x.progress.Phase(fmt.Sprintf("a broadcast takes %.1f ms (%.1f ms without delays); each packet is %.1f ms late on average",
		net.Broadcast.P50, bare, net.OneWay.Mean()))
	return nil
}

// delayLinks delays every link between nodes.
func (x *experiment) delayLinks(ctx context.Context, mean time.Duration) error {
	layer := nemesis.Layer{Shape: map[history.Link]nemesis.Shaping{}}
	for _, from := range x.record.Nodes {
		for _, to := range x.record.Nodes {
			if from != to {
				layer.Shape[history.Link{From: from, To: to}] = nemesis.Shaping{
					Seed: x.rng.Uint64() >> 1, Delay: mean, Jitter: mean, Distribution: "uniform"}
			}
		}
	}
	if err := x.links.Set(ctx, linksFault, layer); err != nil {
		return fmt.Errorf("delay the links: %w", err)
	}
	return nil
}

// broadcasts measures how long a broadcast takes from the leader's sending an
// entry to when every other node has it on its disk.
func (x *experiment) broadcasts(ctx context.Context) (elections.Sample, error) {
	var took []elections.Millis
	for tries := 0; len(took) < tuneBroadcasts; tries++ {
		if tries > 2*tuneBroadcasts {
			return elections.Sample{}, errors.New("measure broadcasts: the leader is lost again and again")
		}
		if err := x.AwaitLeader(ctx, x.what.Limit); err != nil {
			return elections.Sample{}, err
		}
		x.watch.forget()
		server := x.Servers()[0]
		if leader, _ := x.Leader(); leader != "" {
			server = x.Server(leader)
		}
		if err := x.order(ctx, server, -1, nil); err != nil {
			return elections.Sample{}, err
		}
		ms, err := x.answer(ctx)
		if err != nil {
			return elections.Sample{}, fmt.Errorf("measure a broadcast: %w", err)
		}
		if ms > 0 {
			took = append(took, ms)
		}
	}
	return elections.SampleOf(took), nil
}

// answer waits for the end of a broadcast; 0 when it was refused.
func (x *experiment) answer(ctx context.Context) (took elections.Millis, err error) {
	wait, cancel := context.WithTimeout(ctx, tuneFor)
	defer cancel()
	err = x.watch.until(wait, func(events []history.NodeEvent) bool {
		var proposed int64
		for _, e := range events {
			switch {
			case e.Kind != history.EventTrial:
			case e.Reason == "proposed":
				proposed = e.Time
			case e.Reason == "answered":
				took = elections.MillisOf(e.Time - proposed)
				return true
			default:
				return true
			}
		}
		return false
	})
	return took, err
}
