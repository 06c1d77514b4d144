package protocol

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

// bounds is a handler that looks at what it is given.
type bounds struct{ t *testing.T }

func (b *bounds) Stream(_ StreamID, boot int, data []byte) {
	if boot < 0 || len(data) > MaxChunk {
		b.t.Errorf("a piece of %d bytes of boot %d", len(data), boot)
	}
}

func (b *bounds) Event(Event) {}

// FuzzCalls: whatever comes from an agent, the calls of its client end with the connection, and its handler is given nothing beyond the bounds.
func FuzzCalls(f *testing.F) {
	frame := func(kind Kind, payload string) []byte {
		b, _ := AppendFrame(nil, kind, []byte(payload))
		return b
	}
	stream := append(make([]byte, StreamOverhead), "hello"...)
	PutStreamHead(stream, StreamTrace, 7)
	f.Add(bytes.Join([][]byte{frame(KindReply, `{"id":1,"r":{"version":4,"pid":1}}`), stream, frame(KindEvent, `{"kind":"exit","boot":1,"oom":true}`)}, nil))
	f.Add(frame(KindReply, `{"id":1,"e":{"code":"failed","msg":"no"}}`))
	f.Add(append(frame(KindReply, `{"id":1}`), frame(KindReply, `{"id":1}`)...))
	f.Add(frame(KindCredit, "\x00\x00\x00\x01"))
	f.Add([]byte("usage: another program\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := NewClient(agentOf{bytes.NewReader(in)}, &bounds{t: t})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _ = c.Hello(ctx)
		if ctx.Err() != nil {
			t.Error("a call did not end with its connection")
		}
		<-c.Done()
		if err := c.Err(); !errors.Is(err, ErrAgentGone) {
			t.Errorf("it ended with %v", err)
		}
		_ = c.Close()
	})
}
