package nemesis

import (
	"context"
	"slices"
	"time"
)

// Messages is what befalls the messages that a node's server gets from the others,
// where the system lets squall say so.
type Messages interface {
	// SetMessages makes these rules hold and no others. They hold for a server
	// that is started later, too; a paused one takes them when it continues.
	SetMessages(ctx context.Context, rules []MessageRule) error
	// MessageCounts asks the server what it did by its rules.
	MessageCounts(ctx context.Context) (MessageCounts, error)
}

// What can befall a message.
const (
	DelayMessage     = "delay"     // it is held back for the time Delay
	LoseMessage      = "lose"      // it is dropped
	DuplicateMessage = "duplicate" // it is delivered again after the time Delay
	ReorderMessage   = "reorder"   // up to Count others overtake it, within Delay
	// ReplayMessage keeps up to Count copies of each type, which are delivered again
	// when the receiver's term has passed, and each time they are Delay older.
	ReplayMessage = "replay"
)

// MessageFault is what befalls messages of a link.
type MessageFault struct {
	Do    string
	Types []string // "vote-reply"; none: all
	Share float64  // of the messages of these types
	Delay time.Duration
	Count int
	// Seed decides, with the number of the message, what happens to it.
	Seed uint64
}

// MessageRule is what befalls the messages that come from one node.
type MessageRule struct {
	From string
	MessageFault
}

func (r MessageRule) equal(other MessageRule) bool {
	types := slices.Equal(r.Types, other.Types)
	r.Types, other.Types = nil, nil
	return types && r.From == other.From && r.Do == other.Do && r.Share == other.Share && r.Delay == other.Delay &&
		r.Count == other.Count && r.Seed == other.Seed
}

// MessageCounts is what a server counted since it has its rules.
type MessageCounts struct {
	Held  int            // messages that are held back now
	Rules []MessageCount // in the order of the rules
}

// MessageCount is what was counted for one rule.
type MessageCount struct {
	Matched, Hit uint64 // messages that it was about; that came late, again, out of order, or were lost
}

// Total is what was counted for all rules.
func (c MessageCounts) Total() (sum MessageCount) {
	for _, r := range c.Rules {
		sum.Matched += r.Matched
		sum.Hit += r.Hit
	}
	return sum
}
