package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"squall/nodeimage/agent/protocol"
)

// requestsIn is how many requests an input holds, up to what is none.
func requestsIn(in []byte) (asked int) {
	for rest := bytes.NewReader(in); ; {
		kind, payload, err := protocol.ReadFrame(rest)
		if err != nil {
			return asked
		}
		switch kind {
		case protocol.KindCredit:
			if _, err := protocol.ParseCredit(payload); err != nil {
				return asked
			}
		case protocol.KindRequest:
			var req protocol.Request
			if json.Unmarshal(payload, &req) != nil {
				return asked
			}
			asked++
		default:
			return asked
		}
	}
}

// FuzzAnswers: whatever comes from an orchestrator, the agent ends with its input,
// every request that it could read is answered once, and nothing panics. Nothing is
// carried out.
func FuzzAnswers(f *testing.F) {
	frame := func(kind protocol.Kind, payload string) []byte {
		b, _ := protocol.AppendFrame(nil, kind, []byte(payload))
		return b
	}
	f.Add(append(frame(protocol.KindRequest, `{"id":1,"m":"hello"}`), protocol.AppendCredit(nil, 32)...))
	f.Add(frame(protocol.KindRequest, `{"id":2,"m":"start","p":{"argv":["/no/such"]}}`))
	f.Add(frame(protocol.KindCredit, "\xff\xff\xff\xff"))
	f.Add(frame(protocol.KindReply, `{"id":1}`))
	f.Add(bytes.Repeat(frame(protocol.KindRequest, `{"id":3,"m":"net","p":{"cut":[{"from":"x"}]}}`), 80))
	f.Fuzz(func(t *testing.T, in []byte) {
		var answers bytes.Buffer
		a := &agent{opts: Options{In: io.NopCloser(bytes.NewReader(in)), Log: io.Discard}, out: newFrameWriter(&answers),
			slots: make(chan struct{}, maxRequests), stop: func(error) {}}
		a.perform = func(_ context.Context, req protocol.Request) (any, error) {
			_, err := params[protocol.StartSpec](req)
			_, netErr := params[protocol.NetState](req)
			_, flowErr := params[protocol.FlowSpec](req)
			return req.Params, errors.Join(err, netErr, flowErr)
		}
		a.server = &supervisor{out: a.out, emit: a.emit}
		if err := a.readRequests(t.Context()); err == nil {
			t.Error("the end of the input is no error")
		}
		a.requests.Wait()
		writing := make(chan error, 1)
		go func() { writing <- a.out.run() }()
		a.out.flush()
		a.out.close()
		if err := <-writing; err != nil {
			t.Fatal(err)
		}
		got := 0
		for {
			kind, payload, err := protocol.ReadFrame(&answers)
			if err == io.EOF {
				break
			}
			var reply protocol.Reply
			if err != nil || kind != protocol.KindReply || json.Unmarshal(payload, &reply) != nil {
				t.Fatalf("the agent answered kind %d, %q (%v)", kind, payload, err)
			}
			got++
		}
		if asked := requestsIn(in); got != asked {
			t.Errorf("%d requests, %d answers", asked, got)
		}
	})
}
