package nemesis

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"squall/history"
	"squall/internal/declare"
	"squall/internal/suggest"
)

// Aim is what a planned fault waits for: it is armed at its time, and begins when its
// moment is seen.
type Aim struct {
	Moment string `json:"moment"`
	// AfterMs is how long after the moment it begins, and WithinMs for how long it waits;
	// then it begins all the same, and the moment was missed.
	AfterMs  int64 `json:"afterMs,omitempty"`
	WithinMs int64 `json:"withinMs"`
	// Struck is the moment that it began at, or that it missed: written when the test ran.
	Struck *Struck `json:"struck,omitempty"`
}

// Struck is how a fault with an aim began.
type Struck struct {
	Missed bool   `json:"missed,omitempty"` // the moment was not seen in time
	Node   string `json:"node,omitempty"`   // whose moment it was
	Peer   string `json:"peer,omitempty"`   // the other node of it
	Term   uint64 `json:"term,omitempty"`
	// LateMs is from when the fault was to begin, by the moment's own time, to when the
	// command was given, ms.
	LateMs float64 `json:"lateMs"`
}

// Text says how a fault waits, for people: "waits ≤ 3s, then 12ms more"; "" for one that
// does not.
func (a *Aim) Text() string {
	if a == nil {
		return ""
	}
	text := fmt.Sprintf("waits ≤ %v", time.Duration(a.WithinMs)*time.Millisecond)
	if a.AfterMs > 0 {
		text += fmt.Sprintf(", then %v more", a.after())
	}
	return text
}

func (a *Aim) after() time.Duration { return time.Duration(a.AfterMs) * time.Millisecond }

// within is how long a fault may wait armed: 0 for one without an aim.
func (a *Aim) within() time.Duration {
	if a == nil {
		return 0
	}
	return time.Duration(a.AfterMs+a.WithinMs) * time.Millisecond
}

// The parameters that every fault takes beside its own.
const (
	paramWhen   = "when"
	paramAfter  = "after"
	paramWithin = "within"
)

// AimParams are the parameters by which any fault is aimed at a moment.
func AimParams() declare.Params {
	return declare.Params{
		{Name: paramWhen, Kind: declare.Word, Words: momentNames(), Default: momentNames()[0],
			Doc: "the moment at which the fault begins"},
		{Name: paramAfter, Kind: declare.Range, Default: "0s", Min: "0s", Max: "10s",
			Doc: "how long after it, drawn from a range: 0ms-50ms"},
		{Name: paramWithin, Kind: declare.Duration, Default: "3s", Min: "10ms", Max: "10m",
			Doc: "how long the fault waits for the moment; then it begins without it"},
	}
}

// Same reports whether two aims are the same but for how they struck.
func (a *Aim) Same(b *Aim) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Moment == b.Moment && a.AfterMs == b.AfterMs && a.WithinMs == b.WithinMs
}

// Check refuses an aim that was not drawn but edited.
func (a *Aim) Check() error {
	if _, ok := FindMoment(a.Moment); !ok {
		return fmt.Errorf("there is no moment %q%s", a.Moment, suggest.Hint(a.Moment, momentNames()))
	}
	longest := (10 * time.Minute).Milliseconds()
	if a.AfterMs < 0 || a.AfterMs > longest || a.WithinMs < 1 || a.WithinMs > longest {
		return fmt.Errorf("it waits for %d ms, and begins %d ms after its moment: expected up to %d", a.WithinMs, a.AfterMs, longest)
	}
	return nil
}

// isAim reports whether a parameter is one that aims a fault.
func isAim(name string) bool { return name == paramWhen || name == paramAfter || name == paramWithin }

// setAim takes one of the parameters by which a fault is aimed.
func (c *Choice) setAim(name, value string) error {
	if c.Aim == nil {
		c.Aim = declare.Args{}
	}
	params := AimParams()
	p, _ := params.Find(name)
	if name == paramWhen {
		if _, ok := FindMoment(value); !ok {
			return fmt.Errorf("there is no moment %q; %s", value, suggest.Among(value, momentNames()))
		}
	}
	return params.Set(c.Aim, p, value)
}

// takeAim takes what stands behind a fault: "when=vote-granted after=0ms-50ms".
func (c *Choice) takeAim(text string) error {
	for word := range strings.FieldsSeq(text) {
		name, value, named := strings.Cut(word, "=")
		if !named || !isAim(name) {
			return fmt.Errorf("expected nothing, or when=MOMENT, after=50ms, within=3s behind it, found %q", word)
		}
		if err := c.setAim(name, value); err != nil {
			return err
		}
	}
	return nil
}

// checkAim refuses an aim without a moment, and a target that only an aim has.
func (c *Choice) checkAim() error {
	if c.Aim != nil && c.Aim[paramWhen] == "" {
		return errors.New("after and within say how it follows a moment: add when=MOMENT, such as when=leader-elected")
	}
	if c.Aim != nil {
		return nil
	}
	for _, v := range c.Variants {
		if v.Aimed && len(c.Variants) == 1 {
			return fmt.Errorf("its target %s is the node of a moment: add when=MOMENT, such as when=vote-granted", v.Name)
		}
	}
	c.Variants = Unaimed(c.Variants)
	return nil
}

// Unaimed are the variants that mean something without an aim.
func Unaimed(variants []Variant) []Variant {
	var rest []Variant
	for _, v := range variants {
		if !v.Aimed {
			rest = append(rest, v)
		}
	}
	return rest
}

// Moment is what a choice is aimed at; ok is false where it is not.
func (c Choice) Moment() (m Moment, ok bool) {
	if c.Aim == nil {
		return Moment{}, false
	}
	return FindMoment(c.Aim[paramWhen])
}

// DrawAim draws when a fault begins after its moment; nil for one that is not aimed.
func (c Choice) DrawAim(rng *rand.Rand) *Aim {
	if c.Aim == nil {
		return nil
	}
	args := AimParams().Fill(c.Aim, nil)
	lo, hi := args.Range(paramAfter)
	after := lo.Milliseconds()
	if hi > lo {
		after += rng.Int64N((hi - lo).Milliseconds() + 1)
	}
	return &Aim{Moment: args[paramWhen], AfterMs: after, WithinMs: args.Duration(paramWithin).Milliseconds()}
}

// MostWait is the longest that a choice may wait for its moment, with what is drawn after it.
func (c Choice) MostWait() time.Duration {
	if c.Aim == nil {
		return 0
	}
	args := AimParams().Fill(c.Aim, nil)
	_, hi := args.Range(paramAfter)
	return hi + args.Duration(paramWithin)
}

// aimText is an aim as it is written behind a fault: " when=vote-granted after=0s-50ms".
func (c Choice) aimText() string {
	text := ""
	for _, p := range AimParams() {
		if v, ok := c.Aim[p.Name]; ok {
			text += " " + p.Name + "=" + v
		}
	}
	return text
}

// recorded is an aim in the record of an injection.
func (a *Aim) recorded(seen *Sighting) *history.Aim {
	if a == nil {
		return nil
	}
	r := &history.Aim{Moment: a.Moment, After: a.after().Nanoseconds()}
	if seen != nil {
		r.Node, r.Peer, r.Term, r.Time = seen.Node, seen.Peer, seen.Term, seen.Time
	}
	return r
}

// params are the parameters that ask for the aim; nil for no aim.
func (a *Aim) params() declare.Args {
	if a == nil {
		return nil
	}
	within := time.Duration(a.WithinMs) * time.Millisecond
	return declare.Args{paramWhen: a.Moment, paramAfter: a.after().String(), paramWithin: within.String()}
}
