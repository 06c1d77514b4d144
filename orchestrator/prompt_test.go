package orchestrator

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
)

// askedAgent is an agent that does as asked and tells of it, on a channel.
// The first requests, as many as refusals, it refuses.
func askedAgent(t *testing.T, asked chan<- bool, refusals int) *protocol.Client {
	t.Helper()
	here, there := net.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() {
		defer there.Close()
		for {
			_, payload, err := protocol.ReadFrame(there)
			if err != nil {
				return
			}
			var req protocol.Request
			var params protocol.PromptParams // a StartSpec says it by the same name
			if err := json.Unmarshal(payload, &req); err != nil || req.Method != protocol.MethodPrompt && req.Method != protocol.MethodStart {
				t.Errorf("asked for %s: %v", payload, err)
			}
			if err := json.Unmarshal(req.Params, &params); err != nil {
				t.Error(err)
			}
			asked <- params.Prompt
			answer := protocol.Reply{ID: req.ID, Result: []byte(`{"boot":1,"pid":7}`)}
			if refusals > 0 {
				refusals--
				answer = protocol.Reply{ID: req.ID, Error: &protocol.Error{Code: protocol.CodeFailed, Message: "busy"}}
			}
			reply, err := json.Marshal(answer)
			if err != nil {
				t.Error(err)
			}
			frame, _ := protocol.AppendFrame(nil, protocol.KindReply, reply)
			there.Write(frame)
		}
	})
	c := protocol.NewClient(here, &node{})
	t.Cleanup(func() { c.Close(); serving.Wait() })
	return c
}

// TestAgentsAreToldOfHaste: while a fault waits for a moment of the full trace, the agents
// forward it promptly, and not before or after; those of servers that start meanwhile too.
func TestAgentsAreToldOfHaste(t *testing.T) {
	asked := make(chan bool, 10)
	c := newNodes()
	n := &node{prompt: c.prompts.wanted.Load}
	n.life.Store(&life{agent: askedAgent(t, asked, 0)})
	c.all = append(c.all, n)
	c.watch.OnSteps(c.prompts.want)
	ctx, cancel := context.WithCancel(t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() { c.keepPrompt(ctx) })
	defer keeping.Wait()
	defer cancel()
	x, err := c.watch.Expect("vote-decided", nil)
	if err != nil {
		t.Fatal(err)
	}
	told := func(want bool) {
		t.Helper()
		select {
		case got := <-asked:
			if got != want {
				t.Errorf("told %v, want %v", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatal("the agent was not told")
		}
	}
	started := func(want bool) {
		t.Helper()
		if err := n.Start(ctx); err != nil {
			t.Fatal(err)
		}
		told(want)
	}
	told(true)
	started(true)
	x.Drop()
	told(false)
	started(false)
	cancel()
	keeping.Wait()                                                 // or it could take what is queued
	if _, err := c.watch.Expect("vote-granted", nil); err != nil { // the other trace is always prompt
		t.Fatal(err)
	}
	if len(c.prompts.changed) > 0 || len(asked) > 0 {
		t.Error("an agent was told for nothing")
	}
}

// TestAnAgentThatCouldNotBeToldIsToldAgain, unless its machine is off, and with what is
// wanted by then.
func TestAnAgentThatCouldNotBeToldIsToldAgain(t *testing.T) {
	asked := make(chan bool, 10)
	c := newNodes()
	n := &node{}
	n.life.Store(&life{agent: askedAgent(t, asked, 2)})
	off := &node{}
	off.life.Store(&life{agent: askedAgent(t, make(chan bool, 10), 10)})
	off.life.Load().off.Store(true)
	c.all = append(c.all, n, off)
	ctx, cancel := context.WithCancel(t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() { c.keepPrompt(ctx) })
	defer keeping.Wait()
	defer cancel()
	c.prompts.want(true)
	for i := range 3 {
		select {
		case got := <-asked:
			if !got {
				t.Errorf("request %d: told that there is no haste", i+1)
			}
		case <-time.After(time.Minute):
			t.Fatalf("the agent was told %d times, and refused", i)
		}
	}
	cancel()
	keeping.Wait()
	if !c.tellPrompt(t.Context()) {
		t.Error("the agent was told, and is to be told again")
	}
}
