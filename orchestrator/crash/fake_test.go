package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/history"
	"squall/history/check"
	"squall/history/check/service"
	"squall/nodeimage/disk"
)

const (
	second    = int64(time.Second)
	loadBegan = 100 * second
	loadEnded = 110 * second
)

// tape writes the journal of a node.
type tape struct {
	t  *testing.T
	w  *disk.Writer
	at int64
}

func newTape(t *testing.T, dir, node string) *tape {
	t.Helper()
	path := filepath.Join(dir, disk.RunFolder, node+disk.JournalSuffix)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &tape{t: t, w: disk.NewWriter(f)}
}

func (p *tape) do(at int64, op disk.Op) {
	p.t.Helper()
	op.At = max(at, p.at)
	p.at = op.At
	if err := p.w.Write(&op); err != nil {
		p.t.Fatal(err)
	}
}

// logFile is the one file of a node of the fake: lines key=value, of which the last may be torn.
const logFile disk.Ino = 2

// storm is one of a fake system of three nodes. Each of some writes is appended to the logs of n1 and n2, and after some
// time to that of n3, and acknowledged when those two have synced it: all of them, or, with lies, all but the last few.
func storm(t *testing.T, writes int, lies bool) *Storm {
	t.Helper()
	dir := t.TempDir()
	nodes := []string{"n1", "n2", "n3"}
	h := &history.History{Header: history.Header{Nodes: nodes, Mono: loadBegan - second, Functions: history.RegisterFunctions()}}
	mark := func(name string, at int64) { h.Marks = append(h.Marks, history.Mark{Name: name, Time: at}) }
	mark(history.MarkLoadBegin, loadBegan)
	mark(history.MarkLoadEnd, loadEnded)
	mark(history.MarkFinalReads, loadEnded+second)
	for n, node := range nodes {
		p := newTape(t, dir, node)
		p.do(loadBegan-second, disk.Op{Kind: disk.Mount})
		p.do(0, disk.Op{Kind: disk.Create, Node: logFile, Dir: disk.Root, Name: "the-log"})
		p.do(0, disk.Op{Kind: disk.Sync, Node: disk.Root})
		offset := int64(0)
		for i := range writes {
			at := writeAt(i, writes)
			line := record(i)
			if n == 2 {
				at += second / 100
			}
			p.do(at, disk.Op{Kind: disk.Write, Node: logFile, Offset: offset, Data: []byte(line)})
			offset += int64(len(line))
			if !lies || i < writes/2 {
				p.do(at+1000, disk.Op{Kind: disk.SyncData, Node: logFile})
			}
		}
	}
	for i := range writes {
		at := writeAt(i, writes)
		h.Ops = append(h.Ops, history.Op{Process: 1, Node: "n1", Func: history.Write, Key: key(i), In: value(i), Outcome: history.OK, Call: at - 1000, Return: at + 2000})
	}
	for i := range writes {
		h.Ops = append(h.Ops, history.Op{Process: 2, Node: "n2", Func: history.Read, Key: key(i), Out: value(i), Outcome: history.OK, Final: true,
			Call: loadEnded + second + int64(2*i), Return: loadEnded + second + int64(2*i+1)})
	}
	disks, err := FindDisks(dir, nodes)
	if err != nil {
		t.Fatal(err)
	}
	return &Storm{Dir: dir, History: h, Disks: disks}
}

func writeAt(i, of int) int64  { return loadBegan + (loadEnded-loadBegan)/int64(of+1)*int64(i+1) }
func key(i int) string         { return fmt.Sprintf("k%d", i) }
func value(i int) history.Data { return history.Text(fmt.Sprintf("v%d", i)) }
func record(i int) string      { return fmt.Sprintf("%s=v%d%s\n", key(i), i, strings.Repeat(".", 300)) }
func checkers() []check.Checker {
	return []check.Checker{service.Durability(service.RegisterWrites()), service.Recovery()}
}

// fake boots the fake system: every node answers with what any has.
type fake struct {
	broken  error  // what boots come to; nil: they work
	forgets string // what no node has at a second start; "": nothing
	refuses bool   // n2 ends at a second start

	mu      sync.Mutex
	boots   int
	agains  int
	digests map[string]int
}

// site is one cluster of the fake system.
type site struct {
	*fake
	has map[string]history.Data // at the last boot
}

func (f *site) Boot(ctx context.Context, o Order) (*Seen, error) {
	f.mu.Lock()
	f.boots++
	if f.digests == nil {
		f.digests = map[string]int{}
	}
	digest := ""
	for _, node := range []string{"n1", "n2", "n3"} {
		digest += o.Images[node].Digest()
	}
	f.digests[digest]++
	f.mu.Unlock()
	if f.broken != nil {
		return nil, f.broken
	}
	has := map[string]history.Data{}
	for _, img := range o.Images {
		for i := range img.Entries {
			all, err := io.ReadAll(img.Entries[i].Open())
			if err != nil {
				return nil, err
			}
			for line := range bytes.Lines(all) {
				if k, v, ok := strings.Cut(string(line), "="); ok && strings.HasSuffix(v, ".\n") && strings.HasPrefix(k, "k") {
					has[k] = history.Text(strings.TrimRight(v, ".\n"))
				}
			}
		}
	}
	seen := look1(o, has)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.has = maps.Clone(has)
	for i := range seen.Ops { // and what clients wrote
		if op := &seen.Ops[i]; op.Func == history.Write {
			f.has[op.Key] = op.In
		}
	}
	return seen, nil
}

func (f *site) Again(_ context.Context, look []Intent) (*Seen, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.agains++
	has := maps.Clone(f.has)
	delete(has, f.forgets)
	seen := look1(Order{Look: look}, has)
	seen.Began += 100 * second
	for i := range seen.Ops {
		op := &seen.Ops[i]
		op.Call, op.Return = op.Call+100*second, op.Return+100*second
	}
	seen.Scan += 100 * second
	seen.Cut = map[string]string{"n1": "", "n2": "the-log: 1 write, 20 B", "n3": ""}
	if f.refuses {
		seen.Ended = []Ended{{Node: "n2", Reason: "exit status 1", Output: "the-log, byte 17: what follows is damaged"}}
	}
	return seen, nil
}

// look1 is what is seen of a cluster whose every node has that.
func look1(o Order, has map[string]history.Data) *Seen {
	seen := &Seen{Began: 500 * second, Bound: 30 * time.Second, ScanBound: 5 * time.Second}
	at := seen.Began
	op := func(node string, in Intent, out history.Data) {
		at += 10
		seen.Ops = append(seen.Ops, history.Op{Process: int64(len(seen.Ops)), Node: node, Func: in.Func, Key: in.Key, In: in.In, Out: out, Outcome: history.OK, Call: at, Return: at + 5})
	}
	for _, node := range []string{"n1", "n2", "n3"} {
		op(node, Intent{Func: history.Write, Key: "recovery-" + node, In: history.Text("1")}, "")
		op(node, Intent{Func: history.Read, Key: "recovery-" + node}, history.Text("1"))
	}
	seen.Scan = at + 1
	for _, node := range []string{"n1", "n2", "n3"} {
		for _, in := range o.Look {
			out := has[in.Key]
			if out == "" {
				out = history.Null
			}
			op(node, in, out)
		}
	}
	return seen
}

func farmOf(f *fake) Config {
	return Config{Squall: "test", Seed: 7, Binary: "node", Booters: []Booter{&site{fake: f}, &site{fake: f}}, Checkers: checkers()}
}

var errNoMachines = errors.New("there are no machines")
