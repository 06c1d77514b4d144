package nemesis

import (
	"context"
	"time"
)

// awaitMoment waits until the moment that a fault is aimed at is there and as long ago as
// the aim says. It returns nil when it was not seen in time, or when there is no aim.
func (r *Runner) awaitMoment(ctx context.Context, p Planned) *Sighting {
	if p.Aim == nil {
		return nil
	}
	expected, err := r.Cluster.Watch().Expect(p.Aim.Moment, nil)
	if err != nil {
		return nil // Run has looked for it
	}
	defer expected.Drop()
	armed, cancel := context.WithTimeout(ctx, time.Duration(p.Aim.WithinMs)*time.Millisecond)
	defer cancel()
	seen, err := expected.Wait(armed)
	if err != nil {
		return nil
	}
	seen.Time = min(seen.Time, r.Now()) // a server's clock is not to be trusted
	if p.Aim.AfterMs > 0 {
		r.sleepUntil(ctx, seen.Time+p.Aim.after().Nanoseconds())
	}
	return &seen
}

// struck is how a fault that is about to begin struck its moment.
func (r *Runner) struck(a *Aim, seen *Sighting) *Struck {
	if seen == nil {
		return &Struck{Missed: true}
	}
	late := r.Now() - seen.Time - a.after().Nanoseconds()
	return &Struck{Node: seen.Node, Peer: seen.Peer, Term: seen.Term, LateMs: float64(late/1000) / 1e3}
}
