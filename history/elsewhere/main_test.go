package elsewhere

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"squall/history"
	"squall/history/check"
	"squall/history/check/linearizable"
	"squall/history/check/transactions"
	"squall/internal/machinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(machinetest.Main(m)) }

// verdict reads a history and judges it.
func verdict(t testing.TB, path string, opts Options) (check.Result, *Imported) {
	t.Helper()
	m, err := Read(path, opts)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return judge(t, m.Object, m.History), m
}

func judge(t testing.TB, object string, h *history.History) check.Result {
	t.Helper()
	checker := transactions.Append()
	if object != ListAppend {
		model, err := linearizable.FindModel(object)
		if err != nil {
			t.Fatal(err)
		}
		checker = linearizable.Checker(model)
	}
	return checker.Check(t.Context(), &check.Input{History: h, Limits: check.Limits{Time: time.Minute, Workers: 2}})
}

// file is a new file with this text.
func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// of judges a text.
func of(t testing.TB, text string, opts Options) check.Verdict {
	t.Helper()
	res, _ := verdict(t, file(t, text), opts)
	if res.Verdict == check.Unknown {
		t.Fatalf("undecided: %s\n%s", res.Told(), text)
	}
	return res.Verdict
}

// TestRecordedHistories reads the histories that porcupine's authors recorded or
// collected, and whose verdicts are known.
func TestRecordedHistories(t *testing.T) {
	const recorded = "../check/linearizable/testdata/porcupine"
	expected, err := os.ReadFile(filepath.Join(recorded, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(expected)) {
		name, linearizable, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			if name == "kv/c50-bad.txt" {
				machinetest.NeedWhole(t, "it takes seconds of processor time to refuse; kv/c10-bad.txt is tried")
			}
			want, format, object := check.Violation, FormatLog, Register
			if linearizable == "true" {
				want = check.Pass
			}
			if strings.HasPrefix(name, "kv/") {
				format, object = FormatEDN, KV
			}
			res, m := verdict(t, filepath.Join(recorded, name), Options{})
			if res.Verdict != want || m.Format != format || m.Object != object {
				t.Errorf("%s as %s of a %s, want %s: %s", res.Verdict, m.Format, m.Object, want, res.Told())
			}
		})
	}
	if n != 108 {
		t.Errorf("%d histories, want 108", n)
	}
}

// TestDamage: what cannot be is named with its line, and nothing is judged.
func TestDamage(t *testing.T) {
	const begin = "{:type :invoke, :f :write, :value 1, :process 0, :time 10}\n"
	for name, tt := range map[string]struct {
		text string
		line int
		want string
	}{
		"empty":                         {"\n \n", 0, "it is empty"},
		"something else":                {"hello world\n", 1, "no history that squall knows"},
		"Jepsen's binary file":          {"JEPSEN\x00\x01", 0, "history.edn or history.txt beside it"},
		"no operations of clients":      {"{:type :info, :f :start, :process :nemesis}", 0, "no operations of clients"},
		"back before its call":          {begin + "{:type :ok, :f :write, :value 1, :process 0, :time 9}", 2, "the clock goes backwards: process 0 was at 10 ns before, and is at 9 ns"},
		"back by much":                  {"{:type :invoke, :f :write, :value 1, :process 0, :time 20000000000}\n{:type :invoke, :f :read, :process 1, :time 5}", 2, "the clock goes backwards: the history was at"},
		"longer than any":               {begin + "{:type :invoke, :f :read, :process 1, :time 900000000000000}", 2, "none lasts longer than"},
		"no time":                       {"{:type :invoke, :f :write, :value 1, :process 0, :time 1.5}", 1, "a :time that is no whole number"},
		"two at once":                   {begin + "{:type :invoke, :f :read, :process 0, :time 11}", 2, "process 0 calls \"read\" while the \"write\" that it called on line 1 is under way"},
		"ended without a call":          {begin + "{:type :ok, :f :write, :value 1, :process 1, :time 11}", 2, "process 1 ends an operation that it never called"},
		"ended twice":                   {begin + "{:type :ok, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}", 3, "never called"},
		"ended as another":              {begin + "{:type :ok, :f :read, :value 1, :process 0}", 2, "process 0 ends \"read\", and called \"write\" on line 1"},
		"ended with another value":      {begin + "{:type :ok, :f :write, :value 2, :process 0}", 2, "a \"write\" of \"1\" ends as one of \"2\""},
		"unknown write without a value": {"{:type :invoke, :f :write, :value nil, :process 0}\n{:type :info, :f :write, :value nil, :process 0}", 1, "a \"write\" without its value"},
		"pending write without a value": {"{:type :invoke, :f :write, :process 0}", 1, "a \"write\" without its value"},
		"read answered without a value": {"{:type :invoke, :f :read, :process 0}\n{:type :ok, :f :read, :process 0}", 2, "answered without its value"},
		"a cas of one value":            {"{:type :invoke, :f :cas, :value 3, :process 0}", 1, "a vector of what it expects and what it stores"},
		"unknown type":                  {"{:type :invoked, :f :read, :process 0}", 1, "the :type of an operation is \"invoked\""},
		"no type":                       {"{:f :read, :process 0}", 1, "an operation without its :type"},
		"no function":                   {"{:type :invoke, :process 0}", 1, "an operation without its :f"},
		"no process":                    {"{:type :invoke, :f :read}", 1, "an operation without its :process"},
		"whose process":                 {"{:type :invoke, :f :read, :process -1}", 1, "neither a number from 0 on nor :nemesis"},
		"a field twice":                 {"{:type :invoke, :f :read, :process 0, :f :write}", 1, "an operation has :f twice"},
		"order":                         {"{:type :invoke, :f :read, :process 0, :index 5}\n{:type :invoke, :f :read, :process 1, :index 5}", 2, "the :index 5 comes after 5"},
		"cut within a map":              {begin + "\n{:type :ok, :f", 3, "the file ends within a collection that begins on line 3: it was cut off"},
		"cut within a string":           {begin + "{:type :ok, :error \"a\nb", 3, "the file ends within a string that begins on line 2"},
		"cut within the vector":         {"[" + begin, 2, "the file ends within the vector of operations"},
		"cut within a tag":              {begin + "#foo", 2, "the file ends within a tagged value"},
		"behind the vector":             {"[" + begin + "]\n" + begin, 3, "something stands behind the vector of operations"},
		"no map":                        {begin + "17", 2, "this is no operation map: \"17\""},
		"half a map":                    {"{:type :invoke, :f}", 1, "a map has a key without a value"},
		"a stray bracket":               {begin + ")", 2, "that nothing opened"},
		"no number":                     {"{:type :invoke, :f :write, :value 1x, :process 0}", 1, "begins like a number, and is none"},
		"huge number":                   {"{:type :invoke, :f :write, :process 0, :value " + strings.Repeat("9", 2000) + "}", 1, "begins like a number"},
		"deep":                          {"{:type :invoke, :f :write, :process 0, :value " + strings.Repeat("[", 1_000_000) + "}", 1, "values stand more than 64 deep"},
		"deep tags":                     {"{:type :invoke, :f :write, :process 0, :value " + strings.Repeat("#a ", 1_000_000) + "}", 1, "values stand more than 64 deep"},
		"deep discards":                 {strings.Repeat("#_ ", 1_000_000), 1, "values stand more than 64 deep"},
		"long string":                   {"{:type :invoke, :f :write, :process 0, :value \"" + strings.Repeat("a", 2<<20), 1, "a string of more than"},
		"long word":                     {"{:type :invoke, :f :write, :process 0, :value a" + strings.Repeat("a", 2<<20), 1, "a word of more than"},
		"wide":                          {"{:type :invoke, :f :write, :process 0, :value [" + strings.Repeat("1 ", 2<<20), 1, "more than 1048576 values in one"},
		"escape":                        {`{:type :invoke, :f :write, :process 0, :value "\q"}`, 1, "a backslash before something"},
		"other key at the end":          {`{:type :invoke, :f :get, :process 0, :key "1"}` + "\n" + `{:type :ok, :f :get, :process 0, :key "2", :value ""}`, 2, "ends on the key"},
		"tuple and no tuple":            {"{:type :invoke, :f :read, :process 0, :value [1 nil]}\n{:type :invoke, :f :write, :process 1, :value 3}", 2, "other operations name their keys in tuples"},
		"a set that is none":            {"{:type :invoke, :f :add, :process 0, :value 1}\n{:type :invoke, :f :read, :process 1}\n{:type :ok, :f :read, :process 1, :value \"x\"}", 3, "a set or a vector of elements"},
		"other transaction":             {"{:type :invoke, :f :txn, :process 0, :value [[:append 1 1]]}\n{:type :ok, :f :txn, :process 0, :value [[:append 2 1]]}", 2, "other operations than it began with"},
		"shorter transaction":           {"{:type :invoke, :f :txn, :process 0, :value [[:append 1 1] [:r 2 nil]]}\n{:type :ok, :f :txn, :process 0, :value [[:append 1 1]]}", 2, "ends with 1"},
		"no list":                       {"{:type :invoke, :f :txn, :process 0, :value [[:append 1 1] [:r 1 nil]]}\n{:type :ok, :f :txn, :process 0, :value [[:append 1 1] [:r 1 7]]}", 2, "which is no list"},
		"a log's line":                  {"INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:invo", 2, "this is no operation"},
		"a text's line":                 {"0\t:invoke\t:read\tnil\n0 :ok :read\t[1", 2, "the file ends within a collection"},
		"JSON cut off":                  {`[{"ClientId":0,"Input":{"f":"read","key":""},"Call":1,"Outp`, 1, "cut off"},
		"JSON before its call":          {`[{"ClientId":0,"Input":{"f":"read","key":""},"Call":2,"Output":{"outcome":"ok","out":null},"Return":1}]`, 1, "returned at 1 ns, before its call at 2"},
		"JSON at once":                  {"[{\"ClientId\":0,\"Input\":{\"f\":\"read\",\"key\":\"\"},\"Call\":2,\"Output\":{\"outcome\":\"ok\",\"out\":null},\"Return\":5},\n{\"ClientId\":0,\"Input\":{\"f\":\"read\",\"key\":\"\"},\"Call\":3,\"Output\":{\"outcome\":\"ok\",\"out\":null},\"Return\":4}]", 2, "while the one that it called at 2 is under way"},
		"JSON of others":                {`[{"a":1}]`, 1, `unknown field "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(file(t, tt.text), Options{})
			wrong := new(Damage)
			if !errors.As(err, &wrong) || wrong.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.300v, want line %d: %s", err, tt.line, tt.want)
			}
		})
	}
}

// TestChoices: what must be chosen is asked for.
func TestChoices(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		opts Options
		want string
	}{
		"unknown functions": {"{:type :invoke, :f :push, :value 1, :process 0}", Options{}, "no model has the operations push; the models are\n  register: read, write, cas, delete"},
		"no model's values": {"{:type :invoke, :f :read, :process 0}\n{:type :ok, :f :read, :value [1], :process 0}\n{:type :invoke, :f :read, :process 0}\n{:type :ok, :f :read, :value 1, :process 0}", Options{}, "are those of no model"},
		"no such model":     {"{:type :invoke, :f :read, :process 0}", Options{Object: "tape"}, `there is no model "tape"`},
		"another model's":   {"{:type :invoke, :f :add, :value 1, :process 0}", Options{Object: "cas-register"}, "line 1: there is no operation \"add\" of a register"},
		"initial":           {"{:type :invoke, :f :read, :process 0}", Options{Initial: "("}, "--initial: expected a value in EDN"},
		"two initials":      {"{:type :invoke, :f :read, :process 0}", Options{Initial: "1 2"}, "more than one value"},
		"of a mutex":        {"{:type :invoke, :f :acquire, :process 0}", Options{Initial: "1"}, "what a mutex holds at first cannot be said"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(file(t, tt.text), tt.opts)
			wrong := new(ChoiceError)
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}
