package kv

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/raft"
)

func TestRulesAreRead(t *testing.T) {
	r, err := parseMessageRule("from=n12,do=reorder,types=append-reply+snapshot,share=0.25,delay=200000000,count=8,seed=18446744073709551615")
	want := messageRule{from: 12, types: 1<<raft.MsgAppendReply | 1<<raft.MsgSnapshot, do: reorderMessage, share: 0.25,
		delay: 200 * time.Millisecond, count: 8, seed: 1<<64 - 1}
	if err != nil || r != want {
		t.Errorf("%+v, %v; want %+v", r, err, want)
	}
	for text, why := range map[string]string{
		"":                                           "as key=value",
		"from=n1":                                    "lacks from or do",
		"do=lose":                                    "lacks from or do",
		"from=n1,do=lose,do=lose":                    "each once",
		"from=1,do=lose":                             "name of a node",
		"from=n0,do=lose":                            "name of a node",
		"from=n1,do=burn":                            "want one of",
		"from=n1,do=lose,types=vote+letter":          `"letter" is no type`,
		"from=n1,do=lose,types=unknown":              `"unknown" is no type`,
		"from=n1,do=lose,types=":                     `"" is no type`,
		"from=n1,do=lose,share=NaN":                  "want 0 to 1",
		"from=n1,do=lose,share=1.1":                  "want 0 to 1",
		"from=n1,do=delay":                           "does nothing",
		"from=n1,do=delay,delay=-1":                  "nanoseconds",
		"from=n1,do=delay,delay=60000000001":         "nanoseconds",
		"from=n1,do=reorder,delay=1":                 "wants a count",
		"from=n1,do=reorder,count=1":                 "a delay",
		"from=n1,do=replay":                          "wants a count",
		"from=n1,do=replay,count=1001":               "want 0 to 1000",
		"from=n1,do=lose,seed=-1":                    "invalid syntax",
		"from=n1,do=lose,colour=red":                 "no such field",
		"from=n1,do=lose,types=any,delay":            "as key=value",
		"from=n18446744073709551616,do=lose,count=1": "name of a node",
	} {
		if _, err := parseMessageRule(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", text, err, why)
		}
	}
}

// Every type of message has a name that rules can be written with.
func TestEveryTypeOfMessageHasARule(t *testing.T) {
	for kind := raft.MsgPreVote; kind <= raft.MsgSnapshotReply; kind++ {
		if set, err := parseTypes(typeName(kind)); err != nil || set != 1<<kind || !anyMessage.has(kind) {
			t.Errorf("%s: %b, %v", typeName(kind), set, err)
		}
	}
}

// Whatever line comes, the answer is one line with its number, and a line that is
// refused changes nothing.
func FuzzMessageLine(f *testing.F) {
	for _, line := range []string{
		"rules 1", "count 2", "rules 3 from=n2,do=lose", "rules 4 from=n2,do=delay,delay=1,share=0.5,types=vote+append from=n3,do=replay,count=2",
		"rules", "", "rules 5 from=n2", "count 6 7", "rules \x00 from=n1,do=lose,types=+",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var faults MessageFaults
		if got := faults.carryOut("rules 1 from=n9,do=lose"); got != "ok 1 0 0/0\n" {
			t.Fatalf("answered %q", got)
		}
		answer := faults.carryOut(line)
		defer faults.set(nil)
		if strings.Count(answer, "\n") != 1 || !strings.HasSuffix(answer, "\n") {
			t.Errorf("%q is answered by %q: want one line", line, answer)
		}
		words := strings.Fields(line)
		ok, refused := strings.HasPrefix(answer, "ok "), strings.HasPrefix(answer, "error ")
		if ok == refused || len(words) > 1 && !strings.Contains(answer, words[1]) {
			t.Errorf("%q is answered by %q", line, answer)
		}
		if rules := faults.inForce.Load(); refused && (rules == nil || rules.rules[0].from != 9) {
			t.Errorf("%q was refused, and the rules are %+v", line, rules)
		}
	})
}

func TestMessageLink(t *testing.T) {
	here, there := net.Pipe()
	var faults MessageFaults
	answers := bufio.NewScanner(there)
	ask := func(line string) string {
		io.WriteString(there, line+"\n")
		if !answers.Scan() {
			t.Fatalf("no answer to %q: %v", line, answers.Err())
		}
		return answers.Text()
	}
	first := make(chan string)
	go func() { first <- ask("rules 1") }()
	done, err := obey(here, faults.carryOut)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-first; got != "ok 1 0" {
		t.Errorf("the first word was answered %q", got)
	}
	for _, q := range []struct{ ask, want string }{
		{"rules 2 from=n2,do=lose from=n3,do=delay,delay=5", "ok 2 0 0/0 0/0"},
		{"rules 3 from=n2,do=burn", `error 3 field "do=burn" of a rule: want one of`},
		{"count 4", "ok 4 0 0/0 0/0"}, // what was refused changed nothing
		{"rules 5 " + strings.Repeat("from=n2,do=lose ", maxMessageRules+1), "error 5 257 rules; 256 are allowed"},
		{"read 6", "error 6 this is neither"},
		{"rules 7", "ok 7 0"},
	} {
		if got := ask(q.ask); !strings.HasPrefix(got, q.want) {
			t.Errorf("%.60q was answered %q, want %q", q.ask, got, q.want)
		}
	}
	there.Close()
	<-done
	t.Setenv(MessagesEnv, "five")
	if _, _, err := InheritedMessageFaults(); err == nil || !strings.Contains(err.Error(), MessagesEnv) {
		t.Errorf("%s=five: %v", MessagesEnv, err)
	}
}

// BenchmarkMessageWithoutRules is what the layer costs when it does nothing.
func BenchmarkMessageWithoutRules(b *testing.B) {
	var faults MessageFaults
	m := &raft.Message{Type: raft.MsgAppend, From: 2, To: 1, Term: 3}
	count := 0
	next := func(*raft.Message) { count++ }
	b.ReportAllocs()
	for b.Loop() {
		faults.sent(m)
		faults.receive(m, 100, next)
	}
	if count == 0 {
		b.Error("nothing was delivered")
	}
}
