package orchestrator

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"squall/history/trace"
	"squall/orchestrator/testplan"
)

// Bounds of what a server may write to its full trace: a burst, and so many bytes more for
// each second that it has run. A busy node of ours writes some megabytes a second.
const (
	fullBurst = 256 << 20
	fullRate  = 32 << 20
	// Collected frames are packed when they are fullChunk bytes, or a fullWait old: what a
	// killed squall loses at most.
	fullChunk = 256 << 10
	fullWait  = time.Second
)

// fullTrace keeps the full trace of one node, checked frame by frame, in the run directory.
// What is no trace makes the rest of that boot's silent, and nothing else.
type fullTrace struct {
	log     func(boot int, why string) // is told of each silence
	earlier func() int64               // no event is before, ns
	seen    func(*trace.Event)         // is told of each event as it comes, and keeps nothing of it; nil: nobody

	mu     sync.Mutex
	file   *os.File
	pack   *zstd.Encoder
	dec    trace.Decoder
	event  trace.Event
	boot   int
	part   []byte // of a frame that is not whole yet
	plain  []byte // to be packed
	since  int64  // when plain began, ns
	silent string // why the rest of this boot's trace is not read; "": it is
	first  int64  // when the first piece of this boot came, ns
	bytes  int64  // of this boot
	stats  fullTraceStats
	err    error // it cannot be written any more
}

// fullTraceStats is what env.json says of a full trace.
type fullTraceStats struct {
	Boots  int      `json:"boots"`         // starts of the server that wrote one
	Cut    int      `json:"cut,omitempty"` // of those, how many ended within a frame
	Events int64    `json:"events"`
	Bytes  int64    `json:"bytes"` // before packing
	Silent []string `json:"silent,omitempty"`
}

func newFullTrace(run, node string, log func(boot int, why string)) (*fullTrace, error) {
	folder := filepath.Join(run, trace.Dir)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("keep the full trace of %s: %w", node, err)
	}
	file, err := os.Create(filepath.Join(folder, trace.FileName(node)))
	if err != nil {
		return nil, fmt.Errorf("keep the full trace of %s: %w", node, err)
	}
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("keep the full trace of %s: %w", node, err)
	}
	return &fullTrace{log: log, file: file, pack: pack, plain: []byte(trace.Magic)}, nil
}

// take reads a piece that came at the time now, ns. The error is that of the file, once.
func (t *fullTrace) take(boot int, data []byte, now int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil || t.err != nil {
		return nil
	}
	t.turn(boot, now)
	if t.silent != "" {
		return nil
	}
	t.bytes += int64(len(data))
	if t.bytes > fullBurst+int64(float64(now-t.first)/1e9*fullRate) {
		t.hush(now, fmt.Sprintf("it wrote %d MiB to its full trace in %.1f s", t.bytes>>20, float64(now-t.first)/1e9))
		return t.packOld(now)
	}
	if len(t.part) > 0 {
		data = append(t.part, data...)
	}
	read, err := t.frames(data, now)
	t.part = append(t.part[:0], data[read:]...)
	if err != nil {
		t.hush(now, err.Error())
	}
	return t.packOld(now)
}

// frames takes the whole frames at the head of data, as far as they are of a trace.
func (t *fullTrace) frames(data []byte, now int64) (read int, err error) {
	if t.dec.Latest = now + int64(traceSlack); t.earlier != nil {
		t.dec.Earliest = t.earlier()
	}
	for {
		n, err := t.dec.Next(data[read:], &t.event)
		if err != nil || n == 0 {
			return read, err
		}
		if t.event.Kind != 0 { // else it is the magic line, which the file has already
			t.plain = append(t.plain, data[read:read+n]...)
			t.stats.Events++
			t.stats.Bytes += int64(n)
			if t.seen != nil {
				t.seen(&t.event)
			}
		}
		read += n
	}
}

// turn begins the trace of another boot.
func (t *fullTrace) turn(boot int, now int64) {
	if boot == t.boot {
		return
	}
	t.finishBoot()
	t.boot, t.silent, t.first, t.bytes = boot, "", now, 0
	t.stats.Boots++
	t.plain = t.dec.AppendBoot(t.plain, boot)
}

// finishBoot drops a frame that the end of its server has cut. That hides nothing: what
// depended on it has not left the server.
func (t *fullTrace) finishBoot() {
	if len(t.part) > 0 {
		t.stats.Cut++
	}
	t.part = t.part[:0]
}

// closed takes that the server of a boot closed its trace and runs on.
func (t *fullTrace) closed(boot int, now int64, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil || t.err != nil {
		return
	}
	t.turn(boot, now)
	if t.silent == "" {
		t.hush(now, why)
	}
}

// hush reads no more of this boot's trace.
func (t *fullTrace) hush(now int64, why string) {
	t.silent, t.part = why, t.part[:0]
	t.plain = t.dec.AppendSilent(t.plain, now, why)
	t.stats.Silent = append(t.stats.Silent, fmt.Sprintf("boot %d: %s", t.boot, why))
	if t.log != nil {
		t.log(t.boot, why)
	}
}

// packOld packs what has come together, when it is enough or old.
func (t *fullTrace) packOld(now int64) error {
	if t.since == 0 {
		t.since = now
	}
	if len(t.plain) < fullChunk && now-t.since < int64(fullWait) {
		return nil
	}
	t.since = now
	return t.write()
}

func (t *fullTrace) write() error {
	if len(t.plain) == 0 {
		return nil
	}
	_, err := t.file.Write(t.pack.EncodeAll(t.plain, nil))
	t.plain = t.plain[:0]
	if err != nil {
		t.err = fmt.Errorf("keep a full trace: %w", err)
	}
	return t.err
}

// finish writes the rest, and says what there was. Nothing is taken after it.
func (t *fullTrace) finish(now int64) (fullTraceStats, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return t.stats, nil
	}
	t.finishBoot()
	if t.stats.Boots == 0 {
		t.hush(now, "its server wrote no full trace")
	}
	err := t.err
	if err == nil {
		err = t.write()
	}
	if closing := t.file.Close(); err == nil {
		err = closing
	}
	t.file = nil
	return t.stats, err
}

// openFullTrace keeps the full trace of a node, where the test asks for it; else it is nil.
func (r *run) openFullTrace(node string) (*fullTrace, error) {
	if r.plan.Test.Trace != testplan.TraceFull {
		return nil, nil
	}
	t, err := newFullTrace(r.dir, node, func(boot int, why string) {
		r.log.Error("a full trace fell silent", "node", node, "boot", boot, "reason", why)
	})
	if err == nil {
		t.earlier = r.earliest
		t.seen = r.watchSteps(node)
	}
	return t, err
}

// watchSteps shows each step of a node to those who wait for a moment.
func (r *run) watchSteps(node string) func(*trace.Event) {
	names := map[trace.NodeID]string{}
	for i, name := range r.plan.Nodes {
		names[trace.NodeID(i+1)] = name // as peers numbers them
	}
	return func(e *trace.Event) { r.nodes.watch.TakeStep(node, names, e) }
}

// closeFullTraces completes their files. It is idempotent.
func (r *run) closeFullTraces() {
	for _, n := range r.nodes.all {
		if n.full == nil {
			continue
		}
		stats, err := n.full.finish(r.clock.now())
		if err != nil {
			r.log.Error("the end of a full trace is lost", "node", n.Name(), "err", err)
		}
		r.env.traced(n.Name(), stats)
	}
}
