package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"squall/history"
	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { os.Exit(machinetest.Main(m).Run()) }

// hostile is what a server may choose to say.
const hostile = "a\x1b[2J\"b\",\\c\n\u202ed"

const mono = int64(5e9)

// short is a load of 3 s: an operation each 100 ms, one of them hostile, a fault that is
// healed and one that did not take effect, and two leaders.
func short() *history.History {
	h := &history.History{Header: history.Header{Test: "t", System: "raftkv", Workload: "register", Nodes: []string{"n1", "n2"}, Mono: mono, Wall: time.Unix(1_700_000_000, 500e6)}}
	at := func(ms int64) int64 { return mono + ms*1e6 }
	for i := range int64(30) {
		op := history.Op{Process: i, Node: "n1", Func: history.Read, Key: "r1", Out: `"7"`, Outcome: history.OK, Call: at(1000 + 100*i), Return: at(1010 + 100*i)}
		switch i {
		case 3:
			op.Outcome, op.Out, op.Error = history.Fail, "", hostile
		case 4:
			op.Outcome, op.Out, op.Key = history.Info, "", hostile
		}
		h.Ops = append(h.Ops, op)
	}
	h.Ops = append(h.Ops, history.Op{Process: 99, Node: "n2", Func: history.Read, Key: "r1", Out: `"7"`, Outcome: history.OK, Call: at(5000), Return: at(5001), Final: true})
	fault := func(id int, phase history.Phase, ms int64, err string) history.Fault {
		return history.Fault{ID: id, Name: "kill", Kind: history.KindProcess, Variant: "leader", Phase: phase, Targets: []string{"n1"}, Begin: at(ms), End: at(ms + 20), Err: err}
	}
	h.Faults = []history.Fault{fault(1, history.Inject, 1500, ""), fault(2, history.Inject, 1600, "it did not take"), fault(2, history.Heal, 1700, ""), fault(1, history.Heal, 3500, "")}
	h.Nodes = []history.NodeEvent{{Node: "n1", Boot: 1, Kind: history.EventRole, Time: at(200), Term: 1, Role: history.RoleLeader},
		{Node: "n1", Boot: 1, Kind: history.EventExit, Time: at(1520), Reason: history.ReasonKilled},
		{Node: "n2", Boot: 1, Kind: history.EventRole, Time: at(2000), Term: 2, Role: history.RoleLeader}}
	h.Marks = []history.Mark{{Name: history.MarkLoadBegin, Time: at(1000)}, {Name: history.MarkLoadEnd, Time: at(4000)}, {Name: history.MarkFinalReads, Time: at(5100)}}
	return h
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	if err := CSV(&out, short()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll()
	if err != nil || len(rows) != 32 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range map[int]string{
		1:  `0|n1|read|r1||"7"|ok||false|1000000000|1010000000`,
		4:  `3|n1|read|r1|||fail|a\x1b[2J"b",\c\n` + "\\u202e" + `d|false|1300000000|1310000000`,
		31: `99|n2|read|r1||"7"|ok||true|5000000000|5001000000`,
	} {
		if got := strings.Join(rows[i], "|"); got != want {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") {
		t.Error("a character that does more than show itself is written")
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := JSON(&out, short()); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Start      time.Time
		History    history.Header
		Operations []struct {
			Key    string
			Call   int64
			Out    any
			Error  string
			Return int64
		}
		Faults []history.Fault
		Nodes  []history.NodeEvent
		Marks  []history.Mark
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Operations) != 31 || doc.Operations[3].Error != hostile || doc.Operations[0].Out != "7" || doc.Operations[1].Call != 1100e6 {
		t.Errorf("operations: %+v", doc.Operations)
	}
	if len(doc.Faults) != 4 || doc.Faults[0].Begin != 1500e6 || len(doc.Nodes) != 3 || doc.Nodes[0].Time != 200e6 || len(doc.Marks) != 3 || doc.Marks[1].Time != 4000e6 {
		t.Errorf("the rest: %+v %+v %+v", doc.Faults, doc.Nodes, doc.Marks)
	}
	if doc.History.System != "raftkv" || !doc.Start.Equal(time.Unix(1_700_000_000, 500e6)) {
		t.Errorf("the test: %+v from %v", doc.History, doc.Start)
	}
}

// TestOpenMetrics holds the text to the rules of the format: families one after another,
// samples of a series in the order of time, and an end.
func TestOpenMetrics(t *testing.T) {
	var out bytes.Buffer
	if err := OpenMetrics(&out, short(), map[string]string{"run": hostile}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if last := lines[len(lines)-1]; last != "# EOF" {
		t.Errorf("it ends with %q", last)
	}
	sample := regexp.MustCompile(`^(\w+)(\{(?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)+\}) (\S+) (\d+\.\d{3})$`)
	family, seen := "", map[string]bool{}
	latest, values := map[string]float64{}, map[string][]string{}
	for _, line := range lines[:len(lines)-1] {
		if name, is := strings.CutPrefix(line, "# TYPE "); is {
			if family = strings.Fields(name)[0]; seen[family] {
				t.Errorf("the family %s stands twice", family)
			}
			seen[family] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP "+family+" ") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || strings.TrimSuffix(m[1], "_total") != family {
			t.Fatalf("in %s: %q", family, line)
		}
		series := m[1] + strings.Replace(m[2], `run="a\\x1b[2J\"b\",\\c\\n\\u202ed",`, "", 1)
		at, _ := strconv.ParseFloat(m[4], 64)
		if at <= latest[series] {
			t.Errorf("%s goes from %v to %v", series, latest[series], at)
		}
		latest[series] = at
		values[series] = append(values[series], m[3])
	}
	for series, want := range map[string]string{
		`squall_operations_total{function="read",outcome="ok"}`:           "8 18 28",
		`squall_operations_total{outcome="fail"}`:                         "1 1 1",
		`squall_operations_total{outcome="info"}`:                         "1 1 1",
		`squall_latency_seconds{quantile="0.5"}`:                          "0.01 0.01 0.01",
		`squall_fault{id="1",fault="kill",variant="leader",targets="n1"}`: "1 1 1 0",
		`squall_leader{node="n1",term="1"}`:                               "1 1 0",
		`squall_leader{node="n2",term="2"}`:                               "1 1 1 1 0",
	} {
		if got := strings.Join(values[series], " "); got != want {
			t.Errorf("%s: %s, want %s", series, got, want)
		}
		delete(values, series)
	}
	for series := range values {
		if !strings.Contains(series, `quantile=`) {
			t.Errorf("and there is %s", series)
		}
	}
}

func TestOTLP(t *testing.T) {
	var out bytes.Buffer
	if err := OTLP(&out, short(), "a run"); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		ResourceSpans []struct {
			ScopeSpans []struct{ Spans []span }
		}
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	spans := doc.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) != 1+1+31 {
		t.Fatalf("%d spans", len(spans))
	}
	ids := map[string]bool{}
	for i, s := range spans {
		if len(s.TraceID) != 32 || len(s.SpanID) != 16 || ids[s.SpanID] || s.TraceID != spans[0].TraceID || (s.Parent == "") != (i == 0) || i > 0 && s.Parent != spans[0].SpanID {
			t.Errorf("span %d: %+v", i, s)
		}
		ids[s.SpanID] = true
	}
	if got := fmt.Sprint(spans[0].Begin, " ", spans[0].End, " ", len(spans[0].Events)); got != "1700000000500000000 1700000005600000000 6" {
		t.Errorf("the test: %s", got)
	}
	if f := spans[1]; f.Name != "fault kill" || f.Begin != "1700000002000000000" || f.End != "1700000004020000000" {
		t.Errorf("the fault: %+v", f)
	}
	if spans[2].Status.Code != statusOK || spans[5].Status != (status{statusError, hostile}) || spans[6].Status.Code != 0 {
		t.Errorf("what became of operations: %+v %+v %+v", spans[2].Status, spans[5].Status, spans[6].Status)
	}
}
