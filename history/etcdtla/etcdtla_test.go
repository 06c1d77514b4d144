package etcdtla_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"squall/history/conformance"
	"squall/history/etcdtla"
)

// recorded is a trace of go.etcd.io/raft/v3 v3.7.0, of a cluster in which leaders change,
// logs conflict, a follower restarts, another is sent a snapshot, a member joins and one
// leaves; trace/etcdraft/recordtla_test.go made it.
func recorded(t *testing.T) []string {
	t.Helper()
	lines, err := recordedFile()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func recordedFile() ([]string, error) {
	file, err := os.Open("testdata/storm.ndjson.gz")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(text), "\n")
	return lines[:len(lines)-1], nil
}

// judged is what the rules find in these lines.
func judged(t *testing.T, files ...[]string) (*conformance.Report, *etcdtla.Reader) {
	t.Helper()
	var in []etcdtla.File
	for _, lines := range files {
		in = append(in, etcdtla.File{Name: "the file", From: strings.NewReader(strings.Join(lines, ""))})
	}
	r := etcdtla.NewReader(in...)
	c := conformance.New()
	follow(t, c, r)
	return c.Report(), r
}

// follow has the checker follow all that the reader reads.
func follow(t *testing.T, c *conformance.Checker, r *etcdtla.Reader) {
	t.Helper()
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Event(e)
	}
}

// kept demands that these lines break no rule, and leave nothing unknown.
func kept(t *testing.T, files ...[]string) (*conformance.Report, *etcdtla.Reader) {
	t.Helper()
	report, r := judged(t, files...)
	for _, v := range report.Violations {
		t.Errorf("%s: %s", v.Rule.Name, v.Text)
	}
	for _, u := range report.Unsure {
		t.Errorf("n%d from %d on: %s", u.Node, u.Time, u.Why)
	}
	for _, why := range r.Damaged() {
		t.Error(why)
	}
	return report, r
}

// TestLegalTrace: what the library does breaks no rule, and the rules are come to.
func TestLegalTrace(t *testing.T) {
	report, r := kept(t, recorded(t))
	if steps, foreign := r.Lines(); steps != 2294 || foreign != 0 || len(r.Nodes()) != 4 || len(r.Voters()) != 4 {
		t.Errorf("%d steps and %d other lines of %v", steps, foreign, r.Nodes())
	}
	off := map[string]bool{}
	for _, o := range report.Off {
		off[o.Rule.Name] = true
		if len(o.Nodes) != 4 || o.Why == "" {
			t.Errorf("%s is off for %v: %q", o.Rule.Name, o.Nodes, o.Why)
		}
	}
	notReached := []string{"higher-term-obeyed", "vote-refused"} // no vote was refused, for one
	for _, d := range report.Decided {
		if got := d.Times > 0; got == off[d.Rule.Name] && !slices.Contains(notReached, d.Rule.Name) {
			t.Errorf("%s was decided %d times, and is listed as off: %v", d.Rule.Name, d.Times, off[d.Rule.Name])
		}
	}
	for _, name := range []string{"commit-durable", "vote-durable", "term-raised", "config-one-at-a-time", "apply-committed", "read-confirmed"} {
		if !off[name] {
			t.Errorf("%s is not off, and these traces cannot decide it", name)
		}
	}
}

// TestForbiddenTrace: what Raft forbids is refused by the rule that it breaks.
func TestForbiddenTrace(t *testing.T) {
	for _, test := range []struct {
		rule string
		make func(lines []string) []string
	}{
		{"vote-once", func(lines []string) []string { // n2 votes for n3, and then for n1
			i := find(lines, `"SendRequestVoteResponse"`, `"nid":"2"`, `"to":"3"`)
			return slices.Insert(lines, i+1, strings.Replace(lines[i], `"to":"3"`, `"to":"1"`, 1))
		}},
		{"leader-quorum", func(lines []string) []string { // the votes do not reach the first leader
			return slices.DeleteFunc(lines, func(l string) bool {
				return has(l, `"ReceiveRequestVoteResponse"`, `"nid":"3"`, `"term":2`) && !has(l, `"from":"3"`)
			})
		}},
		{"one-leader", func(lines []string) []string {
			i := find(lines, `"BecomeLeader"`, `"nid":"3"`)
			return slices.Insert(lines, i+1, strings.Replace(lines[i], `"nid":"3"`, `"nid":"1"`, 1))
		}},
		{"commit-quorum", func(lines []string) []string { // nobody acknowledges
			return slices.DeleteFunc(lines, func(l string) bool {
				return has(l, `"ReceiveAppendEntriesResponse"`, `"nid":"3"`, `"MsgAppResp"`) && !has(l, `"from":"3"`)
			})
		}},
		{"commit-monotonic", func(lines []string) []string {
			i := find(lines, `"Ready"`, `"nid":"3"`, `"commit":5`)
			lines[i] = strings.Replace(lines[i], `"commit":5`, `"commit":4`, 1)
			return lines
		}},
		{"truncate-committed", func(lines []string) []string {
			i := find(lines, `"Ready"`, `"nid":"2"`, `"commit":16`, `"log":16`)
			lines[i] = strings.Replace(lines[i], `"log":16`, `"log":15`, 1)
			return lines
		}},
		{"term-monotonic", func(lines []string) []string {
			i := find(lines, `"Ready"`, `"nid":"2"`, `"StateFollower"`, `"term":3`)
			lines[i] = strings.Replace(lines[i], `"term":3`, `"term":2`, 1)
			return lines
		}},
		{"sender-leads", func(lines []string) []string {
			i := find(lines, `"SendAppendEntriesRequest"`, `"nid":"3"`, `"MsgHeartbeat"`, `"to":"1"`)
			beat := strings.NewReplacer(`"nid":"3"`, `"nid":"2"`, `"from":"3"`, `"from":"2"`, "StateLeader", "StateFollower", `"log":19`, `"log":16`).Replace(lines[i])
			return slices.Insert(lines, i+1, beat)
		}},
		{"commit-leader-told", func(lines []string) []string {
			i := find(lines, `"SendAppendEntriesResponse"`, `"nid":"2"`, `"commit":5`, `"log":8`)
			lines[i] = strings.Replace(lines[i], `"commit":5`, `"commit":8`, 1)
			return lines
		}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			report, _ := judged(t, test.make(recorded(t)))
			if len(report.Violations) == 0 {
				t.Fatalf("no rule is broken; %+v", report.Unsure)
			}
			i := slices.IndexFunc(report.Violations, func(v conformance.Violation) bool { return v.Rule.Name == test.rule })
			if i < 0 || i > 1 || len(report.Violations[i].Events) == 0 {
				t.Errorf("%s is broken first: %s", report.Violations[0].Rule.Name, report.Violations[0].Text)
			}
		})
	}
}

// find is the first line that has all of these.
func find(lines []string, parts ...string) int {
	return slices.IndexFunc(lines, func(l string) bool { return has(l, parts...) })
}

func has(line string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(line, p) {
			return false
		}
	}
	return true
}

// TestUnknownTrace: what the lines do not tell is said, by name, and never kept.
func TestUnknownTrace(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines func(lines []string) []string
		says  []string
	}{
		{"cut within a line", func(lines []string) []string {
			return append(lines[:700], lines[700][:90])
		}, []string{"n1", "n2", "n3", "line 701"}},
		{"a damaged line in the middle", func(lines []string) []string {
			lines[700] = lines[700][:90] + "\n"
			return lines
		}, []string{"n1", "n2", "n3", "line 701"}},
		{"its beginning is missing", func(lines []string) []string { return lines[900:] }, []string{"n1", "n3", "does not begin with InitState"}},
		{"entries were taken that no line tells of", func(lines []string) []string {
			i := find(lines, `"ReceiveAppendEntriesRequest"`, `"nid":"2"`, `"MsgApp"`, `"entries":1`)
			return slices.Delete(lines, i, i+1)
		}, []string{"n2", "and no line tells how"}},
		{"a leader that no line made one", func(lines []string) []string {
			i := find(lines, `"BecomeLeader"`, `"nid":"1"`)
			return slices.Delete(lines, i, i+1)
		}, []string{"n1", "no line says that it became one"}},
		{"a message that was not sent so", func(lines []string) []string {
			i := find(lines, `"ReceiveAppendEntriesRequest"`, `"nid":"2"`, `"MsgHeartbeat"`, `"from":"3"`)
			lines[i] = strings.Replace(lines[i], `"index":0,"commit":16`, `"index":0,"commit":15`, 1)
			return lines
		}, []string{"n2", "received MsgHeartbeat of n3 in term 2, which the trace of that does not tell of"}},
		{"the trace of one node alone", func(lines []string) []string {
			return slices.DeleteFunc(lines, func(l string) bool { return !has(l, `"nid":"2"`) })
		}, []string{"n2", "it took entries of n3, whose trace does not tell which"}},
		{"a field that is no node", func(lines []string) []string {
			lines[300] = strings.Replace(lines[300], `"nid":"`, `"nid":"x`, 1)
			return lines
		}, []string{"line 301", "is not a node"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			report, _ := judged(t, test.lines(recorded(t)))
			var said strings.Builder
			for _, u := range report.Unsure {
				fmt.Fprintf(&said, "n%d: %s\n", u.Node, u.Why)
			}
			for _, want := range test.says {
				if !strings.Contains(said.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, &said)
				}
			}
		})
	}
}

// TestMissingFields: where a variant leaves fields out, the rules that need them are off,
// are listed as off with the reason, and the others hold.
func TestMissingFields(t *testing.T) {
	for _, test := range []struct{ field, why, off, on string }{
		{`"log":[0-9]+,`, "append, truncate, commit", "commit-quorum", "vote-once"},
		{`"conf":\[\[[^\]]*\],\[[^\]]*\]\],?`, "who votes", "leader-quorum", "one-leader"},
		{`,"vote":"[0-9]+","commit":[0-9]+\}`, "grant", "vote-once", "sender-leads"},
	} {
		pattern := regexp.MustCompile(test.field)
		var lines []string
		for _, l := range recorded(t) {
			l = pattern.ReplaceAllString(l, map[bool]string{true: "}", false: ""}[strings.HasSuffix(test.field, "}")])
			lines = append(lines, strings.Replace(l, ",}", "}", 1))
		}
		report, _ := kept(t, lines)
		why := ""
		for _, o := range report.Off {
			if o.Rule.Name == test.off {
				why = o.Why
			}
			if o.Rule.Name == test.on {
				t.Errorf("without %s, %s is off: %s", test.field, o.Rule.Name, o.Why)
			}
		}
		if !strings.Contains(why, test.why) {
			t.Errorf("without %s, %s is off as %q, not as the trace lacks %s", test.field, test.off, why, test.why)
		}
		for _, d := range report.Decided {
			if d.Rule.Name == test.on && d.Times == 0 {
				t.Errorf("without %s, %s is not decided", test.field, test.on)
			}
		}
	}
}

// TestFileOfEachNode: the nodes' own files may be read in any order.
func TestFileOfEachNode(t *testing.T) {
	files := make([][]string, 4)
	for _, l := range recorded(t) {
		for i := range files {
			if has(l, fmt.Sprintf(`"nid":"%d"`, i+1)) && !has(l, fmt.Sprintf(`"changes":[{"nid":"%d"`, i+1)) {
				files[i] = append(files[i], l)
				break
			}
		}
	}
	kept(t, files...)
	slices.Reverse(files)
	kept(t, files...)
}

// TestClocksThatDiffer: the files of nodes whose clocks differ by less than patience.
func TestClocksThatDiffer(t *testing.T) {
	files := make([][]string, 4)
	for at, l := range recorded(t) {
		for i := range files {
			if has(l, fmt.Sprintf(`"nid":"%d"`, i+1)) && !has(l, fmt.Sprintf(`"changes":[{"nid":"%d"`, i+1)) {
				time := 1.7e9 + float64(at)*0.001 + float64(i)*0.4
				files[i] = append(files[i], fmt.Sprintf(`{"level":"debug","ts":%.6f,"msg":"trace",%s`, time, l[1:]))
				break
			}
		}
	}
	kept(t, files...)
}

// TestCutByTheEndOfAServer: half a line, on which its server's next start follows, hides
// nothing.
func TestCutByTheEndOfAServer(t *testing.T) {
	for _, end := range []string{"\n", "", "\nsome text\n"} {
		lines := recorded(t)
		again := 0
		for i, l := range lines {
			if has(l, `"InitState"`) && !has(l, `"log":0`) {
				again = i
			}
		}
		if again == 0 {
			t.Fatal("no node starts again")
		}
		kept(t, slices.Insert(lines, again, lines[again-1][:77]+end))
	}
}

// TestLogAround: lines of a server's log around the trace are passed over, and counted.
func TestLogAround(t *testing.T) {
	var lines []string
	for _, l := range recorded(t) {
		lines = append(lines, l, "raft: a line of text\n", `{"level":"info","msg":"something else"}`+"\n")
	}
	_, r := kept(t, lines)
	if steps, foreign := r.Lines(); steps != 2294 || foreign != 2*2294 {
		t.Errorf("%d steps and %d other lines", steps, foreign)
	}
}
