package elsewhere

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history"
)

// FuzzRead: whatever a file holds, it is read, refused with its place, or asked about. What
// is read keeps the rules of squall's own histories, and is the same when it is written as
// EDN and read again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"{:process 0, :type :invoke, :f :write, :value 3}\n{:process 0, :type :ok, :f :write, :value 3}\n{:process 1, :type :invoke, :f :read}\n{:process 1, :type :ok, :f :read, :value 3}",
		"[{:process 0, :type :invoke, :f :cas, :value [1 2], :time 5} {:process 0, :type :info, :f :cas, :time 7}{:process :nemesis :type :info :f :start}]",
		"#jepsen.history.Op{:process 0, :type :invoke, :f :txn, :value [[:append :x 1] [:r :x nil]]}{:process 0, :type :ok, :f :txn, :value [[:append :x 1] [:r :x [1]]]}",
		"INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t[1 nil]",
		"0\t:invoke\t:add\t5\n0\t:info\t:add\t5\t:timeout\n0\t:invoke\t:read\tnil\n0\t:ok\t:read\t#{5 \"a\\u00e9\\\\\" \\c 1/2 1.5e3M}",
		`{:process 0, :type :invoke, :f :append, :key "8", :value "x"}{:process 0, :type :fail, :f :append, :key "8", :value "x"}`,
		`[{"ClientId":0,"Input":{"f":"acquire","key":"l","in":"a"},"Call":1,"Output":{"outcome":"ok","out":4},"Return":3}]`,
		"({:process 0 :type :invoke :f :acquire}#_#_ 1 2{:process 0 :type :ok :f :acquire}) ; end",
	} {
		f.Add([]byte(seed), "0", false)
	}
	f.Add([]byte("{:process 0 :type :invoke :f :txn :value [[:w 1 2]]}"), "{1 2}", true)
	f.Fuzz(func(t *testing.T, text []byte, initial string, unknown bool) {
		m, err := Read(file(t, string(text)), Options{Initial: initial, NilUnknown: unknown})
		if refused(t, err) {
			return
		}
		keepsTheRules(t, m)
		if slices.ContainsFunc(m.History.Ops, func(op history.Op) bool { return op.Node == initialNode }) || unknown {
			return
		}
		var again bytes.Buffer
		if err := new(Export).EDN(&again, m.History); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file(t, again.String()), Options{Object: m.Object}); err != nil {
			t.Fatalf("%v:\n%s", err, again.String())
		}
	})
}

// refused reports whether a history was refused, as it must be.
func refused(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return false
	}
	damage, choice := new(Damage), new(ChoiceError)
	if !errors.As(err, &damage) && !errors.As(err, &choice) {
		t.Fatalf("an error of no known kind: %v", err)
	}
	return true
}

// keepsTheRules records what was read: a recorder refuses what no history may hold.
func keepsTheRules(t *testing.T, m *Imported) {
	t.Helper()
	path := filepath.Join(t.TempDir(), history.FileName)
	h := m.History.Header
	h.Nodes = []string{"n1"}
	r, err := history.Create(path, h)
	if err != nil {
		t.Fatal(err)
	}
	base := int64(0)
	for i := range m.History.Ops {
		base = min(base, m.History.Ops[i].Call)
	}
	for _, op := range m.History.Ops {
		op.Node = "n1"
		op.Call, op.Return = op.Call-base, op.Return-base
		if m.Format == FormatPorcupine && op.Return > 1<<49 {
			_ = r.Close()
			return // its times are those of the file
		}
		if err := r.Append(history.Record{Op: &op}); err != nil {
			t.Fatalf("%v: %+v", err, op)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Load(path); err != nil {
		t.Fatal(err)
	}
}

// FuzzEDN: the text of a value is read as the same value.
func FuzzEDN(f *testing.F) {
	for _, seed := range []string{"nil", "[1 2 (3 4) #{5 6} {:a b, \"c\" \\d}]", "#inst \"2026\"", "+12N", "-0", "0x1F", "1/2", "1.5e-3M", "##NaN", `"\u00e9\ud83d\ude00\udc80\n"`, "#_ 1 2", ":a/b", "; c\n7"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := newEDN(strings.NewReader(text)).next()
		if err == errNothing || err != nil && refused(t, err) {
			return
		}
		once := v.String()
		again, err := newEDN(strings.NewReader(once)).next()
		if err != nil || again.String() != once {
			t.Fatalf("%q became %q: %v", once, again.String(), err)
		}
		w := value{kind: kindString, text: once}
		if v.kind != kindString && v.kind != kindSymbol && v.name() == w.name() {
			t.Fatalf("%s and the string of it have one name", once)
		}
	})
}
