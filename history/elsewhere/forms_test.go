package elsewhere

import (
	"strconv"
	"testing"

	"squall/history/check"
)

// TestForms: one history, written in every way that other tools have, is the same.
func TestForms(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		format Format
	}{
		"maps": {`{:process 0, :type :invoke, :f :write, :value 3}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 0, :type :ok, :f :write, :value 3}
{:process 1, :type :ok, :f :read, :value 3}`, FormatEDN},
		"maps over several lines": {`{:process 0, :type :invoke,
 :f :write, ; a comment
 :value 3}{:process 1 :type :invoke :f :read :value nil}

{:process 0, :type :ok, #_ :left-out #_ {:and "this"} :f :write, :value +3N}
{:process 1, :type :ok, :f :read, :value 0x3, :error nil}`, FormatEDN},
		"a vector": {`; Knossos
[{:process 0, :type :invoke, :f :write, :value 3} {:process 1, :type :invoke, :f :read, :value nil}
 {:process 0, :type :ok, :f :write, :value 3} {:process 1, :type :ok, :f :read, :value 3}]
; the end`, FormatEDNVector},
		"a list": {`({:process 0, :type :invoke, :f :write, :value 3} {:process 1, :type :invoke, :f :read, :value nil}
 {:process 0, :type :ok, :f :write, :value 3} {:process 1, :type :ok, :f :read, :value 3})`, FormatEDNVector},
		"tagged": {`#jepsen.history.Op{:index 0, :time 1, :type :invoke, :process 0, :f :write, :value 3}
#jepsen.history.Op{:index 1, :time 2, :type :invoke, :process 1, :f :read, :value nil, :at #inst "2026-11-29T09:00:00Z"}
#jepsen.history.Op{:index 2, :time 3, :type :info, :process :nemesis, :f :start, :value #object[clojure.lang.Fn 0x1f "x"]}
#jepsen.history.Op{:index 3, :time 4, :type :ok, :process 0, :f :write, :value 3}
#jepsen.history.Op{:index 4, :time 5, :type :ok, :process 1, :f :read, :value 3}`, FormatEDN},
		"a log": {"INFO  jepsen.os.debian - :n1 setting up debian\nINFO  jepsen.util - 0\t:invoke\t:write\t3\nINFO  jepsen.util - 1\t:invoke\t:read\tnil\nWARN  jepsen.core - [0 :invoke\njava.lang.Foo: 0 :ok :write\n" +
			"INFO  jepsen.util - 0 :ok :write 3\nINFO  jepsen.util - :nemesis\t:info\t:start\tCut off [:n1 {\nINFO  jepsen.util - 1 :ok :read 3\n", FormatLog},
		"a newer log": {"INFO [2024-01-06 15:07:52,655] jepsen test runner - jepsen.core Relative time begins now\nINFO [2024-01-06 15:07:52,664] jepsen worker 0 - jepsen.util 0\t:invoke\t:write\t3\n" +
			"INFO [2024-01-06 15:07:52,664] jepsen worker 1 - jepsen.util 1:invoke\t:read\tnil\nINFO [2024-01-06 15:07:52,666] jepsen worker 0 - jepsen.util 0\t:ok\t:write\t3\nINFO [2024-01-06 15:07:52,667] jepsen worker 1 - jepsen.util 1\t:ok\t:read\t3\n", FormatLog},
		"a text history": {"0\t:invoke\t:write\t3\n1\t:invoke\t:read\tnil\n:nemesis\t:info\t:start\tnil\n0\t:ok\t:write\t3\n1\t:ok\t:read\t3\n", FormatText},
		"JSON": {`[{"ClientId":0,"Input":{"f":"write","key":"","in":"3"},"Call":1,"Output":{"outcome":"ok"},"Return":3},
{"ClientId":1,"Input":{"f":"read","key":""},"Call":2,"Output":{"outcome":"ok","out":"3"},"Return":4}]`, FormatPorcupine},
	} {
		t.Run(name, func(t *testing.T) {
			res, m := verdict(t, file(t, tt.text), Options{})
			if m.Format != tt.format || m.Object != Register || m.Keyed {
				t.Errorf("%s of a %s, keyed %v", m.Format, m.Object, m.Keyed)
			}
			ops := m.History.Ops
			if res.Verdict != check.Pass || len(ops) != 2 || ops[0].In != `"3"` || ops[1].Out != `"3"` || ops[0].Return < ops[1].Call {
				t.Errorf("%s %+v", res.Told(), ops)
			}
		})
	}
}

// enqueued puts 1 and then 2 into a queue. took takes a value out, or with 0 finds none.
const enqueued = "{:process 0, :type :invoke, :f :enqueue, :value 1}\n{:process 0, :type :ok, :f :enqueue, :value 1}\n" +
	"{:process 0, :type :invoke, :f :enqueue, :value 2}\n{:process 0, :type :ok, :f :enqueue, :value 2}\n"

func took(value int) string {
	text := "nil"
	if value != 0 {
		text = strconv.Itoa(value)
	}
	return "{:process 1, :type :invoke, :f :dequeue, :value nil}\n{:process 1, :type :ok, :f :dequeue, :value " + text + "}\n"
}

// TestMeaning: what operations of other tools mean, case by case.
func TestMeaning(t *testing.T) {
	const pass, violation = check.Pass, check.Violation
	write := "{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :ok, :f :write, :value 1}\n"
	nilRead := "{:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value nil}\n"
	one := "{:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value 1}\n"
	for name, tt := range map[string]struct {
		text string
		opts Options
		want check.Verdict
	}{
		"nil before any write":          {nilRead + write, Options{}, pass},
		"nil after a write":             {write + nilRead, Options{}, violation},
		"nil after a write, in Knossos": {write + nilRead, Options{NilUnknown: true}, pass},
		"nil is what was there first":   {nilRead + write, Options{Initial: "0"}, pass},
		"initial":                       {one, Options{Initial: "1"}, pass},
		"another initial":               {one, Options{Initial: "2"}, violation},
		"a keyword is no string":        {"{:process 1, :type :invoke, :f :read}\n{:process 1, :type :ok, :f :read, :value :a}", Options{Initial: `"a"`}, violation},
		"a number is no string":         {"{:process 1, :type :invoke, :f :read}\n{:process 1, :type :ok, :f :read, :value \"1\"}", Options{Initial: "1"}, violation},
		"sets have no order":            {"{:process 1, :type :invoke, :f :read}\n{:process 1, :type :ok, :f :read, :value #{1 2}}", Options{Initial: "#{2 1}", Object: Register}, pass},
		"a read that asks with a value": {"{:process 14, :type :invoke, :f :read, :value 4}\n{:process 14, :type :ok, :f :read, :value 4}", Options{Initial: "4"}, pass},

		"unknown, and seen":            {"{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :info, :f :write, :value :timed-out}\n" + one, Options{}, pass},
		"failed, and seen":             {"{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :fail, :f :write, :value 1}\n" + one, Options{}, violation},
		"under way, and seen":          {"{:process 0, :type :invoke, :f :write, :value 1}\n" + one, Options{}, pass},
		"unknown, then ok":             {"{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :info, :f :write}\n{:process 0, :type :ok, :f :write, :value 1}\n" + nilRead, Options{}, violation},
		"unknown until its ok":         {"{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :info, :f :write}\n" + nilRead + "{:process 0, :type :ok, :f :write, :value 1}\n", Options{}, pass},
		"unknown, then failed":         {"{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :info, :f :write}\n{:process 0, :type :fail, :f :write, :value 1}\n" + one, Options{}, violation},
		"a process that goes on":       {"{:process 0, :type :invoke, :f :write, :value 1}\n{:process 0, :type :info, :f :write}\n{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value nil}\n{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value 1}", Options{}, pass},
		"the order is that of lines":   {"{:process 0, :type :invoke, :f :write, :value 1, :time 5}\n{:process 0, :type :ok, :f :write, :value 1, :time 7}\n{:process 1, :type :invoke, :f :read, :time 6}\n{:process 1, :type :ok, :f :read, :value nil, :time 8}", Options{}, violation},
		"a cas that took effect":       {write + "{:process 0, :type :invoke, :f :cas, :value [1 2]}\n{:process 0, :type :ok, :f :cas, :value [1 2]}\n" + one, Options{}, violation},
		"a cas that failed":            {write + "{:process 0, :type :invoke, :f :cas, :value [1 2]}\n{:process 0, :type :fail, :f :cas, :value [1 2]}\n" + one, Options{}, pass},
		"a cas without its value seen": {write + "{:process 0, :type :invoke, :f :cas, :value [3 2]}\n{:process 0, :type :ok, :f :cas, :value [3 2]}\n", Options{}, violation},

		"keys of their own": {"{:process 0, :type :invoke, :f :write, :value [:a 1]}\n{:process 0, :type :ok, :f :write, :value [:a 1]}\n{:process 1, :type :invoke, :f :read, :value [:b nil]}\n{:process 1, :type :ok, :f :read, :value [:b nil]}", Options{}, pass},
		"the same key":      {"{:process 0, :type :invoke, :f :write, :value [:a 1]}\n{:process 0, :type :ok, :f :write, :value [:a 1]}\n{:process 1, :type :invoke, :f :read, :value [:a nil]}\n{:process 1, :type :ok, :f :read, :value [:a nil]}", Options{}, violation},
		"pairs as values":   {"{:process 0, :type :invoke, :f :write, :value [:a 1]}\n{:process 0, :type :ok, :f :write, :value [:a 1]}\n{:process 1, :type :invoke, :f :read, :value nil}\n{:process 1, :type :ok, :f :read, :value [:a 1]}", Options{}, pass},

		"a mutex":                 {"{:process 0, :type :invoke, :f :acquire}\n{:process 0, :type :ok, :f :acquire}\n{:process 1, :type :invoke, :f :release, :value nil}\n{:process 1, :type :ok, :f :release}\n{:process 1, :type :invoke, :f :acquire}\n{:process 1, :type :ok, :f :acquire}", Options{}, pass},
		"a mutex that is held":    {"{:process 0, :type :invoke, :f :acquire}\n{:process 0, :type :ok, :f :acquire}\n{:process 1, :type :invoke, :f :acquire}\n{:process 1, :type :ok, :f :acquire}", Options{}, violation},
		"a mutex that is free":    {"{:process 0, :type :invoke, :f :release}\n{:process 0, :type :ok, :f :release}", Options{}, violation},
		"a release that failed":   {"{:process 0, :type :invoke, :f :release}\n{:process 0, :type :fail, :f :release, :error :not-held}\n{:process 0, :type :invoke, :f :acquire}\n{:process 0, :type :ok, :f :acquire}", Options{}, pass},
		"a queue, in any order":   {enqueued + took(2) + took(1) + took(0), Options{}, pass},
		"an unordered queue":      {enqueued + took(2), Options{Object: "unordered-queue"}, pass},
		"a queue in its order":    {enqueued + took(1) + took(2) + took(0), Options{Object: FIFOQueue}, pass},
		"a queue out of order":    {enqueued + took(2), Options{Object: FIFOQueue}, violation},
		"a queue that lost":       {enqueued + took(1) + took(0), Options{}, violation},
		"a queue that gave twice": {enqueued + took(1) + took(1), Options{}, violation},
		"a queue that held some":  {took(7) + took(8), Options{Object: FIFOQueue, Initial: "[7 8]"}, pass},
		"a queue held otherwise":  {took(8) + took(7), Options{Object: FIFOQueue, Initial: "[7 8]"}, violation},
		"a dequeue that failed":   {"{:process 3, :type :invoke, :f :dequeue}\n{:process 3, :type :fail, :f :dequeue, :error :empty}\n" + enqueued + took(1), Options{}, pass},
		"a set":                   {"{:process 0, :type :invoke, :f :add, :value 5}\n{:process 0, :type :ok, :f :add, :value 5}\n{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value #{5}}", Options{}, pass},
		"a set that lost":         {"{:process 0, :type :invoke, :f :add, :value 5}\n{:process 0, :type :ok, :f :add, :value 5}\n{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value []}", Options{}, violation},
		"a counter":               {"{:process 0, :type :invoke, :f :add, :value 5}\n{:process 0, :type :ok, :f :add, :value 5}\n{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value 7}", Options{Initial: "2"}, pass},
		"a counter that forgot":   {"{:process 0, :type :invoke, :f :add, :value 5}\n{:process 0, :type :ok, :f :add, :value 5}\n{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value 0}", Options{}, violation},
		"lists":                   {"{:type :invoke, :f :txn, :process 0, :value [[:append :x 1] [:r :x nil]]}\n{:type :ok, :f :txn, :process 0, :value [[:append :x 1] [:r :x [1]]]}", Options{}, pass},
		"a list that lost":        {"{:type :invoke, :f :txn, :process 0, :value [[:append 3 1]]}\n{:type :ok, :f :txn, :process 0, :value [[:append 3 1]]}\n{:type :invoke, :f :txn, :process 0, :value [[:r 3 nil]]}\n{:type :ok, :f :txn, :process 0, :value [[:r 3 nil]]}", Options{}, violation},
		"several registers":       {"{:type :invoke, :f :txn, :process 0, :value [[:write :y 2]]}\n{:type :ok, :f :txn, :process 0, :value [[:write :y 2]]}\n{:type :invoke, :f :txn, :process 0, :value [[:read :x nil] [:read :y nil]]}\n{:type :ok, :f :txn, :process 0, :value [[:read :x 0] [:read :y 2]]}", Options{Initial: "{:x 0, :y 0}"}, pass},
		"registers out of step":   {"{:type :invoke, :f :txn, :process 0, :value [[:w :x 1] [:w :y 2]]}\n{:type :ok, :f :txn, :process 0, :value [[:w :x 1] [:w :y 2]]}\n{:type :invoke, :f :txn, :process 0, :value [[:r :x nil] [:r :y nil]]}\n{:type :ok, :f :txn, :process 0, :value [[:r :x 1] [:r :y nil]]}", Options{}, violation},
		"a text":                  {"{:process 0, :type :invoke, :f :append, :key \"8\", :value \"x\"}\n{:process 0, :type :ok, :f :append, :key \"8\", :value \"x\"}\n{:process 0, :type :invoke, :f :get, :key \"8\", :value nil}\n{:process 0, :type :ok, :f :get, :key \"8\", :value \"x\"}", Options{}, pass},
		"a text that grew twice":  {"{:process 0, :type :invoke, :f :append, :key \"8\", :value \"x\"}\n{:process 0, :type :ok, :f :append, :key \"8\", :value \"x\"}\n{:process 0, :type :invoke, :f :get, :key \"8\", :value nil}\n{:process 0, :type :ok, :f :get, :key \"8\", :value \"xx\"}", Options{}, violation},
	} {
		t.Run(name, func(t *testing.T) {
			if got := of(t, tt.text, tt.opts); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestNemesis: what the nemesis did is no operation of a client. Faults of start and stop are
// told with what happened while they held.
func TestNemesis(t *testing.T) {
	_, m := verdict(t, file(t, `{:process :nemesis, :type :info, :f :start-partition, :value nil, :time 1}
{:process :nemesis, :type :info, :f :start-partition, :value [:isolated {"n1" #{"n2"}}], :time 2}
{:process 0, :type :invoke, :f :read, :value nil, :time 3}
{:process :nemesis, :type :info, :f :kill, :value :all, :time 4}
{:process 0, :type :ok, :f :read, :value nil, :time 5}
{:process :nemesis, :type :info, :f :stop-partition, :value nil, :time 6}
{:process :nemesis, :type :info, :f :stop-partition, :value :healed, :time 7}`), Options{})
	if len(m.History.Ops) != 1 || m.Nemesis != 5 || len(m.History.Faults) != 2 {
		t.Fatalf("%d operations, %d of the nemesis, faults %+v", len(m.History.Ops), m.Nemesis, m.History.Faults)
	}
	if in, out := m.History.Faults[0], m.History.Faults[1]; in.Name != "nemesis-partition" || in.ID != out.ID || in.Begin >= m.History.Ops[0].Call || out.Begin <= m.History.Ops[0].Return {
		t.Errorf("%+v", m.History.Faults)
	}
}
