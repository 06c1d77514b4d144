package main

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/kv"
)

func TestParseKV(t *testing.T) {
	var stderr bytes.Buffer
	cfg, traceFD, _, err := parseKV(strings.Fields("-id 2 -peers 1=198.18.0.11,2=n2:9000,3=[::1] -data /data "+
		"-client-port 5000 -listen 127.0.0.1 -http-port 0 -trace-fd 3 -heartbeat 20ms -snapshot-every 0"), &stderr)
	if err != nil {
		t.Fatal(err)
	}
	wantPeers := map[kv.NodeID]string{1: "198.18.0.11:4101", 2: "n2:9000", 3: "[::1]:4101"}
	if cfg.ID != 2 || !maps.Equal(cfg.Peers, wantPeers) || cfg.DataDir != "/data" || traceFD != 3 {
		t.Errorf("%+v, trace to %d", cfg, traceFD)
	}
	if cfg.ClientAddr != "127.0.0.1:5000" || cfg.PeerAddr != "127.0.0.1:4101" || cfg.HTTPAddr != "off" {
		t.Errorf("listens at %q, %q, %q", cfg.ClientAddr, cfg.PeerAddr, cfg.HTTPAddr)
	}
	if cfg.Heartbeat != 20*time.Millisecond || cfg.SnapshotEvery != 0 || cfg.SnapshotKeep == 0 {
		t.Errorf("%+v", cfg)
	}
}

func TestParseKVOfATrial(t *testing.T) {
	var stderr bytes.Buffer
	cfg, _, trials, err := parseKV(strings.Fields("-id 1 -peers 1=a -data /data -trials -pre-vote=false -sticky-leader=false -start-wait 1s -disk-min 1ms -disk-max 6ms"), &stderr)
	want := kv.Experiment{NoPreVote: true, NoStickiness: true, StartWait: time.Second, DiskMin: time.Millisecond, DiskMax: 6 * time.Millisecond}
	if err != nil || !trials || cfg.Experiment == nil || *cfg.Experiment != want {
		t.Errorf("%+v, trials %v, %v", cfg, trials, err)
	}
	cfg, _, trials, err = parseKV(strings.Fields("-id 1 -peers 1=a -data /data -trials"), &stderr)
	if err != nil || !trials || cfg.Experiment == nil || *cfg.Experiment != (kv.Experiment{}) {
		t.Errorf("with trials alone: %+v, trials %v, %v", cfg, trials, err)
	}
	cfg, _, trials, err = parseKV(strings.Fields("-id 1 -peers 1=a -data /data"), &stderr)
	if err != nil || trials || cfg.Experiment != nil {
		t.Errorf("where nothing is asked for: %+v, trials %v, %v", cfg, trials, err)
	}
}

func TestParseKVRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-id 1 -data d", "-peers"},
		{"-id 1 -data d -peers 198.18.0.11", "1=198.18.0.11"},
		{"-id 1 -data d -peers 0=a", "not a node id"},
		{"-id 1 -data d -peers x=a", "not a node id"},
		{"-id 1 -data d -peers 1=a,1=b", "twice"},
		{"-id 1 -data d -peers 1=a,", "not of the form"},
		{"-id 1 -data d -peers 1=a more", "more"},
		{"-id 1 -data d -peers 1=a -trace-fd -1", "-trace-fd"},
		{"-id one", "one"},
	} {
		var stderr bytes.Buffer
		_, _, _, err := parseKV(strings.Fields(c.args), &stderr)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something about %q", c.args, err, c.want)
		}
	}
	if err := runKV(strings.Fields("-id 1 -data d -peers 1=a -trace-fd 987")); err == nil || !strings.Contains(err.Error(), "987") {
		t.Errorf("a trace descriptor that is not open: %v", err)
	}
}
