package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
)

// setRules sets the rules for what comes in at the server.
func (n *kvNode) setRules(t *testing.T, rules ...protocol.MessageRule) {
	t.Helper()
	if err := n.SetMessageRules(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
}

func (n *kvNode) counts(t *testing.T) protocol.MessageCounts {
	t.Helper()
	c, err := n.MessageCounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// from are rules alike for what comes from each node.
func from(rule protocol.MessageRule, nodes ...int) (rules []protocol.MessageRule) {
	for _, id := range nodes {
		rule.From = fmt.Sprintf("n%d", id)
		rules = append(rules, rule)
	}
	return rules
}

func total(c protocol.MessageCounts) (matched, hit uint64) {
	for _, r := range c.Rules {
		matched += r.Matched
		hit += r.Hit
	}
	return matched, hit
}

// TestMessageRulesBite: a follower that loses its leader's heartbeats by a rule
// stands for election, and counts what it lost; nothing is counted when the rules
// have ended.
func TestMessageRulesBite(t *testing.T) {
	nodes := startKV(t, 3, 50*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond)
	startAll(t, nodes)
	_, others := leader(t, nodes, 0)
	n := others[0]
	if c := n.counts(t); c.Held != 0 || len(c.Rules) != 0 {
		t.Errorf("without rules it counts %+v", c)
	}
	before := mono()
	n.setRules(t, from(protocol.MessageRule{Do: "lose", Types: []string{"heartbeat", "append"}, Share: 1}, 1, 2, 3)...)
	eventually(t, "an election timeout", func() bool { return len(n.timeouts(t, before)) > 0 })
	matched, hit := total(n.counts(t))
	if matched == 0 || hit != matched {
		t.Errorf("of %d messages it lost %d", matched, hit)
	}
	n.setRules(t, from(protocol.MessageRule{Do: "duplicate", Share: 1, Delay: time.Minute}, 1, 2, 3)...)
	eventually(t, "copies that wait", func() bool { return n.counts(t).Held > 0 })
	n.setRules(t)
	if c := n.counts(t); c.Held != 0 || len(c.Rules) != 0 {
		t.Errorf("when the rules have ended it counts %+v", c)
	}
}

// TestMessageRulesOutliveTheServer: they are the machine's, and the next server
// begins with them; a paused one takes them when it continues.
func TestMessageRulesOutliveTheServer(t *testing.T) {
	nodes := startKV(t, 2, 50*time.Millisecond, 300*time.Millisecond, 600*time.Millisecond)
	n, ctx := nodes[0], t.Context()
	n.setRules(t, from(protocol.MessageRule{Do: "duplicate", Share: 1}, 2)...) // before the first server
	if _, err := n.MessageCounts(ctx); !errors.Is(err, protocol.ErrNotRunning) {
		t.Errorf("counting for nothing: %v, want ErrNotRunning", err)
	}
	startAll(t, nodes)
	bites := func() bool { _, hit := total(n.counts(t)); return hit > 0 }
	eventually(t, "messages that come twice", bites)
	if _, err := n.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	n.start(t)
	eventually(t, "messages that come twice again", bites)
	if _, err := n.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	n.setRules(t)
	if _, err := n.MessageCounts(ctx); !errors.Is(err, protocol.ErrMessagesSilent) || !strings.Contains(err.Error(), "paused") {
		t.Errorf("counting for a paused server: %v, want ErrMessagesSilent", err)
	}
	if _, err := n.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	if c := n.counts(t); len(c.Rules) != 0 {
		t.Errorf("the rules ended while it was paused, and it counts %+v", c)
	}
}

func TestServersWithoutMessageRules(t *testing.T) {
	h := newHarness(t, new(recorder))
	ctx := t.Context()
	h.run(t, "hang")
	if err := h.SetMessageRules(ctx, nil); !errors.Is(err, protocol.ErrNoMessageRules) {
		t.Errorf("rules: %v, want ErrNoMessageRules", err)
	}
	if _, err := h.MessageCounts(ctx); !errors.Is(err, protocol.ErrNoMessageRules) {
		t.Errorf("counts: %v, want ErrNoMessageRules", err)
	}
	h.Kill(ctx)
	if _, err := h.Start(ctx, protocol.StartSpec{Argv: []string{"/proc/self/exe", "server", "say=", "hang"}, Messages: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.MessageCounts(ctx); !errors.Is(err, protocol.ErrMessagesSilent) || !strings.Contains(err.Error(), "said nothing for") {
		t.Errorf("a server that says nothing: %v, want ErrMessagesSilent", err)
	}
}
