package kv

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"squall/nodeimage/raft"
)

// messageAction is what a rule does to a message.
type messageAction string

// The actions, by the words of docs/message-faults.md.
const (
	delayMessage     messageAction = "delay"     // it is held back for a time
	loseMessage      messageAction = "lose"      // it is dropped
	duplicateMessage messageAction = "duplicate" // it is delivered twice
	reorderMessage   messageAction = "reorder"   // it is held back until others have overtaken it
	replayMessage    messageAction = "replay"    // a copy is kept, and delivered again
)

var messageActions = []messageAction{delayMessage, loseMessage, duplicateMessage, reorderMessage, replayMessage}

// Bounds of what a line of rules may ask for.
const (
	maxMessageRules = 256
	maxMessageDelay = time.Minute
	maxMessageCount = 1000
)

// messageRule says what happens to the messages of one peer.
type messageRule struct {
	from  raft.NodeID
	types messageSet
	do    messageAction
	share float64       // of the messages of these types, from 0 to 1
	delay time.Duration // docs/message-faults.md says what it means to each action
	count int           // likewise
	seed  uint64        // decides, with the number of the message, what happens to it
}

// messageSet is a set of message types, a bit for each.
type messageSet uint64

const anyMessage = ^messageSet(0)

func (s messageSet) has(t raft.MessageType) bool { return s&(1<<t) != 0 }

// typeName is a message type as it is written in rules: "vote-reply".
func typeName(t raft.MessageType) string { return strings.ReplaceAll(t.String(), " ", "-") }

// parseTypes reads "any", or names of types with a + between them.
func parseTypes(text string) (set messageSet, err error) {
	if text == "any" {
		return anyMessage, nil
	}
	for name := range strings.SplitSeq(text, "+") {
		t := typeNamed(name)
		if t == 0 {
			return 0, fmt.Errorf("%q is no type of message", name)
		}
		set |= 1 << t
	}
	return set, nil
}

// typeNamed finds a type of message; 0: there is none of that name.
func typeNamed(name string) raft.MessageType {
	for t := raft.MessageType(1); t.String() != raft.MessageType(0).String(); t++ {
		if typeName(t) == name {
			return t
		}
	}
	return 0
}

// parseMessageRule reads "from=n2,do=delay,types=vote+vote-reply,share=0.25,delay=200000000,count=8,seed=7".
// Only from and do are required.
func parseMessageRule(text string) (messageRule, error) {
	r := messageRule{types: anyMessage, share: 1}
	seen := map[string]bool{}
	for field := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(field, "=")
		if !ok || seen[key] {
			return r, fmt.Errorf("field %q of a rule: want each once, as key=value", field)
		}
		seen[key] = true
		if err := r.set(key, value); err != nil {
			return r, fmt.Errorf("field %q of a rule: %w", field, err)
		}
	}
	if !seen["from"] || !seen["do"] {
		return r, fmt.Errorf("rule %q lacks from or do", text)
	}
	return r, r.check()
}

func (r *messageRule) set(key, value string) (err error) {
	switch key {
	case "from":
		number, isName := strings.CutPrefix(value, "n")
		id, err := strconv.ParseUint(number, 10, 64)
		if !isName || err != nil || id == 0 {
			return errors.New("want the name of a node, such as n2")
		}
		r.from = raft.NodeID(id)
	case "do":
		if r.do = messageAction(value); !slices.Contains(messageActions, r.do) {
			return fmt.Errorf("want one of %v", messageActions)
		}
	case "types":
		r.types, err = parseTypes(value)
	case "share":
		r.share, err = strconv.ParseFloat(value, 64)
		if err == nil && !(r.share >= 0 && r.share <= 1) { // this way round because of NaN
			err = errors.New("want 0 to 1")
		}
	case "delay":
		var ns int64
		ns, err = strconv.ParseInt(value, 10, 64)
		if r.delay = time.Duration(ns); err == nil && (r.delay < 0 || r.delay > maxMessageDelay) {
			err = fmt.Errorf("want nanoseconds, from 0 to %d", maxMessageDelay)
		}
	case "count":
		r.count, err = strconv.Atoi(value)
		if err == nil && (r.count < 0 || r.count > maxMessageCount) {
			err = fmt.Errorf("want 0 to %d", maxMessageCount)
		}
	case "seed":
		r.seed, err = strconv.ParseUint(value, 10, 64)
	default:
		err = errors.New("there is no such field")
	}
	return err
}

// check refuses a rule that could do nothing.
func (r *messageRule) check() error {
	switch {
	case r.do == delayMessage && r.delay == 0:
		return errors.New("a rule that delays by 0 does nothing")
	case r.do == reorderMessage && (r.delay == 0 || r.count == 0):
		return errors.New("a rule that reorders wants a count of messages, and a delay")
	case r.do == replayMessage && r.count == 0:
		return errors.New("a rule that replays wants a count of messages to keep")
	}
	return nil
}
