package history

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The pages of reports tell operations in a browser, and are held to the same file.
func TestOperationsAreTold(t *testing.T) {
	text, err := os.ReadFile("testdata/tell.json")
	must(t, err)
	var vectors struct {
		Functions  Functions
		Operations []struct {
			F, K string
			I, O json.RawMessage
			Want string
		}
	}
	must(t, json.Unmarshal(text, &vectors))
	must(t, vectors.Functions.check())
	if len(vectors.Operations) < 20 {
		t.Fatalf("%d operations", len(vectors.Operations))
	}
	for _, v := range vectors.Operations {
		op := Op{Func: Func(v.F), Key: v.K, In: canonicalData(t, v.I), Out: canonicalData(t, v.O), Outcome: OK}
		if got := vectors.Functions.Tell(&op); got != v.Want {
			t.Errorf("%s %s %s %s:\n got %s\nwant %s", v.F, v.K, v.I, v.O, got, v.Want)
		}
		for _, outcome := range []Outcome{Fail, Info, ""} {
			op.Outcome = outcome
			unanswered := op
			unanswered.Out = ""
			if got, want := vectors.Functions.Tell(&op), vectors.Functions.Tell(&unanswered); got != want {
				t.Errorf("outcome %q: %s, want %s", outcome, got, want)
			}
		}
	}
}

func canonicalData(t *testing.T, raw []byte) Data {
	t.Helper()
	if raw == nil {
		return ""
	}
	l := lexer{b: raw}
	text, ok := l.data()
	if !ok || l.i != len(raw) {
		t.Fatalf("no data: %s", raw)
	}
	return Data(text)
}

func TestFunctionsAreRefused(t *testing.T) {
	list := func(functions string) string {
		return `{"format":"squall-history","version":2,"nodes":["n1","n2"],"mono":1000,"functions":[` + functions + `]}` + "\n"
	}
	for _, tt := range []struct{ functions, want string }{
		{`{"name":"","text":"x"}`, `function "": a name is made of`},
		{`{"name":"a b","text":"x"}`, `a name is made of`},
		{`{"name":"` + strings.Repeat("x", maxName+1) + `","text":"x"}`, `a name is made of`},
		{`{"name":"x"}`, `has no text`},
		{`{"name":"x","text":"x"},{"name":"y","text":"y"},{"name":"x","text":"z"}`, `function "x": it is listed twice`},
		{`{"name":"x","text":"x {why}"}`, `{why} is neither`},
		{`{"name":"x","text":"x {key.0}"}`, `{key.0} is neither`},
		{`{"name":"x","text":"x","answer":"{"}`, `no partner`},
		{`{"name":"x","text":"}"}`, `no partner`},
		{`{"name":"x","text":"{}"}`, `braces hold nothing`},
		{`{"name":"x","text":"a\u001b[2J"}`, `bytes that can be shown`},
		{`{"name":"x","text":"` + strings.Repeat("x", maxTemplate+1) + `"}`, `bytes that can be shown`},
		{strings.Repeat(`{"name":"x","text":"x"},`, maxFunctions) + `{"name":"x","text":"x"}`, `101 functions are listed`},
	} {
		_, damage := refusal(t, list(tt.functions))
		if damage == nil || damage.Line != 1 || !strings.Contains(damage.Error(), tt.want) {
			t.Errorf("%s: %v, want damage in line 1 with %q", tt.functions, damage, tt.want)
		}
	}
	head := list(`{"name":"append","text":"append({key}) {in}"},{"name":"read","reads":true,"text":"read({key})"}`)
	good := `{"op":"ok","p":1,"n":"n1","f":"append","k":"r1","i":7,"o":{"any":["thing"]},"t":2000,"d":5}`
	h, damage := refusal(t, head, good)
	if damage != nil || h.Functions.Reads("append") || !h.Functions.Reads("read") || h.Functions.Reads("delete") {
		t.Errorf("good functions: %v, %+v", damage, h)
	}
	_, damage = refusal(t, head, strings.Replace(good, "append", "delete", 1))
	if damage == nil || !strings.Contains(damage.Error(), `unknown function "delete"; the header lists append, read`) {
		t.Errorf("a function that is not listed: %v", damage)
	}
}

// The recorder refuses the same, and data that could not be read back.
func TestDataThatIsNoneIsNotRecorded(t *testing.T) {
	path := t.TempDir() + "/" + FileName
	if _, err := Create(path, Header{Nodes: []string{"n1"}, Functions: Functions{{Name: "x"}}}); err == nil {
		t.Error("a function without a text was recorded")
	}
	rec, err := Create(path, Header{Nodes: []string{"n1"}, Functions: Functions{{Name: "x", Text: "x"}}})
	must(t, err)
	defer rec.Close()
	good := Op{Node: "n1", Func: "x", In: `{"a":[1]}`, Out: `"\udcff"`, Outcome: OK}
	for name, change := range map[string]func(*Op){
		"another function": func(op *Op) { op.Func = "y" },
		"no JSON":          func(op *Op) { op.In = "{" },
		"two values":       func(op *Op) { op.In = "1,2" },
		"a space":          func(op *Op) { op.In = "[1, 2]" },
		"a newline":        func(op *Op) { op.Out = "1\n" },
		"another escape":   func(op *Op) { op.Out = `"\u0061"` },
		"no escape":        func(op *Op) { op.Out = "\"\xff\"" },
		"no success":       func(op *Op) { op.Outcome = Info },
	} {
		op := good
		change(&op)
		if err := rec.Append(Record{Op: &op}); err == nil {
			t.Errorf("%s was recorded: %+v", name, op)
		}
	}
	must(t, rec.Append(Record{Op: &good}))
	must(t, rec.Flush())
	if h, err := Load(path); err != nil || len(h.Ops) != 1 || h.Ops[0] != good {
		t.Errorf("the good one came back as %+v, %v", h, err)
	}
}

func TestDataIsTakenApart(t *testing.T) {
	d := Data(`{"a":[1,"x,]}\"",{"b":null},[[]]],"":{"é":"y"}}`)
	if !d.Valid() {
		t.Fatal("not data")
	}
	for _, tt := range []struct {
		path []string
		want Data
	}{
		{[]string{"a", "0"}, "1"}, {[]string{"a", "1"}, `"x,]}\""`}, {[]string{"a", "2", "b"}, Null}, {[]string{"a", "3"}, "[[]]"},
		{[]string{"a", "3", "0"}, "[]"}, {[]string{"a", "3", "0", "0"}, ""}, {[]string{"a", "4"}, ""}, {[]string{"a", "-1"}, ""}, {[]string{"a", ""}, ""},
		{[]string{"a", "01"}, ""}, {[]string{"", "é"}, `"y"`}, {[]string{"b"}, ""}, {[]string{"0"}, ""},
	} {
		got := d
		for _, step := range tt.path {
			got = got.At(step)
		}
		if got != tt.want {
			t.Errorf("%q of %s is %s, want %s", tt.path, d, got, tt.want)
		}
	}
	for _, none := range []Data{"", `"`, "1", "null", "[1]", "{}"} {
		if s, ok := none.Text(); ok {
			t.Errorf("%s is the string %q", none, s)
		}
	}
}

// Whatever text data is made of, it is taken apart without harm.
func FuzzData(f *testing.F) {
	f.Add(`{"a":[1,"x,]}\"",{"b":null},[[]]],"":{"é":"y"}}`)
	f.Add(`[1, 2 ,{ }]`)
	f.Add(`["\udcc3\udca9"]`)
	f.Fuzz(func(t *testing.T, s string) {
		d := Data(s)
		valid := d.Valid()
		if valid && !json.Valid([]byte(s)) {
			t.Fatalf("%q is no JSON", s)
		}
		op := Op{Func: CAS, In: d, Out: d, Outcome: OK}
		_ = RegisterFunctions().Tell(&op)
		_ = op.AsRegister(new(RegisterData))
		l := lexer{b: []byte(s)}
		if text, ok := l.data(); ok && !Data(text).Valid() {
			t.Fatalf("%q became %q, which is not of the one form", s, text)
		}
		if s, ok := d.Text(); ok && valid && Text(s) != d {
			t.Fatalf("%q became %q", d, Text(s))
		}
	})
}

// Histories from before writes told what they replaced are of registers as well.
func TestRegistersOfBefore(t *testing.T) {
	before := RegisterFunctions()
	before[1].Answer = ""
	other := RegisterFunctions()
	other[0].Answer = ""
	if !RegisterFunctions().isRegister() || !before.isRegister() || other.isRegister() || before[:3].isRegister() {
		t.Error("functions of registers are not told from others")
	}
}
