package agent

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"squall/nodeimage/agent/protocol"
)

const (
	// messagesEnv tells a server which file descriptor is the line to the rules
	// for its messages.
	messagesEnv = "SQUALL_MESSAGES_FD"
	messagesFD  = 6
)

// messagesKind is the line to the rules for a server's messages.
// docs/message-faults.md says what is spoken on it.
var messagesKind = lineKind{name: "messages", silent: protocol.ErrMessagesSilent,
	closed: errors.New("the server closed the line to its messages")}

// machineMessages is what befalls the messages of the machine's servers.
type machineMessages struct {
	ruling sync.Mutex // one set of rules after the other, so that servers hear the last one last
	rules  string     // as on the line, each after a space; the supervisor's mutex guards it
}

// linkMessages makes the line for a server that is about to start, and its first
// word: the rules. theirs is the server's end.
func (m *machineMessages) linkMessages() (link *serverLine, theirs *os.File, err error) {
	return newServerLine(messagesKind, "rules", m.rules)
}

// performMessages does what has to do with the messages between servers.
func (s *supervisor) performMessages(req protocol.Request) (any, error) {
	if req.Method == protocol.MethodMessageCounts {
		return s.countMessages()
	}
	rules, err := params[protocol.MessageRules](req)
	if err != nil {
		return nil, err
	}
	if err := rules.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	var words strings.Builder
	for _, r := range rules.Rules {
		fmt.Fprintf(&words, " %v", r)
	}
	m := &s.messages
	return nil, s.tell(&m.ruling, func(p *process) *serverLine { return p.messages }, protocol.ErrNoMessageRules, func() (verb, rest string) {
		m.rules = words.String()
		return "rules", m.rules
	})
}

func (s *supervisor) countMessages() (protocol.MessageCounts, error) {
	p, err := s.running()
	if err != nil {
		return protocol.MessageCounts{}, err
	}
	if p.messages == nil {
		return protocol.MessageCounts{}, protocol.ErrNoMessageRules
	}
	a, err := p.ask(p.messages, "count", "")
	if err != nil {
		return protocol.MessageCounts{}, err
	}
	counts, err := protocol.ParseMessageCounts(a.said)
	if err != nil {
		return protocol.MessageCounts{}, messagesKind.misspoke(a.said, err)
	}
	return counts, nil
}
