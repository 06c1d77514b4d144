package protocol

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Names of the methods that have to do with the messages between servers.
const (
	MethodMessageRules  = "message-rules"
	MethodMessageCounts = "message-counts"
)

// Bounds of message rules.
const (
	MaxMessageRules = 256
	MaxMessageDelay = time.Minute
	MaxMessageCount = 1000
)

// Why message rules cannot be set or counted; ask for them with errors.Is.
var (
	// ErrMessageRule: a rule is not within its bounds.
	ErrMessageRule = errors.New("message rule out of bounds")
	// ErrNoMessageRules: the server that runs was started without
	// StartSpec.Messages.
	ErrNoMessageRules = errors.New("the server takes no message rules")
	// ErrMessagesSilent: the server does not answer for its messages; most
	// likely it is paused.
	ErrMessagesSilent = errors.New("the server does not answer for its messages")
)

// MessageRule says what befalls the messages that the machine's server gets from
// one other. docs/message-faults.md says what the fields mean to each action.
type MessageRule struct {
	From  string        `json:"from"`            // the name of the node that sent them
	Do    string        `json:"do"`              // delay, lose, duplicate, reorder or replay
	Types []string      `json:"types,omitempty"` // "vote-reply"; none: all
	Share float64       `json:"share"`           // of the messages of these types, from 0 to 1
	Delay time.Duration `json:"delay,omitempty"` // ns
	Count int           `json:"count,omitempty"`
	Seed  uint64        `json:"seed,omitempty"`
}

// Validate is ErrMessageRule with what is wrong.
func (r MessageRule) Validate() error {
	words := append([]string{r.From, r.Do}, r.Types...)
	for _, word := range words {
		if !isWord(word) {
			return fmt.Errorf("%w: %q is not a word of letters, digits and -", ErrMessageRule, word)
		}
	}
	switch {
	case !(r.Share >= 0 && r.Share <= 1): // this way round because of NaN
		return fmt.Errorf("%w: a share of %v is not from 0 to 1", ErrMessageRule, r.Share)
	case r.Delay < 0 || r.Delay > MaxMessageDelay:
		return fmt.Errorf("%w: a delay of %v is not from 0 to %v", ErrMessageRule, r.Delay, MaxMessageDelay)
	case r.Count < 0 || r.Count > MaxMessageCount:
		return fmt.Errorf("%w: a count of %d is not from 0 to %d", ErrMessageRule, r.Count, MaxMessageCount)
	}
	return nil
}

func isWord(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// String is the rule as it is written on the line to the server.
func (r MessageRule) String() string {
	types := "any"
	if len(r.Types) > 0 {
		types = strings.Join(r.Types, "+")
	}
	return fmt.Sprintf("from=%s,do=%s,types=%s,share=%s,delay=%d,count=%d,seed=%d",
		r.From, r.Do, types, strconv.FormatFloat(r.Share, 'g', -1, 64), r.Delay, r.Count, r.Seed)
}

// MessageRules are all that hold at a time.
type MessageRules struct {
	Rules []MessageRule `json:"rules"`
}

// Validate is ErrMessageRule with what is wrong.
func (r MessageRules) Validate() error {
	if len(r.Rules) > MaxMessageRules {
		return fmt.Errorf("%w: %d rules; %d are allowed", ErrMessageRule, len(r.Rules), MaxMessageRules)
	}
	for _, rule := range r.Rules {
		if err := rule.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// MessageCounts is what a server counted since the rules came into force in it.
type MessageCounts struct {
	Held  uint64         `json:"held"`            // messages that are held back now
	Rules []MessageCount `json:"rules,omitempty"` // in the order in which the rules were set
}

// MessageCount is what a server counted for one rule.
type MessageCount struct {
	Matched uint64 `json:"matched"` // messages that the rule was about
	Hit     uint64 `json:"hit"`     // deliveries that were late, doubled, out of order or old, or messages lost
}

// ParseMessageCounts reads "3 120/31 88/0", as a server answers.
func ParseMessageCounts(text string) (c MessageCounts, err error) {
	held, rest, more := strings.Cut(text, " ")
	if c.Held, err = strconv.ParseUint(held, 10, 64); err != nil {
		return c, err
	}
	for more {
		var word string
		word, rest, more = strings.Cut(rest, " ")
		matched, hit, _ := strings.Cut(word, "/")
		var r MessageCount
		var hitErr error
		r.Matched, err = strconv.ParseUint(matched, 10, 64)
		r.Hit, hitErr = strconv.ParseUint(hit, 10, 64)
		if err := errors.Join(err, hitErr); err != nil {
			return c, err
		}
		if c.Rules = append(c.Rules, r); len(c.Rules) > MaxMessageRules {
			return c, fmt.Errorf("it counts for more than %d rules", MaxMessageRules)
		}
	}
	return c, nil
}

// SetMessageRules puts rules for the messages that come in at the machine's server
// in the place of those before; none: nothing befalls them. When it returns, they
// are in force, with two exceptions. Where no server runs, the next one begins with
// them. A paused one takes them as soon as it continues. Rules are the machine's:
// they outlive the server, and end with the agent.
//
// A server that takes none is ErrNoMessageRules, one that runs and yet says
// nothing for seconds is ErrMessagesSilent: then it is not known whether they hold.
func (c *Client) SetMessageRules(ctx context.Context, rules []MessageRule) error {
	r := MessageRules{rules}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("agent: %s: %w", MethodMessageRules, err)
	}
	return c.call(ctx, MethodMessageRules, r, nil)
}

// MessageCounts asks the server what it did by its rules. When none runs it is
// ErrNotRunning, ErrNoMessageRules for one that takes none, and ErrMessagesSilent
// for one that is paused or does not answer.
func (c *Client) MessageCounts(ctx context.Context) (MessageCounts, error) {
	var r MessageCounts
	err := c.call(ctx, MethodMessageCounts, nil, &r)
	return r, err
}
