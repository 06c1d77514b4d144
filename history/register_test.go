package history

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"squall/history/historytest"
)

func TestRegisterShapes(t *testing.T) {
	functions, err := json.Marshal(RegisterFunctions())
	must(t, err)
	head := `{"format":"squall-history","version":2,"nodes":["n1","n2"],"mono":1000,"functions":` + string(functions) + "}\n"
	for _, tt := range []struct{ outcome, fields, want string }{
		{"ok", `"f":"write","i":"1"`, ""},
		{"ok", `"f":"read","o":"1"`, ""},
		{"ok", `"f":"read","o":null`, ""},
		{"fail", `"f":"read"`, ""},
		{"ok", `"f":"cas","i":[null,"1"],"o":true`, ""},
		{"ok", `"f":"cas","i":["0","1"],"o":{"found":null}`, ""},
		{"info", `"f":"cas","i":["0","1"]`, ""},
		{"ok", `"f":"delete"`, ""},
		{"info", `"f":"write"`, `without its value to store "i"`},
		{"ok", `"f":"write","v":"1"`, `without its value to store "i"`},
		{"ok", `"f":"write","i":null`, `without its value to store "i"`},
		{"ok", `"f":"write","i":1`, `without its value to store "i"`},
		{"ok", `"f":"write","i":"1","o":true`, `data that it cannot have`},
		{"ok", `"f":"read"`, `without its result "o"`},
		{"ok", `"f":"read","o":["1"]`, `without its result "o"`},
		{"ok", `"f":"read","i":"2","o":"1"`, `data that it cannot have`},
		{"ok", `"f":"cas","i":["1"],"o":true`, `a cas without its "i"`},
		{"ok", `"f":"cas","i":["1","2","3"],"o":true`, `a cas without its "i"`},
		{"ok", `"f":"cas","i":["1",null],"o":true`, `a cas without its "i"`},
		{"ok", `"f":"cas","i":[1,"2"],"o":true`, `a cas without its "i"`},
		{"ok", `"f":"cas","i":["1","2"]`, `without its result "o"`},
		{"ok", `"f":"cas","i":["1","2"],"o":false`, `without its result "o"`},
		{"ok", `"f":"cas","i":["1","2"],"o":{"found":"1","found":"2"}`, `without its result "o"`},
		{"ok", `"f":"cas","i":["1","2"],"o":{"found":1}`, `without its result "o"`},
		{"ok", `"f":"delete","i":"1"`, `data that it cannot have`},
		{"ok", `"f":"append","i":"1"`, `unknown function "append"`},
	} {
		line := `{"op":"` + tt.outcome + `","p":1,"n":"n1","k":"k",` + tt.fields + `,"t":2000,"d":5}`
		h, damage := refusal(t, head, line)
		if tt.want == "" {
			if damage != nil {
				t.Errorf("%s: %v", line, damage)
				continue
			}
			// What the view holds makes the same operation again.
			op := h.Ops[0]
			op.SetRegister(op.Register())
			if op != h.Ops[0] {
				t.Errorf("%s: %+v became %+v", line, h.Ops[0], op)
			}
		} else if damage == nil || !strings.Contains(damage.Error(), tt.want) {
			t.Errorf("%s: %v, want damage with %q", line, damage, tt.want)
		}
	}
}

// Lines of format version 1 are read as what they would be today.
func TestVersion1IsLifted(t *testing.T) {
	const same = `{"found":"a\udcffé"}`
	for _, tt := range []struct {
		line string
		want Op
	}{
		{`{"op":"ok","p":0,"n":"n1","f":"write","k":"k","v":"81","t":2000,"d":5}`, Op{Func: Write, In: `"81"`, Outcome: OK}},
		{`{"op":"info","p":0,"n":"n1","f":"write","k":"k","v":"","e":"x","t":2000,"d":5}`, Op{Func: Write, In: `""`, Outcome: Info, Error: "x"}},
		{`{"op":"ok","p":0,"n":"n1","f":"write","k":"k","v":"\u0061\/","t":2000,"d":5}`, Op{Func: Write, In: `"a/"`, Outcome: OK}},
		{`{"op":"ok","p":0,"n":"n1","f":"read","k":"k","r":"81","t":2000,"d":5,"final":true}`, Op{Func: Read, Out: `"81"`, Outcome: OK, Final: true}},
		{`{"op":"ok","p":0,"n":"n1","f":"read","k":"k","r":null,"t":2000,"d":5}`, Op{Func: Read, Out: Null, Outcome: OK}},
		{`{ "op":"fail","p":0,"n":"n1","f":"read","k":"k","t":2000,"d":5,"i":7,"o":8}`, Op{Func: Read, Outcome: Fail}},
		{`{"op":"ok","p":0,"n":"n1","f":"cas","k":"k","v":"b","x":"a","t":2000,"d":5}`, Op{Func: CAS, In: `["a","b"]`, Out: True, Outcome: OK}},
		{`{"op":"ok","p":0,"n":"n1","f":"cas","k":"k","v":"b","x":null,"r":"a\udcff` + "é" + `","t":2000,"d":5}`, Op{Func: CAS, In: `[null,"b"]`, Out: same, Outcome: OK}},
		{`{"op":"ok","p":0,"n":"n1","f":"cas","k":"k","v":"b","x":"a","r":null,"t":2000,"d":5}`, Op{Func: CAS, In: `["a","b"]`, Out: `{"found":null}`, Outcome: OK}},
		{`{"op":"info","p":0,"n":"n1","f":"cas","k":"k","v":"b","x":"a","t":2000,"d":5}`, Op{Func: CAS, In: `["a","b"]`, Outcome: Info}},
		{`{"op":"ok","p":0,"n":"n1","f":"delete","k":"k","t":2000,"d":5}`, Op{Func: Delete, Outcome: OK}},
	} {
		tt.want.Node, tt.want.Key, tt.want.Call, tt.want.Return = "n1", "k", 2000, 2005
		h, damage := refusal(t, validHead, tt.line)
		if damage != nil {
			t.Errorf("%s: %v", tt.line, damage)
			continue
		}
		if h.Ops[0] != tt.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.line, h.Ops[0], tt.want)
		}
		if err := h.Ops[0].AsRegister(new(RegisterData)); err != nil {
			t.Errorf("%s: %v", tt.line, err)
		}
		var followed []Op
		path := historytest.Run(t, []byte(validHead+tt.line+"\n")) + "/" + FileName
		file, err := os.Open(path)
		must(t, err)
		f, err := Follow(file)
		must(t, err)
		if _, err := f.Poll(0, func(rec Record, _ bool) { followed = append(followed, *rec.Op) }); err != nil || len(followed) != 1 || followed[0] != tt.want {
			t.Errorf("%s: a follower gives %+v, %v", tt.line, followed, err)
		}
		if h, _ := f.Header(); h.Version != 1 || h.Functions.String() != "read, write, cas, delete" {
			t.Errorf("the header is read as %+v", h)
		}
		must(t, f.Close())
	}
}
