package kv

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCommandRoundTrip(t *testing.T) {
	long := strings.Repeat("x", MaxValue)
	for _, c := range []struct {
		name       string
		op         Op
		key        string
		expect     Value
		value      string
		wantExpect bool
	}{
		{name: "get", op: OpGet, key: "k"},
		{name: "empty key", op: OpGet},
		{name: "key of bytes", op: OpDelete, key: "\x00\xff\n"},
		{name: "put", op: OpPut, key: "k", value: "v"},
		{name: "put nothing", op: OpPut, key: "k"},
		{name: "cas on absent", op: OpCAS, key: "k", value: "v"},
		{name: "cas on empty", op: OpCAS, key: "k", expect: Some(""), value: "v", wantExpect: true},
		{name: "all at the limit", op: OpCAS, key: strings.Repeat("k", MaxKey), expect: Some(long), value: long, wantExpect: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := appendCommand(nil, c.op, c.key, c.expect, c.value)
			got, err := decodeCommand(raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.op != c.op || string(got.key) != c.key || got.expectPresent != c.wantExpect ||
				string(got.expect) != c.expect.Data || string(got.value) != c.value {
				t.Errorf("read back something else: %+v", got)
			}
			if len(raw) > maxBody {
				t.Errorf("it has %d bytes, over the limit of %d", len(raw), maxBody)
			}
			for cut := range min(len(raw), 100) {
				if _, err := decodeCommand(raw[:cut]); err == nil {
					t.Errorf("cut to %d of %d bytes it was accepted", cut, len(raw))
				}
			}
			if _, err := decodeCommand(append(raw, 0)); err == nil {
				t.Error("accepted with a byte too many")
			}
		})
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	huge := binary.AppendUvarint([]byte{byte(OpGet)}, 1<<63)
	for name, raw := range map[string][]byte{
		"nothing":            {},
		"operation 0":        {0, 1, 'k'},
		"operation 100":      {100, 1, 'k'},
		"long number":        appendCommand(nil, OpAdd, "k", Value{}, strings.Repeat("1", maxNumber+1)),
		"key over limit":     appendCommand(nil, OpGet, strings.Repeat("k", MaxKey+1), Value{}, ""),
		"value over limit":   appendCommand(nil, OpPut, "k", Value{}, strings.Repeat("v", MaxValue+1)),
		"absurd length":      huge,
		"expect neither":     {byte(OpCAS), 1, 'k', 2, 1, 'v'},
		"endless uvarint":    append([]byte{byte(OpGet)}, bytes.Repeat([]byte{0x80}, 12)...),
		"value on a get":     append(appendCommand(nil, OpGet, "k", Value{}, ""), 1, 'v'),
		"put without value":  {byte(OpPut), 1, 'k'},
		"expect without new": {byte(OpCAS), 1, 'k', 1, 1, 'e'},
		"big element":        appendCommand(nil, OpAppend, "k", Value{}, strings.Repeat("v", MaxElement+1)),
		"long name":          appendLock(nil, OpAcquire, strings.Repeat("k", MaxName+1), "me", 0, 0),
		"long owner":         appendLock(nil, OpAcquire, "k", strings.Repeat("k", MaxName+1), 0, 0),
		"long lease":         appendLock(nil, OpAcquire, "k", "me", 0, MaxTTL+1),
		"session 0":          appendCommand(appendSession(nil, 0, 1, 1), OpPut, "k", Value{}, "v"),
		"number 0":           appendCommand(appendSession(nil, 1, 0, 0), OpPut, "k", Value{}, "v"),
		"answered itself":    appendCommand(appendSession(nil, 1, 5, 6), OpPut, "k", Value{}, "v"),
		"read in a session":  appendCommand(appendSession(nil, 1, 1, 1), OpGet, "k", Value{}, ""),
		"session in itself":  appendSession(appendSession(nil, 1, 1, 1), 1, 1, 1),
		"register in one":    append(appendSession(nil, 1, 1, 1), byte(OpRegister)),
		"nothing in one":     appendSession(nil, 1, 1, 1),
		"the leader's time":  appendLock(appendTime(nil, 1), OpAcquire, "k", "me", 0, 0),
		"big transaction": appendTxn(nil, OpTxn, &Txn{Then: []TxnOp{{Op: OpPut, Value: strings.Repeat("v", MaxValue)},
			{Op: OpPut, Value: strings.Repeat("v", MaxValue)}}}),
	} {
		if _, err := decodeCommand(raw); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzDecodeCommand(f *testing.F) {
	f.Add(appendCommand(nil, OpGet, "key", Value{}, ""))
	f.Add(appendCommand(nil, OpPut, "key", Value{}, "value"))
	f.Add(appendCommand(nil, OpCAS, "key", Some("old"), "new"))
	for _, raw := range laterCommands() {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := decodeCommand(raw)
		if err != nil {
			return
		}
		again, err := decodeCommand(encoded(&c))
		if err != nil {
			t.Fatalf("encoded anew it is refused: %v", err)
		}
		if !bytes.Equal(encoded(&again), encoded(&c)) {
			t.Fatalf("%+v became %+v", c, again)
		}
		// Whatever is accepted can be applied, or read.
		m := full()
		switch {
		case c.op.Reads():
			if r := m.Query(&c); r.status == statusFailed && r.code == CodeInternal {
				t.Fatalf("%+v: %+v", c, r)
			}
			return
		case c.op.timed():
			raw = append(appendTime(nil, 7), raw...)
		}
		if r := m.Apply(100, raw).(response); r.status == statusFailed && r.code == CodeInternal {
			t.Fatalf("%+v: %+v", c, r)
		}
	})
}

// FuzzApply applies whatever stands in the log: it is carried out or refused.
func FuzzApply(f *testing.F) {
	for _, raw := range laterCommands() {
		f.Add(raw)
		f.Add(append(appendTime(nil, 7), raw...))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := full()
		before := m.Hash()
		r := m.Apply(100, raw).(response)
		if r.status == statusFailed && r.code == CodeInternal && m.Hash() != before {
			t.Fatalf("refused, and it changed the state: %+v", r)
		}
	})
}

// FuzzDecodeData reads what answers may carry.
func FuzzDecodeData(f *testing.F) {
	f.Add("\x01a\x00")
	f.Add(string(appendResult(appendResult(nil, OpGet, Some("v")), OpList, Some("\x01a"))))
	held := lock{owner: "me", token: 7, ends: 50}
	f.Add(held.holder(10).Data)
	f.Fuzz(func(t *testing.T, data string) {
		if elements, err := decodeList(data); err == nil {
			l := &list{}
			for _, e := range elements {
				l = l.with([]byte(e))
			}
			if again, err := decodeList(string(l.encoded)); err != nil || !slices.Equal(again, elements) {
				t.Fatalf("list %q became %q, %v", elements, again, err)
			}
		}
		if results, err := decodeResults(data); err == nil && len(results) > len(data) {
			t.Fatalf("%d results of %d bytes", len(results), len(data))
		}
		if h, err := decodeHolder(Some(data)); err == nil {
			l := lock{owner: h.Owner, token: h.Token, ends: 100 + h.Left}
			if h.Left == 0 {
				l.ends = never
			}
			if again := l.holder(100); again != Some(data) {
				t.Fatalf("%+v became %+v", h, again)
			}
		}
	})
}

// encoded is a command's encoded form.
func encoded(c *command) []byte {
	var b []byte
	if c.rest != nil && c.rest.session != 0 {
		b = appendSession(b, c.rest.session, c.rest.number, c.rest.answered)
	}
	expect := Value{Data: string(c.expect), Present: c.expectPresent}
	switch {
	case c.op == OpRegister:
		return append(b, byte(c.op))
	case c.op.timed():
		return appendLock(b, c.op, string(c.key), string(c.value), c.rest.token, c.rest.ttl)
	case c.op == OpTxn || c.op == OpReadTxn:
		t := Txn{Then: txnOps(c.rest.txn.then), Else: txnOps(c.rest.txn.otherwise)}
		for _, cond := range c.rest.txn.conditions {
			t.If = append(t.If, Condition{Key: string(cond.key), Value: Value{Data: string(cond.expect), Present: cond.expectPresent}})
		}
		return appendTxn(b, c.op, &t)
	}
	return appendCommand(b, c.op, string(c.key), expect, string(c.value))
}

func txnOps(commands []command) (ops []TxnOp) {
	for _, c := range commands {
		ops = append(ops, TxnOp{Op: c.op, Key: string(c.key), Value: string(c.value)})
	}
	return ops
}

// laterCommands are commands that came with version 3 of the protocol, and later.
func laterCommands() map[string][]byte {
	txn := Txn{If: []Condition{{Key: "a", Value: Some("1")}, {Key: "b"}},
		Then: []TxnOp{{Op: OpPut, Key: "a", Value: "2"}, {Op: OpAppend, Key: "l", Value: "x"}, {Op: OpDelete, Key: "c"}},
		Else: []TxnOp{{Op: OpGet, Key: "a"}, {Op: OpList, Key: "l"}}}
	reads := Txn{Then: []TxnOp{{Op: OpGet, Key: "a"}, {Op: OpList, Key: "l"}}}
	whole := appendCommand(appendSession(nil, 1<<63, 1<<63, 1<<63), OpCAS, strings.Repeat("k", MaxKey),
		Some(strings.Repeat("v", MaxValue)), strings.Repeat("v", MaxValue))
	return map[string][]byte{
		"append":            appendCommand(nil, OpAppend, "l", Value{}, "element"),
		"add":               appendCommand(nil, OpAdd, "n", Value{}, "-9223372036854775808"),
		"pop":               appendCommand(nil, OpPop, "l", Value{}, ""),
		"remove":            appendCommand(nil, OpRemove, "l", Value{}, "element"),
		"add in a session":  appendCommand(appendSession(nil, 7, 1, 1), OpAdd, "n", Value{}, "1"),
		"append nothing":    appendCommand(nil, OpAppend, "", Value{}, ""),
		"list":              appendCommand(nil, OpList, "l", Value{}, ""),
		"transaction":       appendTxn(nil, OpTxn, &txn),
		"empty transaction": appendTxn(nil, OpTxn, &Txn{}),
		"reads":             appendTxn(nil, OpReadTxn, &reads),
		"register":          {byte(OpRegister)},
		"acquire":           appendLock(nil, OpAcquire, "lock", "me", 0, MaxTTL),
		"acquire for ever":  appendLock(nil, OpAcquire, "", "", 0, 0),
		"release":           appendLock(nil, OpRelease, "lock", "me", 1<<63, 0),
		"keep alive":        appendLock(nil, OpKeepAlive, "lock", "me", 7, time.Second),
		"lock in a session": appendLock(appendSession(nil, 7, 300, 2), OpAcquire, "lock", "me", 0, time.Second),
		"txn in a session":  appendTxn(appendSession(nil, 7, 1, 1), OpTxn, &txn),
		"the longest":       whole,
	}
}

func TestLaterCommandsRoundTrip(t *testing.T) {
	for name, raw := range laterCommands() {
		t.Run(name, func(t *testing.T) {
			c, err := decodeCommand(raw)
			if err != nil {
				t.Fatal(err)
			}
			if again := encoded(&c); !bytes.Equal(again, raw) {
				t.Errorf("it came back as % x", again[:min(len(again), 64)])
			}
			if len(raw) > maxBody {
				t.Errorf("it has %d bytes, over the limit of %d", len(raw), maxBody)
			}
			for cut := range min(len(raw), 100) {
				if _, err := decodeCommand(raw[:cut]); err == nil {
					t.Errorf("cut to %d of %d bytes it was accepted", cut, len(raw))
				}
			}
			if _, err := decodeCommand(append(bytes.Clone(raw), 0)); err == nil {
				t.Error("accepted with a byte too many")
			}
			if err := new(command).takeEntry(append(appendTime(nil, 7), raw...)); (err == nil) != c.op.timed() {
				t.Errorf("with the time in front: %v", err)
			}
			if err := new(command).takeEntry(raw); (err == nil) == c.op.timed() {
				t.Errorf("without the time: %v", err)
			}
			if _, err := decodeCommand(append(appendTime(nil, 7), raw...)); err == nil {
				t.Error("a request with the time was accepted")
			}
		})
	}
}

var responses = []response{
	{status: statusOK},
	{status: statusOK, value: Some("")},
	{status: statusOK, value: Some("value")},
	{status: statusCompareFailed},
	{status: statusCompareFailed, value: Some("other")},
	noEffect(CodeBusy, ""),
	noEffect(CodeNotLeader, "no leader is known"),
	uncertain(OpPut, CodeTimeout, "no outcome in time"),
}

func TestResponseRoundTrip(t *testing.T) {
	var stream []byte
	for i, r := range responses {
		start := len(stream)
		stream = endFrame(appendResponse(beginFrame(stream, uint64(i)), &r), start)
	}
	big := response{status: statusOK, value: Some(strings.Repeat("v", MaxValue))}
	start := len(stream)
	stream = endFrame(appendResponse(beginFrame(stream, 77), &big), start)

	br := bufio.NewReaderSize(bytes.NewReader(stream), 256) // the big one does not fit
	for i, want := range responses {
		id, got, err := readResponse(br)
		if err != nil || id != uint64(i) || got != want {
			t.Fatalf("response %d came back as %d %+v, %v; sent %+v", i, id, got, err, want)
		}
	}
	if id, got, err := readResponse(br); err != nil || id != 77 || got != big {
		t.Fatalf("the big response came back as %d with %d bytes, %v", id, len(got.value.Data), err)
	}
	if _, _, err := readResponse(br); !errors.Is(err, io.EOF) {
		t.Fatalf("after the last response: %v", err)
	}
}

// headerOf is a header, with the right checksum, of a body of that length.
func headerOf(size uint32) []byte {
	head := beginFrame(nil, 1)
	binary.BigEndian.PutUint32(head, size)
	return binary.BigEndian.AppendUint32(head[:clientHeader-sumSize], checksum(head[:clientHeader-sumSize]))
}

func TestReadRefusesFrames(t *testing.T) {
	for name, raw := range map[string][]byte{
		"no body":       headerOf(0),
		"over limit":    headerOf(maxBody + 1),
		"absurd length": headerOf(1<<32 - 1),
	} {
		var malformed *frameError
		if _, _, err := readRequest(bufio.NewReader(bytes.NewReader(raw))); !errors.As(err, &malformed) {
			t.Errorf("%s: request read with %v", name, err)
		}
		if _, _, err := readResponse(bufio.NewReader(bytes.NewReader(raw))); !errors.As(err, &malformed) {
			t.Errorf("%s: response read with %v", name, err)
		}
	}
	for _, body := range [][]byte{{0, 0}, {9, 0}, {1, 2}, {1, 0, 'v'}, {1}} {
		if _, err := decodeResponse(body); err == nil {
			t.Errorf("response % x was accepted", body)
		}
	}
}

func FuzzReadResponse(f *testing.F) {
	for _, r := range responses {
		f.Add(appendResponse(nil, &r))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := decodeResponse(body)
		if err != nil || len(r.text) > maxText {
			return
		}
		if got := appendResponse(nil, &r); !bytes.Equal(got, body) {
			t.Fatalf("% x came back as % x", body, got)
		}
	})
}

func TestPeerHello(t *testing.T) {
	peers := map[NodeID]string{1: "a:1", 2: "b:1", 3: "c:1"}
	right := peerHello{version: ProtocolVersion, kind: kindRaft, cluster: clusterID("c"), from: 2, to: 1}
	got, err := readPeerHello(bytes.NewReader(right.encode()))
	if err != nil || got != right {
		t.Fatalf("%+v came back as %+v, %v", right, got, err)
	}
	for _, c := range []struct {
		name   string
		change func(*peerHello)
		want   helloReply
	}{
		{"member", func(*peerHello) {}, welcome},
		{"for requests", func(h *peerHello) { h.kind = kindRequests }, welcome},
		{"other version", func(h *peerHello) { h.version++ }, wrongVersion},
		{"other cluster", func(h *peerHello) { h.cluster = clusterID("d") }, wrongCluster},
		{"stranger", func(h *peerHello) { h.from = 9 }, unknownMember},
		{"itself", func(h *peerHello) { h.from = 1 }, unknownMember},
		{"wrong address", func(h *peerHello) { h.to = 3 }, wrongReceiver},
		{"other kind", func(h *peerHello) { h.kind = 9 }, wrongKind},
	} {
		h := right
		c.change(&h)
		if got := h.check(clusterID("c"), 1, peers); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if _, err := readPeerHello(strings.NewReader("GET / HTTP/1.1\r\nHost: example\r\n\r\n")); err == nil {
		t.Error("a browser was taken for a node")
	}
}

func TestReplies(t *testing.T) {
	for _, c := range []struct{ name, reply, want string }{
		{"welcome", string(shortHello(peerMagic, welcome)), ""},
		{"refused", string(shortHello(peerMagic, wrongCluster)), "it belongs to another cluster"},
		{"welcomed by version 1", "sqpr\x00\x01\x00\x00", "it speaks version 1, this side 5"},
		{"refused by version 1", "sqpr\x00\x01\x00\x01", "it speaks version 1, this side 5"},
		{"cut", "sqpr\x00\x02\x00\x00\x00", "the end of its hello"},
		{"damaged", "sqpr\x00\x02\x00\x00\x00\x00\x00\x00", "damaged on the way"},
		{"of clients", string(shortHello(clientMagic, welcome)), "no hello"},
	} {
		err := readReply(strings.NewReader(c.reply), peerMagic)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
