package kv

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

// lockedBuffer takes a trace and a log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) await(t *testing.T, part string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b.mu.Lock()
		found := strings.Contains(b.buf.String(), part)
		b.mu.Unlock()
		if found {
			return
		}
	}
	t.Fatalf("no %q in:\n%s", part, b.buf.String())
}

// TestObey: orders on stdin become trials, in the trace; what is no order is
// logged, and the next one is taken all the same.
func TestObey(t *testing.T) {
	var trace, log lockedBuffer
	s, err := Start(Config{ID: 1, Peers: map[NodeID]string{1: "127.0.0.1:0"}, DataDir: t.TempDir(), Trace: &trace,
		ClientAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", HTTPAddr: "off", Log: slog.New(slog.NewTextHandler(&log, nil)),
		ElectionMin: 60 * time.Millisecond, Heartbeat: 20 * time.Millisecond, Experiment: &Experiment{NoPreVote: true, DiskMax: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	trace.await(t, `"role":"leader"`)
	s.Obey(strings.NewReader("trial soon 2\ntrial -1ns -\n"))
	log.await(t, "this is not a trial")
	trace.await(t, `"reason":"answered"`)
}

// savedStorage notes what is saved.
type savedStorage struct {
	raft.Storage
	saved []raft.Batch
}

func (s *savedStorage) Save(b raft.Batch) error {
	s.saved = append(s.saved, b)
	return nil
}

// TestSlowDisk: a write takes its time before it is made, and a vote for another
// takes two.
func TestSlowDisk(t *testing.T) {
	under := &savedStorage{}
	d := newSlowDisk(under, 2, 2*time.Millisecond, 4*time.Millisecond, 7)
	for _, c := range []struct {
		batch  raft.Batch
		writes int
	}{
		{raft.Batch{Entries: []raft.Entry{{Index: 1}}}, 1},
		{raft.Batch{Hard: &raft.HardState{Term: 3}}, 1},
		{raft.Batch{Hard: &raft.HardState{Term: 3, Vote: 2}}, 1},
		{raft.Batch{Hard: &raft.HardState{Term: 3, Vote: 1}}, 2},
	} {
		begin := time.Now()
		if err := d.Save(c.batch); err != nil {
			t.Fatal(err)
		}
		// No sleep is shorter than it was asked to be; how much longer is not ours.
		if took := time.Since(begin); took < time.Duration(c.writes)*2*time.Millisecond {
			t.Errorf("%+v took %v", c.batch, took)
		}
		if got := d.writes(c.batch); got != c.writes {
			t.Errorf("%+v is %d writes, want %d", c.batch, got, c.writes)
		}
	}
	if !slices.ContainsFunc(under.saved, func(b raft.Batch) bool { return len(b.Entries) == 1 }) || len(under.saved) != 4 {
		t.Errorf("saved %+v", under.saved)
	}
}

// TestADiskMayBeSlowWithoutAnExperiment: a server that is killed within that time has not
// written what it was given.
func TestADiskMayBeSlowWithoutAnExperiment(t *testing.T) {
	under := &savedStorage{}
	if c := (&Config{ID: 2}); c.disk(under, 7) != raft.Storage(under) {
		t.Error("a disk is slow that is not to be")
	}
	d, slow := (&Config{ID: 2, SlowDisk: 5 * time.Millisecond}).disk(under, 7).(*slowDisk)
	if !slow || d.min != 5*time.Millisecond || d.max != d.min || d.Storage != raft.Storage(under) {
		t.Errorf("the disk is %+v", d)
	}
}
