package hunt

import (
	"context"
	"fmt"
	"slices"
	"time"

	"squall/nemesis"
	"squall/nemesis/faults"
	"squall/nemesis/schedule"
	"squall/orchestrator/testplan"
)

// Bounds of how small a plan is made.
const (
	lead        = time.Second     // of load before the first fault
	tail        = 2 * time.Second // of load after the last, or after the violation
	shortest    = 3 * time.Second // of load
	shortestFor = 200 * time.Millisecond
)

// end leaves out what comes after the violation, and the quiet time before the first fault.
func (s *shrinking) end(ctx context.Context) error {
	p := s.smaller(s.best.Schedule)
	if s.firstAt >= 0 {
		seen := time.Duration(s.firstAt * float64(time.Second))
		p.Schedule = slices.DeleteFunc(slices.Clone(p.Schedule), func(f nemesis.Planned) bool { return f.At() > seen })
		until := max(seen+tail, lastEnd(p.Schedule), shortest)
		until = (until + 99*time.Millisecond).Truncate(100 * time.Millisecond) // and never before the last heal
		p.Test.Time = min(p.Test.Time, testplan.Duration(until))
	}
	p = sooner(p)
	if p.Test.Time >= s.best.Test.Time && len(p.Schedule) == len(s.best.Schedule) {
		return nil
	}
	_, err := s.try(ctx, fmt.Sprintf("the first %v", time.Duration(p.Test.Time)), p)
	return err
}

// noFaults tries whether it takes any fault at all.
func (s *shrinking) noFaults(ctx context.Context) error {
	if len(s.best.Schedule) == 0 {
		return nil
	}
	_, err := s.try(ctx, "without any fault", s.smaller(nil))
	return err
}

// fewerFaults leaves faults out, first halves and then smaller and smaller parts of them:
// A. Zeller and R. Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002.
func (s *shrinking) fewerFaults(ctx context.Context) error {
	for parts := 2; len(s.best.Schedule) > 1; {
		taken, err := s.withoutPart(ctx, parts)
		switch {
		case err != nil || s.out.Stopped != "":
			return err
		case taken:
			parts = max(parts-1, 2)
		case parts >= len(s.best.Schedule):
			return nil
		default:
			parts = min(2*parts, len(s.best.Schedule))
		}
	}
	return nil
}

// withoutPart leaves out the first part, of so many, without which it shows all the same.
func (s *shrinking) withoutPart(ctx context.Context, parts int) (taken bool, err error) {
	all := s.best.Schedule
	for i := range parts {
		from, to := i*len(all)/parts, (i+1)*len(all)/parts
		if from == to || to-from == len(all) {
			continue
		}
		rest := slices.Concat(all[:from], all[to:])
		taken, err := s.try(ctx, "without "+names(all[from:to]), s.smaller(rest))
		if taken || err != nil || s.out.Stopped != "" {
			return taken, err
		}
	}
	return false, nil
}

// fewerClients halves the clients.
func (s *shrinking) fewerClients(ctx context.Context) error {
	for s.best.Test.Clients > 1 && s.out.Stopped == "" {
		p := s.smaller(s.best.Schedule)
		p.Test.Clients /= 2
		taken, err := s.try(ctx, "with "+clients(p.Test.Clients), p)
		if err != nil || !taken {
			return err
		}
	}
	return nil
}

// shorterFaults halves how long each fault holds.
func (s *shrinking) shorterFaults(ctx context.Context) error {
	for i := 0; i < len(s.best.Schedule); i++ {
		for s.out.Stopped == "" {
			half := time.Duration(s.best.Schedule[i].ForMs) * time.Millisecond / 2
			if half < shortestFor {
				break
			}
			p := s.smaller(s.best.Schedule)
			p.Schedule[i].ForMs = half.Milliseconds()
			taken, err := s.try(ctx, fmt.Sprintf("%s for %v", p.Schedule[i].Name(), half.Round(time.Millisecond)), p)
			if err != nil {
				return err
			}
			if !taken {
				break
			}
		}
	}
	return nil
}

// smaller is a copy of the best plan with these faults.
func (s *shrinking) smaller(planned []nemesis.Planned) *testplan.Plan {
	p := *s.best
	p.Schedule = slices.Clone(planned)
	return &p
}

// laidDown is a plan whose test has its faults as steps, so that it can be read and run as any.
func laidDown(p *testplan.Plan) (*testplan.Plan, error) {
	text, err := schedule.StepsText(faults.All(), p.Schedule)
	if err != nil {
		return nil, err
	}
	laid := *p
	t := &laid.Test
	t.Nemesis, t.Schedule = testplan.DefaultTest().Nemesis, text
	if text == "" {
		t.Nemesis = "none"
	}
	t.Hold, t.Gap, t.Overlap, t.Limit, t.Swarm = "", "", 0, "", false
	laid.LeftOut = nil
	return &laid, nil
}

// sooner moves all faults forward, so that the first begins soon after the load.
func sooner(p *testplan.Plan) *testplan.Plan {
	if len(p.Schedule) == 0 {
		return p
	}
	first := slices.MinFunc(p.Schedule, func(a, b nemesis.Planned) int { return int(a.AtMs - b.AtMs) })
	by := first.At() - lead
	length := time.Duration(p.Test.Time) - by
	if by <= 0 || length < shortest {
		return p
	}
	for i := range p.Schedule {
		p.Schedule[i].AtMs -= by.Milliseconds()
	}
	p.Test.Time = testplan.Duration(length)
	return p
}

// lastEnd is when the last fault is healed.
func lastEnd(planned []nemesis.Planned) time.Duration {
	var last time.Duration
	for _, f := range planned {
		last = max(last, f.Ends())
	}
	return last
}

func clients(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

// names are those of some faults, for one line.
func names(planned []nemesis.Planned) string {
	first := fmt.Sprintf("fault %d, %s", planned[0].ID, planned[0].Name())
	if len(planned) == 1 {
		return first
	}
	return fmt.Sprintf("%d faults from %s on", len(planned), first)
}
