package leases

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"squall/history"
	"squall/history/check"
)

// mostOrders bounds what is kept of ways to place acquires of unknown outcome.
const mostOrders = 1 << 14

// judge looks for an order of all tenures, and then at the fence. It returns the conflict
// that was certain first; nil for none.
func (l *lock) judge(bent []span, b *check.Budget) (*conflict, error) {
	c, err := l.assign()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(l.tenures, func(a, b *tenure) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.grant.Return, b.grant.Return))
	})
	for i := 1; i < len(l.tenures); i++ {
		if x, y := l.tenures[i], l.tenures[i-1]; x.token == y.token {
			c = earlier(c, &conflict{op: x.grant.Op, against: y.grant.Op, kind: check.KindToken})
		}
	}
	fenced := l.fence.judge()
	if c == nil {
		c, err = l.order(bent, b)
	}
	if c = earlier(c, fenced); c != nil {
		return c, nil // whatever else could not be decided
	}
	return nil, err
}

// hidden are the tenures whose token nobody was told, and that somebody saw.
func (l *lock) hidden() (list []*tenure) {
	for _, t := range l.byOwner {
		if t.token == 0 {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *tenure) int { return cmp.Compare(a.grant.Call, b.grant.Call) })
	return list
}

// placed is a way to place the tenures so far: which of the hidden ones are among them, how
// many of those since the last token that is known, and when the lock is free at the earliest.
type placed struct {
	hidden uint64
	since  int
	free   bound
}

// order looks for an order of the tenures whose tokens are known, and then for one of all:
// what has no place among fewer has none among more, and is easier to tell.
func (l *lock) order(bent []span, b *check.Budget) (c *conflict, err error) {
	o := orders{bent: bent, budget: b}
	if c, err = l.orderOf(&o); c != nil || err != nil {
		return c, err
	}
	if o.hidden = l.hidden(); len(o.hidden) == 0 {
		return nil, nil
	}
	return l.orderOf(&o)
}

// orderOf places tenures in the order of their tokens, and hidden ones between them wherever
// they go. Of two ways to place the same ones that which ends earlier is as good.
func (l *lock) orderOf(o *orders) (*conflict, error) {
	if len(o.hidden) > 64 {
		return nil, fmt.Errorf("key %s has %d acquires of unknown outcome that others saw, more than this check can place", history.Show(l.key), len(o.hidden))
	}
	ways, last := []placed{{free: bound{at: -1 << 62}}}, int64(0)
	for _, t := range l.tenures {
		o.deepest = nil
		all, err := o.spread(ways)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", history.Show(l.key), err)
		}
		ways = nil
		for _, w := range all {
			if int64(w.since) > t.token-last-1 {
				continue // there are no tokens left for them
			}
			if end, ok := o.put(t, w.free); ok && !o.late(w.hidden, end) {
				ways = append(ways, placed{hidden: w.hidden, free: end})
			}
		}
		if len(ways) == 0 {
			return o.deepest, nil
		}
		last = t.token
	}
	all, err := o.spread(ways)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", history.Show(l.key), err)
	}
	for _, w := range all {
		if bits.OnesCount64(w.hidden) == len(o.hidden) {
			return nil, nil
		}
	}
	return o.deepest, nil
}

// orders is the search for an order.
type orders struct {
	hidden  []*tenure
	bent    []span
	budget  *check.Budget
	deepest *conflict // the first that stood in the way of the tenure placed now
}

// put places a tenure, and keeps why it could not be.
func (o *orders) put(t *tenure, free bound) (end bound, ok bool) {
	end, c := t.place(free, o.bent)
	o.note(c)
	return end, c == nil
}

func (o *orders) note(c *conflict) {
	if c != nil && (o.deepest == nil || c.certain() < o.deepest.certain()) {
		o.deepest = c
	}
}

// late says whether some hidden tenure can no more be placed.
func (o *orders) late(placed uint64, free bound) bool {
	for i, t := range o.hidden {
		if placed&(1<<i) == 0 && free.at > t.first.Return {
			o.note(&conflict{op: t.first, tenure: t, bound: free})
			return true
		}
	}
	return false
}

// spread adds all ways to go on with hidden tenures.
func (o *orders) spread(ways []placed) ([]placed, error) {
	type what struct {
		hidden uint64
		since  int
	}
	best := make(map[what]int)
	var all []placed
	add := func(w placed) {
		at, had := best[what{w.hidden, w.since}]
		switch {
		case !had:
			best[what{w.hidden, w.since}] = len(all)
			all = append(all, w)
		case w.free.at < all[at].free.at:
			// It is looked at once more, since what follows it may be earlier, too.
			best[what{w.hidden, w.since}] = len(all)
			all = append(all, w)
		}
	}
	for _, w := range ways {
		add(w)
	}
	for i := 0; i < len(all); i++ {
		if stop := o.budget.Spent(); stop != "" {
			return nil, errors.New(stop)
		}
		if len(all) > mostOrders {
			return nil, errors.New("too many acquires of unknown outcome that others saw at the same time")
		}
		for k, t := range o.hidden {
			if all[i].hidden&(1<<k) != 0 {
				continue
			}
			if end, ok := o.put(t, all[i].free); ok && !o.late(all[i].hidden|1<<k, end) {
				add(placed{all[i].hidden | 1<<k, all[i].since + 1, end})
			}
		}
	}
	return all, nil
}
