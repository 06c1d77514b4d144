package check

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"squall/history"
)

// LockModel is a lock without a lease: it is held by one owner until that one releases
// it, and each grant has a higher token than those before.
func LockModel() Model {
	return Spec[lockState, lockOp]{
		Name: "lock",
		Doc:  "acquire and release by owners, with a fencing token that only grows; never held by two",
		Functions: history.Functions{
			{Name: Acquire, Text: "acquire({key}) by {in}", Answer: " → {out}"},
			{Name: Release, Text: "release({key}) by {in.0}, token {in.1}", Answer: ": {out}"},
		},
		Parse:     parseLock,
		Init:      lockState{token: math.MinInt64, known: true},
		Step:      stepLock,
		Text:      lockState.String,
		explain:   explainLock,
		unnoticed: silentOwners,
		observes:  func(o lockOp) bool { return o.acquires && !o.granted },
	}.Model()
}

// lockOp is an operation of a lock.
type lockOp struct {
	acquires bool
	owner    history.Data
	token    int64 // of a release, or of an acquire that was granted
	answered bool
	granted  bool         // an acquire: it was answered with a token
	holder   history.Data // else: with who holds the lock
	released bool         // a release: it was answered with true
}

// lockState is who holds a lock, and its last token.
type lockState struct {
	held  bool
	owner history.Data
	token int64
	// known is false while it is held by an acquire of unknown outcome: its token is
	// none that anybody was told, at least the one noted, and none of not.
	known bool
	not   string // tokens, each with a comma behind it, rising
}

// String tells people who holds the lock.
func (s lockState) String() string {
	switch {
	case !s.held:
		return "free"
	case s.known:
		return fmt.Sprintf("held by %s with token %d", s.owner.Show(), s.token)
	}
	return fmt.Sprintf("held by %s with a token that nobody was told", s.owner.Show())
}

// silentOwners says of an acquire of unknown outcome that nobody noticed it: no answer
// names its owner as holder, and no release of this owner did, or may have done, anything.
// If it took effect, nothing of consequence came after it.
func silentOwners(list []entry[lockOp]) func(lockOp) bool {
	named := make(map[history.Data]bool)
	for i := range list {
		switch o := &list[i].said; {
		case o.acquires && o.answered && !o.granted:
			named[o.holder] = true
		case !o.acquires && (o.released || !o.answered):
			named[o.owner] = true
		}
	}
	return func(o lockOp) bool { return o.acquires && !named[o.owner] }
}

func parseLock(op *history.Op) (o lockOp, err error) {
	o.answered = op.Outcome == history.OK
	if op.Func == Acquire {
		o.acquires = true
		if o.owner = op.In; !isText(op.In) {
			return o, fmt.Errorf(`an acquire without its owner "i", a string: it is %s`, brief(op.In))
		}
		if !o.answered {
			return o, nil
		}
		if o.holder = op.Out; isText(op.Out) {
			return o, nil
		}
		o.granted = true
		if o.token, err = wholeNumber(op.Out); err != nil {
			return o, fmt.Errorf(`an acquire whose result "o" is neither its token nor the owner who holds the lock: %w`, err)
		}
		return o, nil
	}
	elements := slices.Collect(op.In.Elements())
	if len(elements) != 2 || !isText(elements[0]) {
		return o, fmt.Errorf(`a release without its "i", a list of owner and token: it is %s`, brief(op.In))
	}
	o.owner = elements[0]
	if o.token, err = wholeNumber(elements[1]); err != nil {
		return o, fmt.Errorf(`a release whose token in "i" is none: %w`, err)
	}
	if o.released = op.Out == history.True; o.answered && !o.released && op.Out != history.False {
		return o, fmt.Errorf(`a release whose result "o" is neither true nor false: it is %s`, brief(op.Out))
	}
	return o, nil
}

func stepLock(s lockState, o lockOp) []lockState {
	if o.acquires {
		return s.acquire(o)
	}
	return s.release(o)
}

func (s lockState) acquire(o lockOp) []lockState {
	switch {
	case o.answered && !o.granted:
		if s.held && s.owner == o.holder {
			return []lockState{s}
		}
	case s.held:
	case !o.answered:
		return []lockState{{held: true, owner: o.owner, token: s.token + 1}}
	case o.token > s.token:
		return []lockState{{held: true, owner: o.owner, token: o.token, known: true}}
	}
	return nil
}

func (s lockState) release(o lockOp) []lockState {
	may := s.held && s.owner == o.owner && (o.token == s.token || !s.known && o.token > s.token && !s.isNot(o.token))
	must := may && s.known
	free := lockState{token: o.token, known: true}
	switch {
	case o.answered && o.released || !o.answered:
		if may {
			return []lockState{free}
		}
	case may && !must:
		return []lockState{s.without(o.token)}
	case !may:
		return []lockState{s}
	}
	return nil
}

// isNot says whether an unknown token is known to be another one.
func (s lockState) isNot(token int64) bool {
	return strings.Contains(","+s.not, fmt.Sprintf(",%d,", token))
}

// without is the state whose unknown token is another one.
func (s lockState) without(token int64) lockState {
	not := []int64{token}
	for one := range strings.SplitSeq(strings.TrimSuffix(s.not, ","), ",") {
		if n, err := strconv.ParseInt(one, 10, 64); err == nil {
			not = append(not, n)
		}
	}
	slices.Sort(not)
	s.not = ""
	for _, n := range not {
		if n == s.token {
			s.token++ // the least that it can be
			continue
		}
		s.not += strconv.FormatInt(n, 10) + ","
	}
	return s
}

// isText reports whether data is a string.
func isText(d history.Data) bool { return d != "" && d[0] == '"' }
