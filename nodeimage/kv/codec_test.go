package kv

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
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
		"operation 9":        {9, 1, 'k'},
		"key over limit":     appendCommand(nil, OpGet, strings.Repeat("k", MaxKey+1), Value{}, ""),
		"value over limit":   appendCommand(nil, OpPut, "k", Value{}, strings.Repeat("v", MaxValue+1)),
		"absurd length":      huge,
		"expect neither":     {byte(OpCAS), 1, 'k', 2, 1, 'v'},
		"endless uvarint":    append([]byte{byte(OpGet)}, bytes.Repeat([]byte{0x80}, 12)...),
		"value on a get":     append(appendCommand(nil, OpGet, "k", Value{}, ""), 1, 'v'),
		"put without value":  {byte(OpPut), 1, 'k'},
		"expect without new": {byte(OpCAS), 1, 'k', 1, 1, 'e'},
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
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := decodeCommand(raw)
		if err != nil {
			return
		}
		expect := Value{Data: string(c.expect), Present: c.expectPresent}
		again, err := decodeCommand(appendCommand(nil, c.op, string(c.key), expect, string(c.value)))
		if err != nil {
			t.Fatalf("encoded anew it is refused: %v", err)
		}
		if again.op != c.op || !bytes.Equal(again.key, c.key) || again.expectPresent != c.expectPresent ||
			!bytes.Equal(again.expect, c.expect) || !bytes.Equal(again.value, c.value) {
			t.Fatalf("%+v became %+v", c, again)
		}
		// Whatever is accepted can be applied.
		NewMachine().Apply(1, raw)
	})
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
		if got := h.judge(clusterID("c"), 1, peers); got != c.want {
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
		{"welcomed by version 1", "sqpr\x00\x01\x00\x00", "it speaks version 1, this side 2"},
		{"refused by version 1", "sqpr\x00\x01\x00\x01", "it speaks version 1, this side 2"},
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
