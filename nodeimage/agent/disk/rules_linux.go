package disk

import (
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// wish is what a request wants of the disk.
type wish struct {
	on     string // protocol.DiskOnSync and so on
	room   bool   // it may need room
	change bool   // it changes something
}

var (
	wantsRead    = wish{on: protocol.DiskOnRead}
	wantsWrite   = wish{on: protocol.DiskOnWrite, room: true, change: true}
	wantsSync    = wish{on: protocol.DiskOnSync}
	wantsName    = wish{room: true, change: true} // makes a name
	wantsRemoval = wish{change: true}             // of a name, or of bytes
)

// rules are those in force.
type rules struct {
	mu    sync.Mutex
	rules []protocol.DiskRule
	hits  []int
}

// set replaces the rules.
func (r *rules) set(rules []protocol.DiskRule) error {
	for i := range rules {
		if err := checkRule(&rules[i]); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules, r.hits = slices.Clone(rules), make([]int, len(rules))
	return nil
}

func checkRule(one *protocol.DiskRule) error {
	_, badPattern := path.Match(one.Files, "")
	effects := []string{protocol.DiskSlow, protocol.DiskError, protocol.DiskFull, protocol.DiskLies, protocol.DiskReadOnly}
	ons := []string{protocol.DiskOnSync, protocol.DiskOnWrite, protocol.DiskOnRead}
	switch {
	case badPattern != nil:
		return fmt.Errorf("files %q: %w", one.Files, badPattern)
	case !slices.Contains(effects, one.Effect):
		return fmt.Errorf("there is no effect %q", one.Effect)
	case !slices.Contains(ons, one.On):
		return fmt.Errorf("there are no requests %q", one.On)
	case one.Delay < 0 || one.Times < 0:
		return fmt.Errorf("%v, %d times: below zero", one.Delay, one.Times)
	case one.Effect == protocol.DiskLies && one.On != protocol.DiskOnSync:
		return fmt.Errorf("only a sync can lie")
	}
	return nil
}

func (r *rules) counts() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hits)
}

// verdict is what becomes of a request.
type verdict struct {
	wait  time.Duration
	errno unix.Errno // 0: it is carried out
	lie   bool       // it is not, and succeeds
}

// judge asks the rules for a request for a file. Of several, delays add up and the first error holds.
func (r *rules) judge(w wish, file func() string) (v verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.rules {
		one := &r.rules[i]
		if one.Times > 0 && r.hits[i] >= one.Times || !applies(one, w) || !matches(one.Files, file) {
			continue
		}
		switch one.Effect {
		case protocol.DiskSlow:
			v.wait += one.Delay
		case protocol.DiskLies:
			v.lie = true
		default:
			if v.errno != 0 {
				continue
			}
			v.errno = map[string]unix.Errno{protocol.DiskError: unix.EIO, protocol.DiskFull: unix.ENOSPC, protocol.DiskReadOnly: unix.EROFS}[one.Effect]
		}
		r.hits[i]++
	}
	return v
}

func applies(one *protocol.DiskRule, w wish) bool {
	switch one.Effect {
	case protocol.DiskFull:
		return w.room
	case protocol.DiskReadOnly:
		return w.change
	default:
		return one.On == w.on
	}
}

// matches reports whether a pattern is for a file.
func matches(pattern string, file func() string) bool {
	if pattern == "" {
		return true
	}
	name := file()
	whole, _ := path.Match(pattern, name) // checked by set
	last, _ := path.Match(pattern, path.Base(name))
	return whole || last
}

// full reports whether a rule says that there is no room.
func (r *rules) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.rules, func(one protocol.DiskRule) bool { return one.Effect == protocol.DiskFull })
}
