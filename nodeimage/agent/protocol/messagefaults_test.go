package protocol

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestMessageRuleBounds(t *testing.T) {
	good := MessageRule{From: "n1", Do: "delay", Types: []string{"vote-reply", "append"}, Share: 0.25, Delay: MaxMessageDelay, Count: MaxMessageCount, Seed: math.MaxUint64}
	if err := good.Validate(); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	if got, want := good.String(), "from=n1,do=delay,types=vote-reply+append,share=0.25,delay=60000000000,count=1000,seed=18446744073709551615"; got != want {
		t.Errorf("written %s, want %s", got, want)
	}
	for name, spoil := range map[string]func(*MessageRule){
		"no sender":        func(r *MessageRule) { r.From = "" },
		"two words":        func(r *MessageRule) { r.From = "n1 n2" },
		"a line's end":     func(r *MessageRule) { r.Do = "lose\nrules" },
		"another field":    func(r *MessageRule) { r.Types = []string{"vote,do=lose"} },
		"not a number":     func(r *MessageRule) { r.Share = math.NaN() },
		"more than all":    func(r *MessageRule) { r.Share = 1.01 },
		"before it came":   func(r *MessageRule) { r.Delay = -1 },
		"too late":         func(r *MessageRule) { r.Delay = MaxMessageDelay + time.Nanosecond },
		"too many to keep": func(r *MessageRule) { r.Count = MaxMessageCount + 1 },
	} {
		bad := good
		if spoil(&bad); !errors.Is(bad.Validate(), ErrMessageRule) {
			t.Errorf("%s: %+v is taken", name, bad)
		}
	}
	if err := (MessageRules{make([]MessageRule, MaxMessageRules+1)}).Validate(); !errors.Is(err, ErrMessageRule) {
		t.Errorf("too many rules: %v", err)
	}
}

func TestMessageCountsAreRead(t *testing.T) {
	c, err := ParseMessageCounts("3 120/31 88/0")
	if err != nil || c.Held != 3 || len(c.Rules) != 2 || c.Rules[0] != (MessageCount{120, 31}) || c.Rules[1] != (MessageCount{88, 0}) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{"", "x", "1 2", "1 2/", "1 /2", "1 2/3/4", "1 2/-3", "1  2/3", "1 2/3 "} {
		if c, err := ParseMessageCounts(text); err == nil {
			t.Errorf("%q is taken for %+v", text, c)
		}
	}
}
