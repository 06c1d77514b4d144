package reports

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// figures is what the figures show, computed once for all of them.
type figures struct {
	nodes      []string
	shown      measure.Window // the time axis that all of them share
	ops        measure.Ops
	elections  measure.Elections
	faults     []measure.FaultRun // by begin
	series     measure.Series
	latency    measure.Quantiles
	dots       []dot
	outages    []measure.Outage
	candidates []candidacy
}

// candidacy is a node standing for election.
type candidacy struct {
	node string
	at   int64
}

// newFigures takes the figures of results.json, so that page and pictures say
// the same, and their course from the history.
func newFigures(in measure.Input, results *check.Results) *figures {
	load := measure.LoadWindow(in)
	fig := &figures{
		nodes:     in.Header.Nodes,
		ops:       results.Ops,
		elections: results.Elections,
		faults:    slices.Clone(results.Faults),
		series:    measure.Over(in, bucketStep(load, results.Ops.OK)),
		latency:   measure.Latency(in),
		dots:      dotsOf(in),
		outages:   measure.Outages(in),
	}
	slices.SortStableFunc(fig.faults, func(a, b measure.FaultRun) int { return cmp.Compare(a.Begin, b.Begin) })
	for i := range in.Nodes {
		if e := &in.Nodes[i]; e.Kind == history.EventRole && e.Role == history.RoleCandidate {
			fig.candidates = append(fig.candidates, candidacy{e.Node, e.Time - in.Header.Mono})
		}
	}
	fig.shown = shownWindow(in, load, fig)
	return fig
}

// shownWindow is from the first leader, or the begin of the load, to the end of
// the test.
func shownWindow(in measure.Input, load measure.Window, fig *figures) measure.Window {
	w := measure.Window{Begin: load.Begin, End: max(load.End, measure.TestEnd(in))}
	if w.Begin == 0 && load.Seconds() == 0 {
		return w
	}
	if rs := fig.elections.Reigns; len(rs) > 0 {
		w.Begin = min(w.Begin, rs[0].Begin)
	}
	air := (w.End - w.Begin) / 100
	w.Begin, w.End = max(w.Begin-air, 0), w.End+air
	return w
}

// figure is one picture: its PNG for a light page and for a dark one.
type figure struct {
	painter
	light, dark []byte
}

// painter is a kind of figure.
type painter struct {
	file  string // in the run directory
	title string
	alt   string // for those who cannot see it
	paint func(*figures, theme, studio) *sheet
}

func painters() []painter {
	return []painter{
		{"throughput.png", "Throughput", "Operations per second over time, by function, with the faults as bands.", drawThroughput},
		{"latency.png", "Latency", "Every operation by when it returned and how long it took, with the faults as bands.", drawLatency},
		{"elections.png", "Leaders and elections", "A lane for each node showing when it led, in which term, and when it was down; under them the times without a leader. The tables below hold the same.", drawElections},
	}
}

// drawAll draws every figure in both themes.
func drawAll(ctx context.Context, fig *figures, dpi int) ([]figure, error) {
	st := newStudio(dpi)
	var out []figure
	for _, p := range painters() {
		out = append(out, figure{painter: p})
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range out {
		for _, dark := range []bool{false, true} {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				th, into := lightTheme(), &out[i].light
				if dark {
					th, into = darkTheme(), &out[i].dark
				}
				var buf bytes.Buffer
				if err := out[i].paint(fig, th, st).writePNG(&buf); err != nil {
					return fmt.Errorf("%s: %w", out[i].file, err)
				}
				*into = buf.Bytes()
				return nil
			})
		}
	}
	return out, g.Wait()
}
