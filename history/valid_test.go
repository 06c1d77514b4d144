package history

import (
	"errors"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"squall/history/historytest"
)

const validHead = `{"format":"squall-history","version":1,"nodes":["n1","n2"],"mono":1000}` + "\n"

// refusal makes a history of lines, and says what is wrong with it.
func refusal(t *testing.T, head string, lines ...string) (*History, *DamageError) {
	t.Helper()
	h, err := load(t, historytest.Pack(t, []byte(strings.TrimSpace(head+strings.Join(lines, "\n"))+"\n")))
	var damage *DamageError
	if err != nil && !errors.As(err, &damage) {
		t.Fatalf("not a DamageError: %v", err)
	}
	return h, damage
}

// What no recorder writes is refused, with its line. Each case is the line that
// must be refused after those that may stand before it.
func TestWhatNoRecorderWritesIsRefused(t *testing.T) {
	const (
		write  = `{"op":"ok","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000,"d":100}`
		inject = `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100}`
		heal   = `{"fault":"kill","id":1,"phase":"heal","targets":["n1"],"t":3000,"end":3100}`
		start  = `{"node":"n1","boot":1,"e":"start","t":2000}`
		exit   = `{"node":"n1","boot":1,"e":"exit","t":2500,"reason":"x"}`
	)
	for _, tt := range []struct {
		name   string
		before []string
		line   string
		want   string
	}{
		{"write without value", nil, `{"op":"info","p":1,"n":"n1","f":"write","k":"r1","e":"timeout","t":2000,"d":5}`, `without its value to store "v"`},
		{"write under way without value", nil, `{"op":"invoke","p":1,"n":"n1","f":"write","k":"r1","t":2000}`, `without its value to store "v"`},
		{"write of null", nil, `{"op":"info","p":1,"n":"n1","f":"write","k":"r1","v":null,"t":2000,"d":5}`, `stores nothing`},
		{"write with result", nil, `{"op":"ok","p":1,"n":"n1","f":"write","k":"r1","v":"1","r":"2","t":2000,"d":5}`, `has a result "r"`},
		{"write that expects", nil, `{"op":"ok","p":1,"n":"n1","f":"write","k":"r1","v":"1","x":"2","t":2000,"d":5}`, `has a value to expect "x"`},
		{"read that stores", nil, `{"op":"ok","p":1,"n":"n1","f":"read","k":"r1","v":"1","r":"2","t":2000,"d":5}`, `has a value to store "v"`},
		{"read without result", nil, `{"op":"ok","p":1,"n":"n1","f":"read","k":"r1","t":2000,"d":5}`, `without its result "r"`},
		{"failed read with result", nil, `{"op":"fail","p":1,"n":"n1","f":"read","k":"r1","r":"2","t":2000,"d":5}`, `has a result "r"`},
		{"unknown read with result", nil, `{"op":"info","p":1,"n":"n1","f":"read","k":"r1","r":null,"t":2000,"d":5}`, `has a result "r"`},
		{"cas without value", nil, `{"op":"info","p":1,"n":"n1","f":"cas","k":"r1","x":"1","t":2000,"d":5}`, `without its value to store "v"`},
		{"cas without expectation", nil, `{"op":"ok","p":1,"n":"n1","f":"cas","k":"r1","v":"1","t":2000,"d":5}`, `without its value to expect "x"`},
		{"unknown cas with result", nil, `{"op":"info","p":1,"n":"n1","f":"cas","k":"r1","v":"1","x":"2","r":"3","t":2000,"d":5}`, `has a result "r"`},
		{"delete that stores", nil, `{"op":"ok","p":1,"n":"n1","f":"delete","k":"r1","v":"1","t":2000,"d":5}`, `has a value to store "v"`},
		{"unknown function", nil, `{"op":"ok","p":1,"n":"n1","f":"append","k":"r1","v":"1","t":2000,"d":5}`, `unknown function "append"`},
		{"unknown outcome", nil, `{"op":"perhaps","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000,"d":5}`, `unknown outcome "perhaps"`},
		{"no process", nil, `{"op":"ok","n":"n1","f":"write","k":"r1","v":"1","t":2000,"d":5}`, `without a process "p"`},
		{"no node", nil, `{"op":"ok","p":1,"f":"write","k":"r1","v":"1","t":2000,"d":5}`, `without a node "n"`},
		{"no key", nil, `{"op":"ok","p":1,"n":"n1","f":"write","v":"1","t":2000,"d":5}`, `without a key "k"`},
		{"answer of what is under way", nil, `{"op":"invoke","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000,"d":5}`, `still under way`},

		{"backwards", nil, `{"op":"ok","p":2,"n":"n1","f":"read","k":"r1","r":null,"t":3000,"d":-1500}`, `returned 1.5µs before its call (d = -1500): {"op":"ok","p":2,`},
		{"overflow", nil, `{"op":"ok","p":2,"n":"n1","f":"read","k":"r1","r":null,"t":9000000000000000000,"d":9000000000000000000}`, `no clock shows`},
		{"before the begin", nil, `{"op":"ok","p":2,"n":"n1","f":"read","k":"r1","r":null,"t":999,"d":5}`, `before the start of the test`},
		{"negative", nil, `{"op":"ok","p":2,"n":"n1","f":"read","k":"r1","r":null,"t":-9000000000000000000,"d":5}`, `before the start of the test`},
		{"far after", nil, `{"op":"ok","p":2,"n":"n1","f":"read","k":"r1","r":null,"t":9000000000000000000,"d":5}`, `after the start of the test`},
		{"returns far after", nil, `{"op":"ok","p":2,"n":"n1","f":"read","k":"r1","r":null,"t":2000,"d":9000000000000000000}`, `after the start of the test`},

		{"two at a time", []string{write}, `{"op":"ok","p":1,"n":"n1","f":"read","k":"r1","r":"1","t":2050,"d":5}`, `runs one at a time`},
		{"twice", []string{write}, write, `recorded twice`},
		{"two with one call", []string{write}, `{"op":"ok","p":1,"n":"n1","f":"read","k":"r1","r":"1","t":2000,"d":5}`, `recorded twice`},
		{"after info", []string{`{"op":"info","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000,"d":5}`}, `{"op":"ok","p":1,"n":"n1","f":"read","k":"r1","r":"1","t":3000,"d":5}`, `continues at`},
		{"invoked twice", []string{`{"op":"invoke","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000}`}, `{"op":"invoke","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000}`, `recorded twice`},
		{"invoked after its end", []string{write}, `{"op":"invoke","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000}`, `recorded twice`},
		{"ends as another", []string{`{"op":"invoke","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":2000}`}, `{"op":"ok","p":1,"n":"n1","f":"write","k":"r1","v":"2","t":2000,"d":5}`, `ends as a different operation`},
		{"negative process", nil, `{"op":"ok","p":-1,"n":"n1","f":"write","k":"r1","v":"1","t":2000,"d":5}`, `process -1`},

		{"stranger", nil, `{"op":"ok","p":1,"n":"n7","f":"write","k":"r1","v":"1","t":2000,"d":5}`, `names the node "n7"`},
		{"event of a stranger", nil, `{"node":"../../x","boot":1,"e":"start","t":2000}`, `names the node "../../x"`},
		{"fault of a stranger", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n9"],"t":2000,"end":2100}`, `names the node "n9"`},
		{"cut from a stranger", nil, `{"fault":"partition","id":1,"phase":"inject","targets":["n1"],"cut":[{"from":"x","to":"n1"}],"t":2000,"end":2100}`, `names the node "x"`},

		{"unknown event", nil, `{"node":"n1","boot":1,"e":"dance","t":2000}`, `unknown kind "dance"`},
		{"unknown role", nil, `{"node":"n1","boot":1,"e":"role","t":2000,"role":"king"}`, `unknown role "king"`},
		{"unknown role in a log", nil, `{"node":"n1","boot":1,"e":"logged","t":2000,"role":"stopped"}`, `unknown role "stopped"`},
		{"a stranger leads by a log", nil, `{"node":"n1","boot":1,"e":"logged","t":2000,"role":"follower","leader":"n9"}`, `names the node "n9"`},
		{"vote for nobody", nil, `{"node":"n1","boot":1,"e":"vote","t":2000,"term":1}`, `without its "vote"`},
		{"state without hash", nil, `{"node":"n1","boot":1,"e":"state","t":2000,"i":1}`, `without its "h"`},
		{"boot 0", nil, `{"node":"n1","boot":0,"e":"start","t":2000}`, `boot 0`},
		{"boot again", []string{start}, start, `boot numbers only increase`},
		{"boot that never started", []string{start}, `{"node":"n1","boot":7,"e":"pause","t":2100}`, `the last that was started is 1`},
		{"two ends", []string{start, exit}, exit, `had ended before`},
		{"event before the begin", nil, `{"node":"n1","boot":1,"e":"start","t":5}`, `before the start`},

		{"heal without injection", nil, heal, `was never injected`},
		{"injected twice", []string{inject}, inject, `injected twice`},
		{"healed twice", []string{inject, heal}, heal, `healed twice`},
		{"healed as another", []string{inject}, `{"fault":"pause","id":1,"phase":"heal","targets":["n1"],"t":3000,"end":3100}`, `is healed as "pause"`},
		{"healed before", []string{inject}, `{"fault":"kill","id":1,"phase":"heal","targets":["n1"],"t":1500,"end":1600}`, `before its injection was over`},
		{"aimed at a moment of a stranger", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100,"aim":{"moment":"vote-granted","t":1900,"node":"n9"}}`, `the aim of fault 1 names the node`},
		{"aimed at nothing", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100,"aim":{"t":1900}}`, `a moment without a name`},
		{"aimed at what came later", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100,"aim":{"moment":"vote-granted","t":2001}}`, `before its moment at 2001`},
		{"aimed before its moment", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100,"aim":{"moment":"vote-granted","t":1900,"after":-1}}`, `1 ns before its moment`},
		{"knows whose moment it has missed", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100,"aim":{"moment":"vote-granted","node":"n1"}}`, `has missed its moment, and says whose it was`},
		{"lapses as it is injected", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100,"lapsed":"x"}`, `only the heal can say so`},
		{"ends before it begins", nil, `{"fault":"kill","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":1900}`, `before its start`},
		{"unknown phase", nil, `{"fault":"kill","id":1,"phase":"linger","targets":["n1"],"t":2000,"end":2100}`, `unknown phase`},
		{"unknown kind of fault", nil, `{"fault":"kill","kind":"magic","id":1,"phase":"inject","targets":["n1"],"t":2000,"end":2100}`, `unknown kind "magic"`},

		{"unknown mark", nil, `{"mark":"intermission","t":2000}`, `unknown mark`},
		{"marks out of order", []string{`{"mark":"load-end","t":2000}`}, `{"mark":"load-begin","t":3000}`, `comes after "load-end"`},
		{"marks back in time", []string{`{"mark":"load-begin","t":3000}`}, `{"mark":"load-end","t":2000}`, `which came first`},
		{"mark twice", []string{`{"mark":"done","t":3000}`}, `{"mark":"done","t":3000}`, `occurs twice`},
		{"clock of nonsense", nil, `{"mark":"clock","t":3000,"clock":{"offset":-9000000000000000000,"error":1}}`, `comparison of clocks`},
		{"a rate of nothing", nil, `{"mark":"rate","t":3000}`, `always says at what rate operations arrive`},
		{"a rate elsewhere", nil, `{"mark":"up","t":3000,"rate":{"from":1,"to":1,"for":0}}`, `always says at what rate operations arrive`},
		{"a rate below nothing", nil, `{"mark":"rate","t":3000,"rate":{"from":1,"to":-1,"for":5}}`, `has 1 to -1 operations a second in 5 ns`},
		{"a rate without an end", nil, `{"mark":"rate","t":3000,"rate":{"from":1e300,"to":1,"for":5}}`, `has 1e+300 to 1 operations a second`},
		{"copies of nowhere", nil, `{"mark":"replicas","t":3000}`, `always says what nodes told of their copies`},
		{"copies elsewhere", nil, `{"mark":"up","t":3000,"replicas":{"at":1,"of":[]}}`, `always says what nodes told of their copies`},
		{"copies of a stranger", nil, `{"mark":"replicas","t":3000,"replicas":{"at":1,"of":[{"node":"n9","position":1,"digest":"a"}]}}`, `names the node "n9"`},
		{"copies of one twice", nil, `{"mark":"replicas","t":3000,"replicas":{"at":1,"of":[{"node":"n1","err":"x"},{"node":"n1","err":"x"}]}}`, `names n1 twice`},
		{"copies of some", nil, `{"mark":"replicas","t":3000,"replicas":{"at":1,"of":[{"node":"n1","err":"x"}]}}`, `lacks the node n2`},
		{"a copy without a digest", nil, `{"mark":"replicas","t":3000,"replicas":{"at":1,"of":[{"node":"n1","position":1}]}}`, `of n1, a digest or why there is none`},
		{"copies later than wanted", nil, `{"mark":"replicas","t":3000,"replicas":{"at":7,"wanted":6,"of":[]}}`, `which comes before it`},
		{"a copy of the future", nil, `{"mark":"replicas","t":3000,"replicas":{"at":7,"of":[{"node":"n1","position":6,"digest":"a"}]}}`, `had only come to 6`},
		{"bound of nonsense", nil, `{"mark":"healed","t":3000,"bound":-5}`, `bound`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.before) > 0 {
				if _, damage := refusal(t, validHead, tt.before...); damage != nil {
					t.Fatalf("what stands before is refused: %v", damage)
				}
			}
			_, damage := refusal(t, validHead, append(tt.before, tt.line)...)
			if damage == nil || !strings.Contains(damage.Error(), tt.want) {
				t.Fatalf("%v, want damage with %q", damage, tt.want)
			}
			if want := int64(len(tt.before) + 2); damage.Line != want {
				t.Errorf("line %d, want %d: %v", damage.Line, want, damage)
			}
		})
	}
}

func TestHeadersAreRefused(t *testing.T) {
	for _, tt := range []struct{ head, want string }{
		{`{"format":"squall-history","version":1,"nodes":["n1"],"mono":-9000000000000000000}`, "began at"},
		{`{"format":"squall-history","version":1,"nodes":["n1"],"mono":9000000000000000000}`, "began at"},
		{`{"format":"squall-history","version":1}`, "names 0 nodes"},
		{`{"format":"squall-history","version":1,"nodes":["n1","n1"]}`, "n1 twice"},
		{`{"format":"squall-history","version":1,"nodes":["../x"]}`, "made of letters"},
		{`{"format":"squall-history","version":1,"nodes":["a/b"]}`, "made of letters"},
		{`{"format":"squall-history","version":1,"nodes":["a\u001b[2J"]}`, "made of letters"},
		{`{"format":"squall-history","version":1,"nodes":["driver"]}`, "machine of the clients"},
	} {
		if _, damage := refusal(t, tt.head+"\n"); damage == nil || damage.Line != 1 || !strings.Contains(damage.Error(), tt.want) {
			t.Errorf("%s: %v, want damage in line 1 with %q", tt.head, damage, tt.want)
		}
	}
}

// What a recorder may well write is not refused.
func TestOddHistoriesThatAreGood(t *testing.T) {
	for name, lines := range map[string][]string{
		"a clock that may be wrong": {`{"mark":"clock","t":1000,"clock":{"offset":5,"error":100}}`, `{"node":"n1","boot":1,"e":"start","t":950}`},
		"a process whose answer was lost goes on": {`{"op":"invoke","p":1,"n":"n1","f":"read","k":"r1","t":2000}`,
			`{"op":"ok","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":3000,"d":100}`},
		"one operation after another without a gap": {`{"op":"ok","p":1,"n":"n1","f":"write","k":"r1","v":"1","t":3000,"d":100}`,
			`{"op":"ok","p":1,"n":"n1","f":"read","k":"r1","r":"1","t":3100,"d":100}`},
		"clients are cut off":   {`{"fault":"partition","id":1,"phase":"inject","targets":["n1"],"cut":[{"from":"clients","to":"n1"}],"t":2000,"end":2100}`},
		"a late trace":          {`{"node":"n1","boot":1,"e":"start","t":2000}`, `{"node":"n1","boot":2,"e":"start","t":4000}`, `{"node":"n1","boot":1,"e":"pause","t":2500}`},
		"a test that ends soon": {`{"mark":"up","t":1000}`, `{"mark":"invalid","t":2000,"text":"x"}`, `{"mark":"done","t":2000}`},
	} {
		if _, damage := refusal(t, validHead, lines...); damage != nil {
			t.Errorf("%s: %v", name, damage)
		}
	}
}

func TestHistoriesFromTheField(t *testing.T) {
	lines := map[string]int64{"x1-info-no-value": 126, "v2-backwards-stale": 131}
	for _, name := range historytest.FieldNames(t) {
		_, damage := refusal(t, string(historytest.FieldLines(t, name)))
		switch {
		case lines[name] == 0 && damage != nil:
			t.Errorf("%s: %v", name, damage)
		case lines[name] != 0 && (damage == nil || damage.Line != lines[name]):
			t.Errorf("%s: %v, want damage in line %d", name, damage, lines[name])
		}
	}
}

// Every kind of event, mark and fault that this package names is known to the
// validator.
func TestEveryNameIsKnown(t *testing.T) {
	parsed, err := goparser.ParseFile(token.NewFileSet(), "record.go", nil, 0)
	must(t, err)
	seen := map[string]int{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, is := n.(*ast.ValueSpec)
		if !is || len(spec.Values) == 0 {
			return true
		}
		literal, is := spec.Values[0].(*ast.BasicLit)
		if !is || literal.Kind != token.STRING {
			return true
		}
		value, _ := strconv.Unquote(literal.Value)
		v, err := newValidator(testHeader())
		must(t, err)
		name, at := spec.Names[0].Name, v.header.Mono
		for prefix, check := range map[string]func() error{
			"Event": func() error {
				return v.node(&NodeEvent{Node: "n1", Boot: 1, Kind: value, Time: at, Role: RoleLeader, Vote: "n1", Hash: "aa"})
			},
			"Role": func() error { return v.node(&NodeEvent{Node: "n1", Boot: 1, Kind: EventRole, Time: at, Role: value}) },
			"Mark": func() error {
				m := Mark{Name: value, Time: at}
				switch value {
				case MarkReplicas:
					m.Replicas = copiesOf("n1", "n2", "n3")
				case MarkRate:
					m.Rate = &Rate{From: 1, To: 1}
				}
				return v.mark(&m)
			},
			"Kind": func() error {
				return v.fault(&Fault{Name: "x", Kind: FaultKind(value), ID: 1, Phase: Inject, Begin: at})
			},
		} {
			if strings.HasPrefix(name, prefix) {
				seen[prefix]++
				if err := check(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		return true
	})
	if seen["Event"] < 12 || seen["Mark"] < 12 || seen["Kind"] < 6 || seen["Role"] < 4 {
		t.Errorf("found only %v", seen)
	}
}

// The recorder refuses what its readers would, so that one bad record does not
// spoil the file.
func TestTheRecorderRefusesTheSame(t *testing.T) {
	path := t.TempDir() + "/" + FileName
	rec, err := Create(path, testHeader())
	must(t, err)
	good := Record{Mark: &Mark{Name: MarkUp, Time: 2000}}
	must(t, rec.Append(good))
	for _, bad := range []Record{good,
		{Node: &NodeEvent{Node: "n9", Boot: 1, Kind: EventStart, Time: 2000}},
		{Node: &NodeEvent{Node: "n1", Boot: 1, Kind: EventStart, Time: 9e18}},
		{Fault: &Fault{Name: "kill", ID: 1, Phase: Heal, Begin: 2000}},
	} {
		if err := rec.Append(bad); err == nil || !strings.Contains(err.Error(), "not recorded, because it cannot be") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	must(t, rec.Close())
	if h, err := Load(path); err != nil || h.Info.Records != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := Create(path, Header{Nodes: []string{"a/b"}}); err == nil {
		t.Error("a header that no reader believes was written")
	}
}

// TestExcerptOfALine: what is shown of a damaged line is short, readable, and
// nothing that a terminal would obey.
func TestExcerptOfALine(t *testing.T) {
	for in, want := range map[string]string{
		`{"op":"ok","k":"é"}`:   `{"op":"ok","k":"é"}`,
		"":                      `""`,
		"a\x1b[2Jb":             `"a\x1b[2Jb"`,
		"a\u202eb":              `"a\u202eb"`,
		"a\xffb":                `"a\xffb"`,
		strings.Repeat("x", 80): strings.Repeat("x", 80),
		strings.Repeat("x", 81): strings.Repeat("x", 77) + "…",
		strings.Repeat("x", 76) + "éééééééééé": strings.Repeat("x", 76) + "…",
	} {
		if got := lineExcerpt([]byte(in)); got != want {
			t.Errorf("of %q: %s; want %s", in, got, want)
		}
	}
}

// copiesOf are copies of the state that are the same on these nodes.
func copiesOf(nodes ...string) *Replicas {
	r := &Replicas{At: 7}
	for _, n := range nodes {
		r.Of = append(r.Of, Replica{Node: n, Position: 7, Digest: "aa"})
	}
	return r
}
