package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"squall/nodeimage/kv"
)

// runKV runs a node of the replicated map until SIGTERM or SIGINT, or until its
// storage fails.
func runKV(args []string) error {
	cfg, traceFD, trials, err := parseKV(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if traceFD > 0 {
		trace := os.NewFile(uintptr(traceFD), "trace")
		if _, err := trace.Stat(); err != nil {
			return fmt.Errorf("-trace-fd %d is not open: %w (0 means no trace)", traceFD, err)
		}
		defer trace.Close()
		cfg.Trace = trace
	}
	full, err := fullTrace()
	if err != nil {
		return err
	}
	if full != nil {
		defer full.Close()
		cfg.FullTrace = full
	}
	clock, release, err := kv.InheritedClock()
	if err != nil {
		return err
	}
	defer release()
	cfg.Clock = clock
	messages, releaseMessages, err := kv.InheritedMessageFaults()
	if err != nil {
		return err
	}
	defer releaseMessages()
	cfg.Messages = messages
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	server, err := kv.Start(cfg)
	if err != nil {
		return err
	}
	defer server.Stop()
	if trials {
		go server.Obey(os.Stdin)
	}
	select {
	case <-ctx.Done():
		return nil
	case <-server.Failed():
		return fmt.Errorf("node %d cannot go on: %w", cfg.ID, server.Err())
	}
}

// fullTraceEnv names the descriptor that version 2 of the trace is written to, where the
// test wants it.
const fullTraceEnv = "SQUALL_TRACE2_FD"

// fullTrace opens that descriptor; nil where nobody asks for it.
func fullTrace() (*os.File, error) {
	text := os.Getenv(fullTraceEnv)
	if text == "" {
		return nil, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd <= 2 {
		return nil, fmt.Errorf("%s=%q is not a file descriptor", fullTraceEnv, text)
	}
	file := os.NewFile(uintptr(fd), "full trace")
	if _, err := file.Stat(); err != nil {
		return nil, fmt.Errorf("%s=%d is not open: %w", fullTraceEnv, fd, err)
	}
	return file, nil
}

// parseKV reads the flags of the kv command.
func parseKV(args []string, stderr io.Writer) (cfg kv.Config, traceFD int, trials bool, err error) {
	flags := flag.NewFlagSet("squall-node kv", flag.ContinueOnError)
	flags.SetOutput(stderr)
	id := flags.Uint64("id", 0, "this node's `id`, from 1; required")
	peers := flags.String("peers", "", "every member, this one included: `1=host,2=host:port,…`; required")
	flags.StringVar(&cfg.DataDir, "data", "", "`directory` of log and snapshots; required")
	flags.StringVar(&cfg.Cluster, "cluster", "squall", "the cluster's `name`; nodes with another one are refused")
	listen := flags.String("listen", "", "`host` to listen on (default: every address)")
	clientPort := flags.Int("client-port", kv.DefaultClientPort, "port for clients")
	peerPort := flags.Int("peer-port", kv.DefaultPeerPort, "port for the other nodes, here and where -peers names none")
	httpPort := flags.Int("http-port", kv.DefaultHTTPPort, "port of the HTTP page; 0: none")
	flags.IntVar(&traceFD, "trace-fd", 0, "file `descriptor` that the trace is written to; 0: none")
	flags.DurationVar(&cfg.Heartbeat, "heartbeat", 0, "leader's heartbeat interval (default 50ms)")
	flags.DurationVar(&cfg.ElectionMin, "election-min", 0, "shortest election timeout (default 300ms)")
	flags.DurationVar(&cfg.ElectionMax, "election-max", 0, "longest election timeout (default twice the shortest)")
	flags.Uint64Var(&cfg.SnapshotEvery, "snapshot-every", 10_000, "entries between two snapshots; 0: none")
	flags.Uint64Var(&cfg.SnapshotKeep, "snapshot-keep", 5_000, "entries kept in the log behind a snapshot")
	flags.IntVar(&cfg.SnapshotChunk, "snapshot-chunk", 0, "bytes of a snapshot in one message to another node, at most; 0: 256 KiB")
	flags.DurationVar(&cfg.SlowSnapshots, "slow-snapshots", 0, "what it takes at least to write a snapshot, to restore one, and to put one in the place of the log")
	flags.IntVar(&cfg.Sessions, "sessions", 0, "clients' sessions that are kept, the same on every node (default and most: "+strconv.Itoa(kv.MaxSessions)+")")
	flags.IntVar(&cfg.MaxBatchBytes, "max-batch", 0, "bytes of entries in one message to another node, at most; 0: 1 MiB")
	flags.IntVar(&cfg.MaxInflight, "max-inflight", 0, "messages with entries on their way to one node, at most; 0: 64")
	flags.Int64Var(&cfg.SegmentBytes, "segment", 0, "bytes of a file of the log after which the next one is begun; 0: 16 MiB")
	flags.DurationVar(&cfg.SlowDisk, "slow-disk", 0, "what a write to the log takes at least, beside its own time")
	flags.DurationVar(&cfg.RequestTimeout, "request-timeout", kv.DefaultRequestTimeout, "when a request's outcome is given up")
	flags.DurationVar(&cfg.LeaderWait, "leader-wait", 0, "how long a request waits for a leader; negative: not at all (default 200ms)")
	flags.Uint64Var(&cfg.Seed, "seed", 0, "seed of the election timeouts; 0: random")
	preVote := flags.Bool("pre-vote", true, "ask whether an election could be won before standing for it")
	sticky := flags.Bool("sticky-leader", true, "refuse votes against a leader that is still heard")
	var x kv.Experiment
	flags.DurationVar(&x.StartWait, "start-wait", 0, "after a start, wait for a leader from this to twice this; 0: an election timeout")
	flags.DurationVar(&x.DiskMin, "disk-min", 0, "what a write to the disk takes at least, beside its own time; see -disk-max")
	flags.DurationVar(&x.DiskMax, "disk-max", 0, "what it takes at most; not 0: no two writes at the same time, as in the Raft paper's servers")
	flags.BoolVar(&trials, "trials", false, "take orders of trials, which crash the node, on stdin")
	verbose := flags.Bool("v", false, "log connections and other details")
	if err := flags.Parse(args); err != nil {
		return cfg, 0, false, err
	}
	if flags.NArg() > 0 {
		return cfg, 0, false, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if traceFD < 0 {
		return cfg, 0, false, fmt.Errorf("-trace-fd is %d", traceFD)
	}
	cfg.ID, x.NoPreVote, x.NoStickiness = kv.NodeID(*id), !*preVote, !*sticky
	if trials || x != (kv.Experiment{}) {
		cfg.Experiment = &x
	}
	if cfg.Peers, err = parsePeers(*peers, *peerPort); err != nil {
		return cfg, 0, false, err
	}
	cfg.ClientAddr = net.JoinHostPort(*listen, strconv.Itoa(*clientPort))
	cfg.PeerAddr = net.JoinHostPort(*listen, strconv.Itoa(*peerPort))
	cfg.HTTPAddr = net.JoinHostPort(*listen, strconv.Itoa(*httpPort))
	if *httpPort == 0 {
		cfg.HTTPAddr = "off"
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	cfg.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	return cfg, traceFD, trials, nil
}

// parsePeers reads "1=host,2=host:port"; where the port is missing it is the
// default one.
func parsePeers(list string, defaultPort int) (map[kv.NodeID]string, error) {
	peers := make(map[kv.NodeID]string)
	for _, item := range strings.Split(list, ",") {
		name, addr, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok || addr == "" {
			return nil, fmt.Errorf("-peers: %q is not of the form 1=198.18.0.11", item)
		}
		id, err := strconv.ParseUint(name, 10, 64)
		if err != nil || id == 0 {
			return nil, fmt.Errorf("-peers: %q is not a node id; ids are numbers from 1", name)
		}
		if _, twice := peers[kv.NodeID(id)]; twice {
			return nil, fmt.Errorf("-peers: node %d is there twice", id)
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), strconv.Itoa(defaultPort))
		}
		peers[kv.NodeID(id)] = addr
	}
	return peers, nil
}
