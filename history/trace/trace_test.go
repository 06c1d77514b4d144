package trace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// everything is an event of each kind and a message of each type, with every field set.
func everything() []Event {
	runs := []Run{{First: 5, Count: 3, Term: 2}, {First: 8, Count: 1, Term: 3}, {First: 90, Count: 1, Term: 3}}
	nodes := []NodeID{1, 2, 300}
	mark := Mark{7, 2}
	events := []Event{
		{Kind: Start, Vote: 2, Base: Mark{4, 1}, Runs: runs, Mark: mark, Members: nodes, Lacks: LacksKind(Persist) | LacksHash | LacksStored},
		{Kind: RoleChange, Role: Candidate, Peer: 2, Mark: mark, Reason: "election timeout"},
		{Kind: Grant, Peer: 3, Mark: mark},
		{Kind: Tally, Peer: 3, Pre: true, Reject: true},
		{Kind: Append, Runs: runs},
		{Kind: Truncate, Mark: mark},
		{Kind: Compact, Mark: mark},
		{Kind: Persist, Vote: 2, Mark: mark},
		{Kind: Commit, Mark: mark, Hash: 0x0123456789abcdef},
		{Kind: Apply, Mark: mark},
		{Kind: State, Mark: mark, Hash: 1},
		{Kind: ReadCame, First: 1, Last: 5},
		{Kind: RoundBegun, First: 1, Last: 5, Round: 3, Mark: mark},
		{Kind: RoundDone, Round: 3},
		{Kind: ReadServed, First: 1, Last: 5, Mark: mark, Reason: "lease"},
		{Kind: Snapshot, Reason: "sending", Peer: 3, Mark: mark, Members: nodes},
		{Kind: Transfer, Peer: 3},
		{Kind: Progress, Peer: 3, Match: 300, Next: 301},
		{Kind: Timeout, Steps: 300},
		{Kind: Config, Mark: mark, Members: nodes, Old: nodes[:1]},
		{Kind: Failed, Reason: "safety broken: \"\x1b[31m\" \xff ü"},
	}
	for typ := PreVote; typ <= lastMessageType; typ++ {
		m := Message{Type: typ, Number: 12, From: 1, To: 2, Term: 300}
		switch typ {
		case PreVote, Vote:
			m.Mark = mark
		case PreVoteReply, VoteReply:
			m.Reject = true
		case AppendEntries:
			m.Mark, m.Runs, m.Commit = mark, runs, 6
		case AppendReply:
			m.Mark, m.Reject, m.Hint = mark, true, Mark{3, 1}
		case Heartbeat:
			m.Commit, m.Round = 6, 3
		case HeartbeatReply:
			m.Round = 3
		case InstallSnapshot:
			m.Mark, m.Offset, m.Size, m.Done = mark, 1<<40, 1<<18, true
		case SnapshotReply:
			m.Mark, m.Offset = mark, 1<<40
		}
		sent, received := m, m
		received.From, received.To = 2, 1
		events = append(events, Event{Kind: Send, Message: &sent}, Event{Kind: Receive, Message: &received})
	}
	for i := range events {
		events[i].Node, events[i].Term = 1, 2
		events[i].Time = 86_400_123_456_789 + int64(i)*1000 - int64(i%3)*2500
	}
	return events
}

func encode(t testing.TB, events []Event) []byte {
	t.Helper()
	var (
		enc Encoder
		err error
	)
	buf := []byte(Magic)
	for i := range events {
		buf, err = enc.Append(buf, &events[i])
		must(t, err)
	}
	return buf
}

// readAll reads until an error other than io.EOF.
func readAll(r *Reader) (events []Event, err error) {
	for {
		e, err := r.Next()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, *e.Clone())
	}
}

func same(t *testing.T, got, want []Event) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

func TestEveryKindSurvivesTheBinaryForm(t *testing.T) {
	want := everything()
	data := encode(t, want)
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(data), "byte by byte": iotest.OneByteReader(bytes.NewReader(data))} {
		got, err := readAll(NewReader(r))
		must(t, err)
		t.Log(name)
		same(t, got, want)
	}
}

func TestEveryKindSurvivesTheText(t *testing.T) {
	for _, want := range everything() {
		want.Boot = 1
		if want.Kind == Tally {
			want.Boot = 12
		}
		line := want.String()
		got, err := ParseText(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		same(t, []Event{*got}, []Event{want})
		if again := got.String(); again != line {
			t.Errorf("%s was formatted as %s", line, again)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q is not plain ASCII", line)
		}
	}
}

// everything must hold each kind and type, or the tests above prove less than they say.
func TestEverythingIsEverything(t *testing.T) {
	kinds, types := map[Kind]bool{}, map[MessageType]bool{}
	for _, e := range everything() {
		kinds[e.Kind] = true
		if e.Message != nil {
			types[e.Message.Type] = true
		}
		for _, f := range layouts[e.Kind] {
			if isZero(f.of(&e)) {
				t.Errorf("%v: %s is not set", e.Kind, f.name)
			}
		}
	}
	for _, k := range Kinds() {
		if !kinds[k] && k != Silent {
			t.Errorf("%v is missing", k)
		}
		if named, ok := KindNamed(k.String()); !ok || named != k {
			t.Errorf("%d is named %q, which is %d", k, k, named)
		}
	}
	if len(types) != int(lastMessageType) {
		t.Errorf("%d types of messages of %d", len(types), lastMessageType)
	}
}

func TestTextAsPeopleWriteIt(t *testing.T) {
	const text = `
# A leader is elected.
n1 grant term=2 peer=n1 mark=0/0
n1 send vote to=n2 term=2 mark=0/0 number=1

  n2#2 receive vote from=n1 term=1 message-term=2 number=1
@3.5 n2#2 role leader term=2 reason=elected
n2#2 append runs=1-3/1,4/2 term=2
`
	want := []Event{
		{Kind: Grant, Node: 1, Boot: 1, Time: 1e6, Term: 2, Peer: 1},
		{Kind: Send, Node: 1, Boot: 1, Time: 2e6, Term: 2, Message: &Message{Type: Vote, Number: 1, From: 1, To: 2, Term: 2}},
		{Kind: Receive, Node: 2, Boot: 2, Time: 3e6, Term: 1, Message: &Message{Type: Vote, Number: 1, From: 1, To: 2, Term: 2}},
		{Kind: RoleChange, Node: 2, Boot: 2, Time: 3.5e9, Term: 2, Role: Leader, Reason: "elected"},
		{Kind: Append, Node: 2, Boot: 2, Time: 3.501e9, Term: 2, Runs: []Run{{1, 3, 1}, {4, 1, 2}}},
	}
	got, err := ReadText(strings.NewReader(text))
	must(t, err)
	same(t, got, want)
}

func TestTextIsRefusedWithTheReason(t *testing.T) {
	for line, want := range map[string]string{
		"n1":                                    "needs a node and a kind",
		"1 grant":                               `"1" is not a node`,
		"n1#0 grant":                            "not the number of a boot",
		"n1 granted":                            `"granted" is not a kind`,
		"@x n1 grant":                           "not a time",
		"@1.0000000001 n1 grant":                "not a time",
		"n1 role":                               "role of what?",
		"n1 role king":                          `"king" is not a role`,
		"n1 send":                               "send of what?",
		"n1 send mail to=n2":                    `"mail" is not a type of message`,
		"n1 grant peer=n1 peer=n2":              "given twice",
		"n1 grant node=n2":                      `no field "node"`,
		"n1 grant commit=3":                     `no field "commit"`,
		"n1 grant peer":                         "write peer=VALUE",
		"n1 tally reject=yes":                   "write reject alone",
		"n1 grant peer=n1 mark=3":               "not an entry",
		"n1 append runs=5-4/1":                  "not entries of a term",
		"n1 append runs=0/1":                    "not entries of a term",
		"n1 round-begun first=3 last=2":         "reads 3 to 2",
		"n1 start lacks=luck":                   "neither a kind",
		"n1 failed reason=\"x":                  "quote is not closed",
		"n1 commit mark=3/1 hash=xyz":           "not a hash",
		"n1 commit mark=3/1 term=-1":            "not a number",
		"n1 failed reason=" + long(300):         "more than 256",
		"n1 send append to=n2 hint=1/1":         `no field "hint"`,
		"n1 commit mark=1/18446744073709551616": "not an entry",
	} {
		_, err := ReadText(strings.NewReader("\n" + line))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%q: error %v, want line 2 and %q", line, err, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// Wherever a trace is cut, what is whole before the cut is read, and the cut is told
// with its offset.
func TestCutAnywhere(t *testing.T) {
	events := everything()[:6]
	data := encode(t, events)
	var ends []int // of the frames
	for n := range events {
		ends = append(ends, len(encode(t, events[:n+1])))
	}
	for cut := range data {
		whole, begins := 0, len(Magic)
		for whole < len(ends) && ends[whole] <= cut {
			begins = ends[whole]
			whole++
		}
		if cut < len(Magic) {
			begins = 0
		}
		got, err := readAll(NewReader(bytes.NewReader(data[:cut])))
		same(t, got, events[:whole])
		if cut == begins && cut > 0 {
			must(t, err)
			continue
		}
		var damage *Damage
		if !errors.As(err, &damage) || damage.Offset != int64(begins) {
			t.Fatalf("cut at %d: %v, want damage at %d", cut, err, begins)
		}
	}
}

func TestDamageIsToldWithItsReason(t *testing.T) {
	start := Event{Kind: Start, Node: 1}
	after := func(frame ...byte) []byte { return append(encode(t, []Event{start}), frame...) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":             {nil, "empty"},
		"something else":      {[]byte("package main\n\nfunc main() {}"), "does not begin as a trace"},
		"not even its length": {[]byte("pack"), "does not begin as a trace"},
		"no start":            {append([]byte(Magic), 4, byte(RoundDone), 0, 2, 1), "not with start"},
		"another start":       {after(encode(t, []Event{start})[len(Magic):]...), "second start"},
		"of nobody":           {encode(t, []Event{{Kind: Start}}), "of no node"},
		"an empty frame":      {after(0), "empty frame"},
		"a huge frame":        {after(0xff, 0xff, 0xff, 0x7f), "more than 65536 bytes"},
		"a huge length":       {after(bytes.Repeat([]byte{0xff}, 11)...), "more than 65536 bytes"},
		"an unknown kind":     {after(1, 99), "kind 99"},
		"a boot":              {after(2, kindBoot, 2), "kind 255"},
		"a silence":           {after(5, byte(Silent), 0, 0, 1, 'x'), "kind 22"},
		"too little":          {after(3, byte(Transfer), 0, 2), "transfer: the frame ends early"},
		"too much":            {after(5, byte(Transfer), 0, 2, 1, 1), "transfer: 1 bytes too many"},
		"no such role":        {after(8, byte(RoleChange), 0, 2, 9, 0, 0, 0, 0), "unknown role: 9"},
		"role 0":              {after(8, byte(RoleChange), 0, 2, 0, 0, 0, 0, 0), "no role"},
		"message 0":           {after(7, byte(Send), 0, 2, 0, 2, 2, 1), "without type"},
		"no such message":     {after(7, byte(Send), 0, 2, 13, 2, 2, 1), "unknown type of message: 13"},
		"maybe":               {after(6, byte(Tally), 0, 2, 2, 7, 0), "neither yes nor no: 7"},
		"many runs":           {after(6, byte(Append), 0, 2, 0xff, 0xff, 0x7f), "more than 16384"},
		"fewer runs":          {after(4, byte(Append), 0, 2, 5), "ends early"},
		"an entry 0":          {after(7, byte(Append), 0, 2, 1, 0, 3, 1), "run of 3 entries from 0"},
		"an empty run":        {after(7, byte(Append), 0, 2, 1, 2, 0, 1), "run of 0 entries from 1"},
		"many members":        {after(8, byte(Config), 0, 2, 1, 1, 0xff, 0xff, 0x7f), "more than 1024"},
		"a long reason":       {after(5, byte(Failed), 0, 2, 0xff, 0x7f), "more than 256"},
		"reads backwards":     {after(5, byte(ReadCame), 0, 2, 5, 4), "reads 5 to 4"},
		"before the start":    {after(4, byte(Transfer), 1, 2, 1), "before the computer's start"},
		"a number too large":  {after(append([]byte{14, byte(Transfer), 0, 2}, bytes.Repeat([]byte{0xff}, 11)...)...), "more than 64 bits"},
		"unknown lacks":       {append([]byte(Magic), 14, byte(Start), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x7f), "unknown lacks"},
	} {
		_, err := readAll(NewReader(bytes.NewReader(c.data)))
		var damage *Damage
		if !errors.As(err, &damage) || !strings.Contains(damage.Reason, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAReadersErrorIsNotDamage(t *testing.T) {
	broken := errors.New("the disk is gone")
	data := encode(t, everything()[:3])
	events, err := readAll(NewReader(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken))))
	if !errors.Is(err, broken) || len(events) != 3 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestWhatExceedsABoundIsNotWritten(t *testing.T) {
	runs := make([]Run, MaxRuns)
	for i := range runs {
		runs[i] = Run{First: uint64(i) * 1e9, Count: 1 << 40, Term: 1 << 60}
	}
	runs[0].First = 1
	for name, e := range map[string]Event{
		"no kind":        {},
		"kind":           {Kind: lastKind + 1},
		"role":           {Kind: RoleChange},
		"message":        {Kind: Send},
		"type":           {Kind: Send, Message: &Message{Type: lastMessageType + 1}},
		"reason":         {Kind: Failed, Reason: long(MaxReason + 1)},
		"members":        {Kind: Config, Members: make([]NodeID, MaxMembers+1)},
		"frame":          {Kind: Append, Runs: runs},
		"runs":           {Kind: Append, Runs: append(runs, runs...)},
		"run":            {Kind: Append, Runs: []Run{{First: 1}}},
		"run of message": {Kind: Send, Message: &Message{Type: AppendEntries, Runs: []Run{{Count: 1}}}},
		"end of run":     {Kind: Append, Runs: []Run{{First: 2, Count: math.MaxUint64, Term: 1}}},
	} {
		var enc Encoder
		buf, err := enc.Append([]byte("before"), &e)
		if err == nil || string(buf) != "before" {
			t.Errorf("%s: %q, %v", name, buf, err)
		}
	}
}

func TestBootsOfAFile(t *testing.T) {
	var (
		enc Encoder
		err error
	)
	buf := []byte(Magic)
	add := func(boot int, events ...Event) {
		buf = enc.AppendBoot(buf, boot)
		for _, e := range events {
			buf, err = enc.Append(buf, &e)
			must(t, err)
		}
	}
	one, two := Event{Kind: Start, Node: 1, Time: 900}, Event{Kind: Start, Node: 1, Time: 2000}
	silent := Event{Kind: Silent, Time: 1000, Reason: "cut"}
	add(1, one, silent)
	add(3, two)
	add(4, silent)

	got, err := readAll(NewFileReader(bytes.NewReader(buf)))
	must(t, err)
	one.Boot, two.Boot = 1, 3
	first, last := silent, silent
	first.Boot, first.Node, last.Boot = 1, 1, 4
	same(t, got, []Event{one, first, two, last})

	_, err = readAll(NewFileReader(bytes.NewReader(enc.AppendBoot(buf, 4))))
	if err == nil || !strings.Contains(err.Error(), "boot 4 after boot 4") {
		t.Errorf("a boot twice: %v", err)
	}
}

func TestNoMemoryForEachEvent(t *testing.T) {
	events := everything()
	data := encode(t, events)
	var (
		enc Encoder
		dec Decoder
		e   Event
		buf = make([]byte, 0, 2*len(data))
	)
	n, err := dec.Next(data, &e)
	must(t, err)
	data = data[n:]
	fresh := dec
	pass := func() {
		reasons, runs := dec.reasons, dec.message.Runs
		dec = fresh
		dec.reasons, dec.message.Runs = reasons, runs
		for rest := data; len(rest) > 0; {
			n, err := dec.Next(rest, &e)
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			rest = rest[n:]
		}
		buf = buf[:0]
		for i := range events {
			buf, _ = enc.Append(buf, &events[i])
		}
	}
	pass()
	if allocs := testing.AllocsPerRun(10, pass); allocs != 0 {
		t.Errorf("%v allocations for %d events", allocs, len(events))
	}
}

// TestTheExampleOfTheDocs: the bytes in docs/trace.md are those that are written.
func TestTheExampleOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/trace.md")
	must(t, err)
	_, rest, found := strings.Cut(string(page), "```\n73 71")
	example, _, closed := strings.Cut("73 71"+rest, "```")
	if !found || !closed {
		t.Fatal("there is no example")
	}
	var want []byte
	for line := range strings.Lines(example) {
		for word := range strings.FieldsSeq(line) {
			b, err := strconv.ParseUint(word, 16, 8)
			if err != nil || len(word) != 2 {
				break
			}
			want = append(want, byte(b))
		}
	}
	got := encode(t, []Event{{Kind: Start, Node: 1, Time: 5, Members: []NodeID{1, 2}}, {Kind: Grant, Time: 8, Term: 2, Peer: 1}})
	if !bytes.Equal(got, want) {
		t.Errorf("docs/trace.md: % x, but it is % x", want, got)
	}
}

// TestTheTablesOfTheDocs: docs/trace.md has every kind and type, with its number.
func TestTheTablesOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/trace.md")
	must(t, err)
	row := func(name string, number uint8) {
		pattern := fmt.Sprintf("(?m)^\\|[^|]*`%s`[^|]*\\|[^|]*\\b%d\\b[^|]*\\|", name, number)
		if !regexp.MustCompile(pattern).Match(page) {
			t.Errorf("docs/trace.md has no row of %s, %d", name, number)
		}
	}
	for _, k := range Kinds() {
		row(k.String(), uint8(k))
	}
	for typ := PreVote; typ <= lastMessageType; typ++ {
		row(typ.String(), uint8(typ))
	}
}
