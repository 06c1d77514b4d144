package history

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestOpLines(t *testing.T) {
	tests := []struct {
		name string
		op   Op
		open bool
		want string
	}{
		{"write", Op{Process: 12, Node: "n1", Func: Write, Key: "r3", In: `"81"`, Outcome: OK, Call: 100, Return: 130},
			false, `{"op":"ok","p":12,"n":"n1","f":"write","k":"r3","i":"81","t":100,"d":30}`},
		{"read", Op{Process: 1, Node: "n2", Func: Read, Key: "r3", Out: `"81"`, Outcome: OK, Call: 5, Return: 6, Final: true},
			false, `{"op":"ok","p":1,"n":"n2","f":"read","k":"r3","o":"81","t":5,"d":1,"final":true}`},
		{"read of nothing", Op{Process: 1, Node: "n2", Func: Read, Key: "r3", Out: Null, Outcome: OK, Call: 5, Return: 6},
			false, `{"op":"ok","p":1,"n":"n2","f":"read","k":"r3","o":null,"t":5,"d":1}`},
		{"read failed", Op{Process: 1, Node: "n2", Func: Read, Key: "r3", Outcome: Fail, Error: "no leader", Call: 5, Return: 6},
			false, `{"op":"fail","p":1,"n":"n2","f":"read","k":"r3","e":"no leader","t":5,"d":1}`},
		{"cas", Op{Process: 1, Node: "n2", Func: CAS, Key: "k", In: `["a","b"]`, Out: True, Outcome: OK, Call: 5, Return: 6},
			false, `{"op":"ok","p":1,"n":"n2","f":"cas","k":"k","i":["a","b"],"o":true,"t":5,"d":1}`},
		{"cas of unknown outcome", Op{Process: 1, Node: "n2", Func: CAS, Key: "k", In: `[null,"b"]`, Outcome: Info, Error: "timeout", Call: 5, Return: 6},
			false, `{"op":"info","p":1,"n":"n2","f":"cas","k":"k","i":[null,"b"],"e":"timeout","t":5,"d":1}`},
		{"delete", Op{Process: 1, Node: "n2", Func: Delete, Key: "k", Outcome: OK, Call: 5, Return: 6},
			false, `{"op":"ok","p":1,"n":"n2","f":"delete","k":"k","t":5,"d":1}`},
		{"under way", Op{Process: 1, Node: "n2", Func: Write, Key: "k", In: `"9"`, Call: 5},
			true, `{"op":"invoke","p":1,"n":"n2","f":"write","k":"k","i":"9","t":5}`},
		{"over several keys", Op{Process: 1, Node: "n2", Func: "txn", In: `[["r","x",null],["append","y",[1,-2.5e+9]]]`, Out: `{"x":[],"y":{}}`, Outcome: OK, Call: 5, Return: 6},
			false, `{"op":"ok","p":1,"n":"n2","f":"txn","i":[["r","x",null],["append","y",[1,-2.5e+9]]],"o":{"x":[],"y":{}},"t":5,"d":1}`},
		{"escapes", Op{Process: -1, Node: "", Func: Write, Key: "\"\\\n\x01é\xff\u2028", In: Text("\"\\\n\x01é\xff\u2028"), Outcome: OK, Call: math.MinInt64, Return: math.MinInt64},
			false, `{"op":"ok","p":-1,"n":"","f":"write","k":"\"\\\n\u0001é\udcff` + "\u2028" + `","i":"\"\\\n\u0001é\udcff` + "\u2028" + `","t":-9223372036854775808,"d":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			line := AppendOp(nil, &tt.op, tt.open)
			if got := string(line); got != tt.want+"\n" {
				t.Fatalf("line:\n got %s want %s", got, tt.want)
			}
			if !json.Valid(line) {
				t.Fatalf("not valid JSON: %s", line)
			}
			rec, open, err := ParseLine(line)
			if err != nil {
				t.Fatal(err)
			}
			if open != tt.open {
				t.Errorf("open = %v, want %v", open, tt.open)
			}
			if diff := cmp.Diff(Record{Op: &tt.op}, rec); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseUnusualLines(t *testing.T) {
	want := &Op{Process: 1, Node: "n1", Func: Read, Key: "k/😀", Out: `"a\udcffb"`, Outcome: OK, Call: 10, Return: 15}
	for _, line := range []string{
		`{"op":"ok","p":1,"n":"n1","f":"read","k":"k\/\ud83d\ude00","o":"a\udcffb","t":10,"d":5}`,
		`{ "op": "ok", "p": 1, "n": "n1", "f": "read", "k": "k/😀", "o": "a\udcffb", "t": 10, "d": 5 }`,
		`{"d":5,"t":10,"o":"a\uDCFFb","k":"k/😀","f":"read","n":"n1","p":1,"op":"ok","final":false,"later":{"x":[1]}}`,
		"{\"op\":\"ok\",\"p\":1,\"n\":\"n1\",\"f\":\"read\",\"k\":\"k/😀\",\"o\":\"a\xffb\",\"t\":10,\"d\":5}",
	} {
		rec, open, err := ParseLine([]byte(line))
		if err != nil || open {
			t.Errorf("%s: open=%v err=%v", line, open, err)
			continue
		}
		if diff := cmp.Diff(want, rec.Op); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

// TestTheOldMarkIsRead: histories of earlier versions call the mark "leader".
func TestTheOldMarkIsRead(t *testing.T) {
	for _, line := range []string{`{"mark":"leader","t":5,"text":"n2"}`, `{"mark":"serving","t":5,"text":"n2"}`} {
		rec, _, err := ParseLine([]byte(line))
		if err != nil || rec.Mark == nil || *rec.Mark != (Mark{Name: MarkServing, Time: 5, Text: "n2"}) {
			t.Errorf("%s: %+v, %v", line, rec.Mark, err)
		}
	}
}

func TestParseBadLines(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{``, "not a line of a history"},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","o":"1","o":"2","t":1,"d":1}`, `the key "o" occurs twice`},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","o":"1","t":1,"d":1,"O":"2"}`, `the key "O" occurs twice`},
		{`{"node":"n1","boot":1,"e":"vote","t":1,"node":"n2"}`, `the key "node" occurs twice`},
		{`{"mark":"up","t":1} {"mark":"done","t":2}`, "something follows the JSON object"},
		{`[]`, "not a line of a history"},
		{`{"op":"ok"`, "not a line of a history"},
		{`{}`, "exactly one of the keys"},
		{`{"op":"ok","mark":"up"}`, "exactly one of the keys"},
		{`{"op":"ok","p":1,"n":"n1","k":"k","t":1,"d":1}`, "without a function"},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","d":1}`, "without a call time"},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","t":1}`, "without a duration"},
		{`{"op":"maybe","p":1,"n":"n1","f":"read","k":"k","t":1,"d":1}`, `unknown outcome "maybe"`},
		{`{"op":"ok","p":1.5,"n":"n1","f":"read","k":"k","t":1,"d":1}`, `bad value of "p"`},
		{`{"op":"ok","p":01,"n":"n1","f":"read","k":"k","t":1,"d":1}`, "not a line of a history"},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":3,"t":1,"d":1}`, `bad value of "k"`},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","t":9223372036854775808,"d":1}`, `bad value of "t"`},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","t":1,"d":1}}`, "not a line of a history"},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","o":[1,],"t":1,"d":1}`, "not a line of a history"},
		{`{"op":"ok","p":1,"n":"n1","f":"read","k":"k","o":` + strings.Repeat("[", maxNested+2) + strings.Repeat("]", maxNested+2) + `,"t":1,"d":1}`, `bad value of "o"`},
		{`{"op":"fail","p":1,"n":"n1","f":"read","k":"k","o":"1","t":1,"d":1}`, `has an answer "o"`},
		{`{"op":"info","p":1,"n":"n1","f":"read","k":"k","o":null,"t":1,"d":1}`, `has an answer "o"`},
		{`{"op":"invoke","p":1,"n":"n1","f":"read","k":"k","o":null,"t":1}`, `with an answer`},
		{`{"fault":7}`, "decode a line of a history"},
		{`{"node":"n1","boot":"x"}`, "decode a line of a history"},
	} {
		_, _, err := ParseLine([]byte(tt.line))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.line, err, tt.want)
		}
	}
}

// anyString draws strings with every kind of byte, not only valid text.
func anyString() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z0-9]{0,6}`),
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
}

// anyData draws JSON values of every kind.
func anyData(depth int) *rapid.Generator[Data] {
	return rapid.Custom(func(t *rapid.T) Data {
		kinds := 6
		if depth == 0 {
			kinds = 4
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]Data{Null, True, False}).Draw(t, "word")
		case 1, 2:
			return Text(anyString().Draw(t, "text"))
		case 3:
			return Data(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number"))
		case 4:
			return List(rapid.SliceOfN(anyData(depth-1), 0, 4).Draw(t, "list")...)
		}
		object := Data("{")
		for i, key := range rapid.SliceOfN(anyString(), 0, 4).Draw(t, "keys") {
			if i > 0 {
				object += ","
			}
			object += Text(key) + ":" + anyData(depth-1).Draw(t, "field")
		}
		return object + "}"
	})
}

// anyOp draws operations that can be.
func anyOp() *rapid.Generator[Op] {
	return rapid.Custom(func(t *rapid.T) Op {
		op := Op{
			Process: rapid.Int64().Draw(t, "process"),
			Node:    anyString().Draw(t, "node"),
			Func:    Func(anyString().Draw(t, "func")),
			Key:     anyString().Draw(t, "key"),
			Outcome: rapid.SampledFrom([]Outcome{OK, Fail, Info}).Draw(t, "outcome"),
			Error:   anyString().Draw(t, "error"),
			Call:    rapid.Int64().Draw(t, "call"),
			Final:   rapid.Bool().Draw(t, "final"),
		}
		op.Return = op.Call + rapid.Int64Range(0, math.MaxInt64-max(op.Call, 0)).Draw(t, "length")
		if rapid.Bool().Draw(t, "asks") {
			op.In = anyData(3).Draw(t, "in")
		}
		if op.Outcome == OK && rapid.Bool().Draw(t, "answers") {
			op.Out = anyData(3).Draw(t, "out")
		}
		return op
	})
}

func TestOpRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := anyOp().Draw(t, "op")
		line := AppendOp(nil, &op, false)
		if !json.Valid(line) {
			t.Fatalf("not JSON: %q", line)
		}
		if _, _, ok := new(parser).op(line[:len(line)-1]); !ok {
			t.Fatalf("the fast parser gave up on %q", line)
		}
		rec, open, err := ParseLine(line)
		if err != nil || open {
			t.Fatalf("%q: open=%v err=%v", line, open, err)
		}
		if diff := cmp.Diff(op, *rec.Op); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", line, diff)
		}
		if err := op.checkData(); err != nil {
			t.Fatal(err)
		}
	})
}

func anyNode() *rapid.Generator[NodeEvent] {
	return rapid.Custom(func(t *rapid.T) NodeEvent {
		return NodeEvent{
			Node: rapid.String().Draw(t, "node"), Boot: rapid.Int().Draw(t, "boot"),
			Kind: rapid.String().Draw(t, "kind"), Time: rapid.Int64().Draw(t, "time"),
			Term: rapid.Uint64().Draw(t, "term"), Role: rapid.String().Draw(t, "role"),
			Leader: rapid.String().Draw(t, "leader"), Vote: rapid.String().Draw(t, "vote"),
			Index: rapid.Uint64().Draw(t, "index"), EntryTerm: rapid.Uint64().Draw(t, "entry term"),
			Hash: rapid.String().Draw(t, "hash"), Members: rapid.SliceOf(rapid.String()).Draw(t, "members"),
			Reason:  rapid.String().Draw(t, "reason"),
			Timeout: rapid.Int64().Draw(t, "timeout"), Late: rapid.Int64().Draw(t, "late"),
		}
	})
}

func TestNodeLineIsWhatJSONWouldBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyNode().Draw(t, "event")
		line := AppendNode(nil, &e)
		var std NodeEvent
		if err := json.Unmarshal(line, &std); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		rec, _, err := ParseLine(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, got := range []NodeEvent{std, *rec.Node} {
			if diff := cmp.Diff(e, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%q (-want +got):\n%s", line, diff)
			}
		}
	})
}

func TestOtherRecordsRoundTrip(t *testing.T) {
	for _, rec := range []Record{
		{Fault: &Fault{Name: "partition", ID: 3, Variant: "halves", Phase: Inject, Targets: []string{"n1"},
			Cut: []Link{{From: "n1", To: "n2"}}, Begin: 5, End: 9, Proof: []string{"n1 cannot reach n2"}}},
		{Mark: &Mark{Name: MarkInvalid, Time: 7, Text: "the engine went away"}},
		{Node: &NodeEvent{Node: "n1", Boot: 1, Kind: EventRole, Time: 5, Role: RoleLeader, Term: 2}},
	} {
		line, err := AppendRecord(nil, rec)
		if err != nil {
			t.Fatal(err)
		}
		for key, is := range map[string]bool{"fault": rec.Fault != nil, "mark": rec.Mark != nil, "node": rec.Node != nil} {
			if strings.HasPrefix(string(line), `{"`+key+`":`) != is {
				t.Errorf("first key of %s: %s=%v", line, key, is)
			}
		}
		got, _, err := ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	if _, err := AppendRecord(nil, Record{}); err == nil {
		t.Error("an empty record was encoded")
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"op":"ok","p":12,"n":"n1","f":"write","k":"r3","i":"81","t":123456789,"d":812345}`))
	f.Add([]byte(`{"op":"invoke","p":-1,"n":"n1","f":"cas","k":"\udcff","i":[null, "\ud83d"],"t":1,"final":true}`))
	f.Add([]byte(`{"op":"ok","p":1,"n":"n1","f":"txn","i":[[0,-1.5e+3],{}],"o":{"é":[{"a":"\/"},true]},"t":1,"d":1}`))
	f.Add([]byte(`{"node":"n1","boot":1,"e":"members","t":5,"members":["a","b"],"i":18446744073709551615}`))
	f.Add([]byte(`{"fault":"kill","id":1,"phase":"inject","targets":null,"t":1,"end":2}`))
	f.Add([]byte(`{"mark":"up","t":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		rec, open, err := ParseLine(line)
		if err != nil {
			return
		}
		if rec.Op != nil {
			if err := rec.Op.checkData(); err != nil {
				t.Fatalf("%q was read as data that cannot be: %v", line, err)
			}
		}
		var again []byte
		if rec.Op != nil {
			again = AppendOp(nil, rec.Op, open)
		} else if again, err = AppendRecord(nil, rec); err != nil {
			t.Fatal(err)
		}
		second, open2, err := ParseLine(again)
		if err != nil || open2 != open {
			t.Fatalf("%q became %q: open %v→%v, error %v", line, again, open, open2, err)
		}
		if diff := cmp.Diff(rec, second, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%q became %q (-first +second):\n%s", line, again, diff)
		}
	})
}
