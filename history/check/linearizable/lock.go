package linearizable

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"squall/history"
	"squall/history/objects"
)

// LockModel is a lock without a lease: it is held by one owner until that one releases
// it, and each grant has a higher token than those before.
func LockModel() Model {
	return Spec[lockState, objects.LockOp]{
		Name: "lock",
		Doc:  "acquire and release by owners, with a fencing token that only grows; never held by two",
		Functions: history.Functions{
			{Name: objects.Acquire, Text: "acquire({key}) by {in}", Answer: " → {out}"},
			{Name: objects.Release, Text: "release({key}) by {in.0}, token {in.1}", Answer: ": {out}"},
		},
		Parse:     objects.ParseLock,
		Init:      lockState{token: math.MinInt64, known: true},
		Step:      stepLock,
		Text:      lockState.String,
		explain:   explainLock,
		unnoticed: silentOwners,
		observes:  func(o objects.LockOp) bool { return o.Acquires && !o.Granted },
	}.Model()
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
func silentOwners(list []entry[objects.LockOp]) func(objects.LockOp) bool {
	named := make(map[history.Data]bool)
	for i := range list {
		switch o := &list[i].said; {
		case o.Acquires && o.Answered && !o.Granted:
			named[o.Holder] = true
		case !o.Acquires && (o.Released || !o.Answered):
			named[o.Owner] = true
		}
	}
	return func(o objects.LockOp) bool { return o.Acquires && !named[o.Owner] }
}

func stepLock(s lockState, o objects.LockOp) []lockState {
	if o.Acquires {
		return s.acquire(o)
	}
	return s.release(o)
}

func (s lockState) acquire(o objects.LockOp) []lockState {
	switch {
	case o.Answered && !o.Granted:
		if s.held && s.owner == o.Holder {
			return []lockState{s}
		}
	case s.held:
	case !o.Answered:
		return []lockState{{held: true, owner: o.Owner, token: s.token + 1}}
	case o.Token > s.token:
		return []lockState{{held: true, owner: o.Owner, token: o.Token, known: true}}
	}
	return nil
}

func (s lockState) release(o objects.LockOp) []lockState {
	may := s.held && s.owner == o.Owner && (o.Token == s.token || !s.known && o.Token > s.token && !s.isNot(o.Token))
	must := may && s.known
	free := lockState{token: o.Token, known: true}
	switch {
	case o.Answered && o.Released || !o.Answered:
		if may {
			return []lockState{free}
		}
	case may && !must:
		return []lockState{s.without(o.Token)}
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
