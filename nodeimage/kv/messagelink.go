package kv

import (
	"errors"
	"fmt"
	"strings"
)

// MessagesEnv names the environment variable in which squall's agent says which
// file descriptor is the line to the rules for messages. docs/message-faults.md
// says what is spoken on it.
const MessagesEnv = "SQUALL_MESSAGES_FD"

// InheritedMessageFaults lets squall's agent have messages delayed, lost and so
// on, from the start and until release is called, which waits for the end of
// that. Where the agent handed down no line, nothing happens to messages.
func InheritedMessageFaults() (faults *MessageFaults, release func(), err error) {
	faults = new(MessageFaults)
	conn, err := inheritedLine(MessagesEnv, "messages")
	if err != nil {
		return nil, nil, err
	}
	if conn == nil {
		return faults, func() {}, nil
	}
	done, err := obey(conn, faults.carryOut)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("%s: %w", MessagesEnv, err)
	}
	return faults, func() {
		conn.Close()
		<-done
		faults.set(nil)
	}, nil
}

// carryOut does what a line asks for and returns the line that answers it.
func (f *MessageFaults) carryOut(line string) string {
	words := strings.Fields(line)
	id := lineID(words)
	if err := f.carryOutWords(words); err != nil {
		return fmt.Sprintf("error %s %v\n", id, err)
	}
	return fmt.Sprintf("ok %s%s\n", id, f.counts())
}

func (f *MessageFaults) carryOutWords(words []string) error {
	switch {
	case len(words) == 2 && words[0] == "count":
		return nil
	case len(words) >= 2 && words[0] == "rules":
		if len(words)-2 > maxMessageRules {
			return fmt.Errorf("%d rules; %d are allowed", len(words)-2, maxMessageRules)
		}
		var rules []messageRule
		for _, word := range words[2:] {
			rule, err := parseMessageRule(word)
			if err != nil {
				return err
			}
			rules = append(rules, rule)
		}
		f.set(rules)
		return nil
	}
	return errors.New("this is neither rules ID RULE… nor count ID")
}

// counts says how many messages are held back now, and of how many each rule was
// about and how many it hit: " 3 120/31 88/0".
func (f *MessageFaults) counts() string {
	r := f.inForce.Load()
	if r == nil {
		return " 0"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, " %d", len(r.held))
	for _, rule := range r.rules {
		fmt.Fprintf(&b, " %d/%d", rule.matched, rule.hit)
	}
	return b.String()
}
