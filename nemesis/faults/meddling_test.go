package faults

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"squall/history"
	"squall/nemesis"
)

// messageFaults are the faults of the catalogue that are on messages.
func messageFaults() (some []nemesis.Fault) {
	for _, f := range All() {
		if f.Kind == history.KindMessages {
			some = append(some, f)
		}
	}
	return some
}

// Rules that are in force and hit nothing, because no message of these types came,
// are no fault: that is told at the end.
func TestMessageFaultsWithoutMessagesLapse(t *testing.T) {
	for _, fault := range messageFaults() {
		c := newFake(5)
		c.quiet = true
		recorded, err := runFake(t, c, planned(fault, "all"))
		if err != nil || len(recorded) != 2 || recorded[0].Err != "" || !strings.Contains(recorded[1].Lapsed, "of 0 messages of these types") || recorded[1].Err != "" {
			t.Errorf("%s: %v, %+v", fault.Name, err, recorded)
		}
	}
}

// Servers that have rules, get messages, and let all of them pass do not obey.
func TestMessageRulesThatDoNothingAreNoticed(t *testing.T) {
	for _, fault := range messageFaults() {
		c := newFake(5)
		c.harmless = true
		recorded, err := runFake(t, c, planned(fault, "all"))
		void := recorded[0].Err + recorded[1].Lapsed
		if err != nil || !strings.Contains(void, "none was ") || recorded[1].Err != "" {
			t.Errorf("%s: %v, %+v", fault.Name, err, recorded)
		}
	}
}

// The rules are the machines', so servers that stand still or end meanwhile do not
// keep the fault from beginning or ending, and it says so.
func TestMessageFaultsMeetFaultsOnServers(t *testing.T) {
	for _, other := range []nemesis.Fault{pause(), kill()} {
		for _, fault := range messageFaults() {
			c := newFake(5)
			hurt, meddled := planned(other, "one"), planned(fault, "all")
			hurt.ForMs, meddled.ID, meddled.AtMs, meddled.ForMs = 6000, 2, 2000, 3000
			recorded, err := runFake(t, c, hurt, meddled)
			if err != nil || len(recorded) != 4 {
				t.Fatalf("%s, %s: %v, %+v", other.Name, fault.Name, err, recorded)
			}
			for _, f := range recorded[1:3] {
				if f.Name != fault.Name || f.Err != "" || f.Lapsed != "" || !slices.ContainsFunc(f.Proof, func(s string) bool {
					return strings.HasPrefix(s, "n1 is paused, and has") || strings.HasPrefix(s, "n1 does not run, and has")
				}) {
					t.Errorf("%s, while n1 is hit by %s: %+v", fault.Name, other.Name, f)
				}
			}
			if wrong := c.hurt(); len(wrong) > 0 {
				t.Errorf("still hurt: %v", wrong)
			}
		}
	}
}

// A machine that is switched off and on meanwhile gets its rules again.
func TestAMachineThatRestartsGetsItsMessageRulesAgain(t *testing.T) {
	c := newFake(5)
	rules, off := planned(messageDelay(), "all"), planned(powerCut(), "one")
	rules.ForMs = 5000
	off.ID, off.AtMs, off.ForMs = 2, 2000, 1000
	var again []nemesis.MessageRule
	synctest.Test(t, func(t *testing.T) {
		var rec memory
		begin := time.Now()
		r := nemesis.Runner{Catalogue: All(), Cluster: c, Recorder: &rec, Now: func() int64 { return int64(time.Since(begin)) }}
		r.Notice = func(f history.Fault) {
			if f.ID == 2 && f.Phase == history.Heal {
				c.mu.Lock()
				defer c.mu.Unlock()
				again = c.node("n1").messages
			}
		}
		if err := r.Run(t.Context(), []nemesis.Planned{rules, off}, 0); err != nil {
			t.Error(err)
		}
	})
	if len(again) != 4 || again[0].From != "n2" || again[0].Do != nemesis.DelayMessage {
		t.Errorf("when it was on again it had the rules %+v, want one for each other node", again)
	}
	if wrong := c.hurt(); len(wrong) > 0 {
		t.Errorf("still hurt: %v", wrong)
	}
}

// Each link has a rule at its receiver, with a seed of its own, and what the
// parameters say.
func TestMessageRulesAreThoseOfTheParameters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, fault := newFake(3), messageReorder()
		p := planned(fault, "leader")
		p.Order = nodeNames(3)
		p.Params["type"], p.Params["share"], p.Params["window"], p.Params["wait"] = "votes", "30%", "5", "40ms"
		h := &nemesis.Hit{Cluster: c, Plan: p, Args: p.Params, Roles: c.Roles(), Links: nemesis.NewLinkLayers(c)}
		if err := fault.Inject(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		seeds := map[uint64]bool{}
		for node, from := range map[string][]string{"n1": {"n2", "n3"}, "n2": {"n1"}, "n3": {"n1"}} {
			var senders []string
			for _, r := range c.node(node).messages {
				senders = append(senders, r.From)
				seeds[r.Seed] = true
				if r.Do != nemesis.ReorderMessage || r.Share != 0.3 || r.Count != 5 || r.Delay != 40*time.Millisecond ||
					!slices.Equal(r.Types, []string{"pre-vote", "pre-vote-reply", "vote", "vote-reply"}) {
					t.Errorf("%s has the rule %+v", node, r)
				}
			}
			if !slices.Equal(senders, from) {
				t.Errorf("%s has rules for what comes from %v, want %v", node, senders, from)
			}
		}
		if len(seeds) != 4 {
			t.Errorf("4 links have %d seeds", len(seeds))
		}
		if err := fault.Undo(context.Background(), h); err != nil {
			t.Error(err)
		}
	})
}

// A server that ends takes its counts with it; what it counted before stays.
func TestCountsOfServersThatStartAnew(t *testing.T) {
	all := tally{}
	for _, now := range []nemesis.MessageCount{{Matched: 10, Hit: 3}, {Matched: 20, Hit: 5}, {Matched: 4, Hit: 1}, {Matched: 30, Hit: 2}} {
		all.add("n1", now)
	}
	all.add("n2", nemesis.MessageCount{Matched: 100, Hit: 50})
	if got := all.sum(); got != (nemesis.MessageCount{Matched: 150, Hit: 57}) {
		t.Errorf("counted %+v", got)
	}
}
