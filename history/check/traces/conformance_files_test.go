package traces

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"squall/history"
	"squall/history/check"
	"squall/history/trace"
)

// tracesOfARun are the full traces of three nodes on go.etcd.io/raft, as the module for
// users wrote them: unpacked, a file a node.
func tracesOfARun(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for id := 1; id <= 3; id++ {
		file, err := os.Open(fmt.Sprintf("../../../trace/etcdraft/testdata/steps/n%d.trace.gz", id))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		if files[fmt.Sprintf("n%d", id)], err = io.ReadAll(plain); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	return files
}

// edited is a trace with its events changed; change keeps an event by returning true.
func edited(t *testing.T, data []byte, change func(e *trace.Event) bool) []byte {
	t.Helper()
	out, boot := []byte(trace.Magic), 0
	var enc trace.Encoder
	for r := trace.NewFileReader(bytes.NewReader(data)); ; {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Boot != boot {
			boot = e.Boot
			out = enc.AppendBoot(out, boot)
		}
		if change(e) {
			if out, err = enc.Append(out, e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkFiles is the result of the check on a run directory with these traces.
func checkFiles(t *testing.T, files map[string][]byte, packed func(name string, zipped []byte) []byte) check.Result {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, trace.Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		zipped := pack.EncodeAll(data, nil)
		if packed != nil {
			zipped = packed(name, zipped)
		}
		if err := os.WriteFile(filepath.Join(dir, trace.Dir, trace.FileName(name)), zipped, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := &check.Input{Dir: dir, History: &history.History{
		Header: history.Header{Nodes: []string{"n1", "n2", "n3"}, Functions: history.Functions{{Name: "read", Reads: true}, {Name: "write"}}},
	}}
	return Conformance().Check(t.Context(), in)
}

// TestAStoredCommitIndex: a machine that loses its power takes the end of its trace along,
// so a commit index that it has stored may be one that it never told of. One that it comes
// to later is not excused by that, nor one of another entry than the others committed.
func TestAStoredCommitIndex(t *testing.T) {
	const others = "n1 start term=1 runs=1-3/1 members=n1,n2,n3\nn3 start members=n1,n2,n3\n"
	const again = "n2 start term=1 members=n1,n2,n3\nn2#2 start term=1 runs=1-3/1 members=n1,n2,n3\n"
	for _, test := range []struct {
		steps   string
		verdict check.Verdict
		says    string
	}{
		{"n2#2 commit term=1 mark=3/1\n", check.Pass, ""},
		{"n2#2 receive heartbeat from=n1 term=1\nn2#2 commit term=1 mark=3/1\n", check.Violation, "commit-leader-told"},
		{"n2#2 commit term=1 mark=3/1\nn1 commit term=1 mark=2/1\nn3 snapshot term=1 reason=taken mark=3/2\n", check.Violation, "snapshot-"},
	} {
		if res := conformed(t, stepsOf(t, others+again+test.steps)); res.Verdict != test.verdict || !strings.Contains(res.Summary, test.says) {
			t.Errorf("%s%s: %s", test.steps, res.Verdict, res.Summary)
		}
	}
}

// TestAnswersAfterTheLastStep: what was answered in the moment before a power cut may
// lack its steps; what was answered long before may not.
func TestAnswersAfterTheLastStep(t *testing.T) {
	const second = int64(1e9)
	write := func(at int64) history.Op {
		return history.Op{Node: "n1", Func: "write", Key: "k", Outcome: history.OK, Call: at, Return: at + 1e6}
	}
	const starts = "@1.0 n1 start members=n1,n2,n3\n@1.0 n2 start members=n1,n2,n3\n@1.0 n3 start members=n1,n2,n3\n"
	beats := func(node string, at string) string {
		return "@" + at + " " + node + " receive heartbeat from=n1 term=0\n"
	}
	const again = "@9.0 n1#2 start members=n1,n2,n3\n@9.0 n2#2 start members=n1,n2,n3\n"
	for _, test := range []struct {
		name    string
		steps   string
		at      int64
		verdict check.Verdict
		says    string
	}{
		{"a moment before the power cut", beats("n2", "4.0") + again, 4*second + 300e6, check.Pass, ""},
		{"seconds after the last step", beats("n2", "4.0") + again, 7 * second, check.Unknown, "that of n2, from 4.0 s up to its next start at 9.0 s, is lost"},
		{"before the last step", beats("n1", "8.9") + beats("n2", "8.9") + again, 7 * second, check.Unknown, "they are not true"},
		{"nobody starts again", beats("n2", "4.0") + beats("n2", "9.0"), 4*second + 300e6, check.Unknown, "they are not true"},
	} {
		events := stepsOf(t, starts+beats("n3", "1.5")+beats("n3", "9.0")+test.steps).events
		slices.SortStableFunc(events, func(a, b trace.Event) int { return cmp.Compare(a.Time, b.Time) })
		for i := range events {
			if events[i].Message != nil {
				events[i].Message.From = 1
			}
		}
		res := conformed(t, &scripted{events, io.EOF}, write(test.at))
		if res.Verdict != test.verdict || !strings.Contains(res.Summary, test.says) {
			t.Errorf("%s: %s: %s", test.name, res.Verdict, res.Summary)
		}
	}
}

// TestANodeThatLies: where clients were answered by a node that by its own trace did
// nothing, the verdict is unknown and names it; where the others tell what they did, that
// is no excuse.
func TestANodeThatLies(t *testing.T) {
	const second = int64(1e9)
	beats := func(node string, from, to int64) (text string) {
		for at := from; at < to; at += second / 4 {
			text += fmt.Sprintf("@%d.%09d %s receive heartbeat from=n1 term=0\n", at/second, at%second, node)
		}
		return text
	}
	start := func(node string) string { return "@1.0 " + node + " start members=n1,n2,n3\n" }
	answered := []history.Op{{Node: "n2", Func: "read", Key: "k", Outcome: history.OK, Call: 20 * second, Return: 20*second + 1e6}}
	served := "@20.0005 n3 read-served reason=\"lease\"\n"
	for _, test := range []struct {
		name    string
		steps   string
		verdict check.Verdict
		says    string
	}{
		{"all take steps", beats("n2", 2*second, 30*second), check.Pass, ""},
		{"n2 stops", beats("n2", 2*second, 10*second), check.Unknown, "n2 answered"},
		{"n2 pauses", beats("n2", 2*second, 10*second) + beats("n2", 25*second, 30*second), check.Unknown, "its own trace tells of no step in the 5 s before: it is not true"},
		{"n2 loses the end of its trace with its machine", beats("n2", 2*second, 10*second) + "@25.0 n2#2 start members=n1,n2,n3\n",
			check.Unknown, "its next start at 25.0 s, is lost"},
		{"n2 pauses, and starts again later", beats("n2", 2*second, 10*second) + beats("n2", 25*second, 27*second) + "@29.0 n2#2 start members=n1,n2,n3\n",
			check.Unknown, "it is not true"},
		{"n2 was quiet for a moment", beats("n2", 2*second, 17*second) + beats("n2", 25*second, 30*second), check.Pass, ""},
	} {
		events := stepsOf(t, start("n1")+start("n2")+start("n3")+beats("n3", 2*second, 30*second)+served+test.steps).events
		slices.SortStableFunc(events, func(a, b trace.Event) int { return cmp.Compare(a.Time, b.Time) })
		for i := range events {
			if events[i].Message != nil {
				events[i].Message.From = 1
			}
		}
		res := conformed(t, &scripted{events, io.EOF}, answered...)
		if res.Verdict != test.verdict || !strings.Contains(res.Summary, test.says) {
			t.Errorf("%s: %s: %s", test.name, res.Verdict, res.Summary)
		}
	}
	// A trace that does not tell how reads are served still has to tell of commits.
	write := history.Op{Node: "n2", Func: "write", Key: "k", Outcome: history.OK, Call: 20 * second, Return: 20*second + 1e6}
	text := strings.ReplaceAll(start("n1")+start("n2")+start("n3"), "members", "lacks=read-served members") + beats("n2", 2*second, 30*second)
	if res := conformed(t, stepsOf(t, text), write); res.Verdict != check.Unknown || !strings.Contains(res.Summary, "no node commits anything") {
		t.Errorf("a write that nobody committed: %s: %s", res.Verdict, res.Summary)
	}
}

// TestBadFilesOfTraces: whatever is wrong with a trace is said, with the node's name, and
// is never a pass.
func TestBadFilesOfTraces(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(files map[string][]byte)
		packed  func(name string, zipped []byte) []byte
		verdict check.Verdict
		says    []string
	}{
		{name: "whole", verdict: check.Pass, says: []string{"of 3 nodes break none of", "off, as the trace lacks hashes: commit-hash"}},
		{name: "a file is cut in the middle", packed: func(name string, zipped []byte) []byte {
			if name == "n2" {
				return zipped[:len(zipped)/2]
			}
			return zipped
		}, verdict: check.Unknown, says: []string{"n2", "the file was cut"}},
		{name: "a trace is cut in the middle of a frame", change: func(files map[string][]byte) {
			files["n3"] = files["n3"][:len(files["n3"])/2+1]
		}, verdict: check.Unknown, says: []string{"n3", "it ends within a frame"}},
		{name: "a byte is flipped", change: func(files map[string][]byte) {
			files["n1"] = bytes.Clone(files["n1"])
			files["n1"][len(trace.Magic)+4] ^= 0x40
		}, verdict: check.Unknown, says: []string{"n1", "the trace is damaged at byte"}},
		{name: "a node has no trace", change: func(files map[string][]byte) { delete(files, "n3") }, verdict: check.Unknown, says: []string{"n3: there is no trace of it"}},
		{name: "a trace is empty", change: func(files map[string][]byte) { files["n2"] = nil }, verdict: check.Unknown, says: []string{"n2"}},
		{name: "clocks differ by what they may", change: func(files map[string][]byte) {
			for name, ahead := range map[string]int64{"n1": 20e6, "n3": -20e6} {
				files[name] = edited(t, files[name], func(e *trace.Event) bool { e.Time += ahead; return true })
			}
		}, verdict: check.Pass, says: []string{"break none of"}},
		{name: "a node tells less than the others", change: func(files map[string][]byte) {
			files["n2"] = edited(t, files["n2"], func(e *trace.Event) bool {
				if e.Kind == trace.Start {
					e.Lacks |= trace.LacksKind(trace.Persist)
				}
				return e.Kind != trace.Persist
			})
		}, verdict: check.Pass, says: []string{"off, as the trace lacks persist", "vote-durable", "ack-durable"}},
		{name: "a node lies about its log", change: func(files map[string][]byte) { // it says that it committed what the others did not
			files["n2"] = edited(t, files["n2"], func(e *trace.Event) bool {
				if e.Kind == trace.Commit && e.Mark.Index > 60 {
					e.Mark.Term++
				}
				return true
			})
		}, verdict: check.Unknown, says: []string{"n2", "which its log, up to entry", "does not hold"}},
		{name: "a node lies about its state", change: func(files map[string][]byte) {
			files["n2"] = edited(t, files["n2"], func(e *trace.Event) bool {
				if e.Kind == trace.State {
					e.Hash++
				}
				return true
			})
		}, verdict: check.Violation, says: []string{"state-equal", "n2"}},
		{name: "a node lies about its vote", change: func(files map[string][]byte) {
			files["n3"] = edited(t, files["n3"], func(e *trace.Event) bool { return e.Kind != trace.Grant })
		}, verdict: check.Violation, says: []string{"n3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := tracesOfARun(t)
			if test.change != nil {
				test.change(files)
			}
			res := checkFiles(t, files, test.packed)
			if res.Verdict != test.verdict {
				t.Errorf("%s: %s, want %s", res.Verdict, res.Summary, test.verdict)
			}
			for _, want := range test.says {
				if !strings.Contains(res.Summary, want) {
					t.Errorf("it does not say %q: %s", want, res.Summary)
				}
			}
		})
	}
}
