package gate

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"throughput > 2000/s":               "throughput > 2000/s",
		"throughput>2000":                   "throughput > 2000/s",
		"throughput min >= 10 ops/s":        "throughput min >= 10/s",
		"latency{op=write} p(99) < 50ms":    "latency{op=write} p(99) < 50ms",
		"latency{ op : write }p( 99.9 )<1s": "latency{op=write} p(99.9) < 1000ms",
		"latency med <= 500us":              "latency p(50) <= 0.5ms",
		"latency max < 1.5s":                "latency max < 1500ms",
		"election p(50) < 400ms":            "election p(50) < 400ms",
		"election count == 0":               "election count == 0",
		"unavailability max < 3s":           "unavailability max < 3000ms",
		"availability > 99%":                "availability > 99%",
		" leaders-lost != 1 ":               "leaders-lost != 1",
	} {
		got, err := Parse(registers(), text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got.String() != want {
			t.Errorf("%s reads as %q, want %q", text, got, want)
		}
		if got.Text != strings.TrimSpace(text) {
			t.Errorf("%q is kept as %q", text, got.Text)
		}
	}
}

func TestParseMistakes(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int
		words  string
	}{
		{"", 1, "expected a metric"},
		{"thruput > 1/s", 1, `there is no metric "thruput"; there are, the nearest first: throughput,`},
		{"client > 1ms", 1, "the nearest first: client-unavailability,"},
		{"latency < 50ms", 9, `latency has many values: say which, as in "latency p(99)"`},
		{"latency p99 < 50ms", 9, `write it as "p(99)"`},
		{"latency p(101) < 50ms", 11, "expected a number from 0 to 100"},
		{"latency p(inf) < 50ms", 11, "expected a number from 0 to 100"},
		{"latency p(99 < 50ms", 11, `there is no ")"`},
		{"latency mean < 50ms", 9, `there is no aggregation "mean"`},
		{"latency{node=n1} p(99) < 50ms", 9, `latency has no label "node"`},
		{"latency{op=wirte} p(99) < 50ms", 12, `there is no operation "wirte"; there are: read, write, cas, delete`},
		{"election{op=read} max < 1s", 9, "election has no labels"},
		{"availability p(50) > 99%", 14, "availability is one value"},
		{"availability > 99", 18, `expected "%", found nothing`},
		{"availability > 0.99 of them", 21, `expected "%"`},
		{"election max < 3", 17, "expected a unit: ns, us, ms, s or m, found nothing"},
		{"election max < 3 weeks", 18, "expected a unit"},
		{"election max 3s", 14, "expected one of <, <="},
		{"throughput 3/s", 12, `there is no aggregation "3"`},
		{"election max < -3s", 16, "expected a number with its unit"},
		{"election max < 1.2.3s", 16, "expected a number"},
		{"throughput > 1e9/s", 15, `expected "/s"`},
		{"größe > 1", 1, "there is no metric"},
		{"election max < 3s; throughput > 1/s", 17, "expected a unit"},
	} {
		_, err := Parse(registers(), c.text)
		var bad *ParseError
		if !errors.As(err, &bad) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if bad.Column != c.column || !strings.Contains(bad.Err, c.words) {
			t.Errorf("%q: column %d: %s; want column %d and %q", c.text, bad.Column, bad.Err, c.column, c.words)
		}
	}
}

func TestParseAll(t *testing.T) {
	all, err := ParseAll(registers(), "throughput > 1/s; availability > 9%;", "", "election max < 3s")
	if err != nil || len(all) != 3 || all[2].Text != "election max < 3s" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := ParseAll(registers(), "throughput > 1/s; nothing < 3"); err == nil {
		t.Error("a mistake was not found")
	}
}

// registers are the operations that the tests know.
func registers() []string { return []string{"read", "write", "cas", "delete"} }

// Where it is not known what operations there are, any name will do.
func TestParseKnowsTheOperations(t *testing.T) {
	const text = "latency{op=append} max < 1s"
	if _, err := Parse(registers(), text); err == nil {
		t.Error("a register has no append")
	}
	for _, ops := range [][]string{nil, {"read", "append"}} {
		if got, err := Parse(ops, text); err != nil || got.String() != "latency{op=append} max < 1000ms" {
			t.Errorf("among %v: %v, %v", ops, got, err)
		}
	}
	if _, err := Parse(nil, "latency{op=} max < 1s"); err == nil {
		t.Error("an operation without a name was read")
	}
}

// What is accepted reads back as itself; nothing panics.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"throughput > 2000/s", "latency{op=write} p(99) < 50ms", "election count == 0", "latency p(\xff", "availability>99.5%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(registers(), text)
		if err != nil {
			var bad *ParseError
			if !errors.As(err, &bad) || bad.Column < 1 || len(err.Error()) > 5000 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := Parse(registers(), got.String())
		if err != nil || again.String() != got.String() || again.limit != got.limit {
			t.Fatalf("%q reads as %q, and that as %q: %v", text, got, again, err)
		}
		got.Judge() // over nothing
	})
}

// Every metric, and what can be asked of it, is in the page about them.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Metrics() {
		row := "| `" + m.Name + "` |"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/metrics.md has no line that begins with %s", row)
		}
		if m.Doc == "" {
			t.Errorf("%s has no explanation", m.Name)
		}
	}
}
