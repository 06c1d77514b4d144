package reports

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/number"
)

// figures is what the figures show, computed once for all of them.
type figures struct {
	nodes      []string
	shown      measure.Window // the time axis that all of them share
	ops        measure.Ops
	elections  measure.Elections
	faults     []measure.FaultRun // by begin
	does       history.Functions
	series     measure.Series
	latency    measure.Quantiles
	cloud      cloud
	outages    []measure.Outage
	candidates []candidacy
	lost       []measure.Loss       // of elections, those that are drawn
	stale      []measure.Leadership // who took itself for the leader after it had ceased to be
	logged     []measure.Leadership // who led by the servers' logs, where there is no trace
	undrawn    []string             // what there are too many of to draw all, in words
}

// mostDrawn is how many of each of the things that the charts and figures draw
// are drawn: with more, the files grow without a bound and browsers give up.
const mostDrawn = 20_000

// drawn is as much of a list as is drawn, which may have only the first of so many
// as there were in all.
func drawn[T any](fig *figures, what string, list []T, all int) []T {
	if all <= mostDrawn {
		return list
	}
	list = list[:min(len(list), mostDrawn)]
	fig.undrawn = append(fig.undrawn, fmt.Sprintf("%s of %s %s", number.Count(len(list)), number.Count(all), what))
	return list
}

// candidacy is a node standing for election.
type candidacy struct {
	node string
	at   int64
}

// newFigures takes the figures of results.json, so that page and pictures say
// the same, and their course from the history.
func newFigures(in *history.History, results *check.Results) *figures {
	load := measure.LoadWindow(in)
	fig := &figures{
		nodes:     in.Header.Nodes,
		does:      in.Header.Functions,
		ops:       results.Ops,
		elections: results.Elections,
		faults:    slices.Clone(results.Faults),
		series:    measure.Over(in, bucketStep(load, results.Ops.OK)),
		latency:   measure.Latency(in),
		cloud:     cloudOf(in),
		outages:   measure.Outages(in),
	}
	fig.elections.Leaderships = drawn(fig, "times of a leader", fig.elections.Leaderships, max(fig.elections.Count, len(fig.elections.Leaderships)))
	fig.stale = staleOf(in, fig.elections.Leaderships)
	role := history.EventRole // whose candidates are drawn
	if logged := results.Elections.Logged; logged != nil {
		role = history.EventLogged
		fig.logged = drawn(fig, "times of a leader, from logs", logged.Leaderships, max(logged.Leaders, len(logged.Leaderships)))
	}
	fig.outages = drawn(fig, "outages of nodes", fig.outages, len(fig.outages))
	slices.SortStableFunc(fig.faults, func(a, b measure.FaultRun) int { return cmp.Compare(a.Begin, b.Begin) })
	for i := range in.Nodes {
		if e := &in.Nodes[i]; e.Kind == role && e.Role == history.RoleCandidate {
			fig.candidates = append(fig.candidates, candidacy{e.Node, e.Time - in.Header.Mono})
		}
	}
	fig.faults = drawn(fig, "faults", fig.faults, len(fig.faults))
	fig.candidates = drawn(fig, "candidates", fig.candidates, len(fig.candidates))
	fig.lost = drawn(fig, "lost leaders", fig.elections.Losses, fig.elections.Lost())
	fig.shown = shownWindow(in, load, fig)
	return fig
}

// shownWindow is from the first leader, or the begin of the load, to the end of
// the test.
func shownWindow(in *history.History, load measure.Window, fig *figures) measure.Window {
	w := measure.Window{Begin: load.Begin, End: max(load.End, measure.TestEnd(in))}
	if w.Begin == 0 && load.Seconds() == 0 {
		return w
	}
	if rs := fig.elections.Leaderships; len(rs) > 0 {
		w.Begin = min(w.Begin, rs[0].Begin)
	}
	air := (w.End - w.Begin) / 100
	w.Begin, w.End = max(w.Begin-air, 0), w.End+air
	return w
}

// figure is one picture, as PNG and as SVG.
type figure struct {
	painter
	png, svg []byte
}

// painter is a kind of figure.
type painter struct {
	Name  string // its files are Name.png and Name.svg, in the run directory
	Title string
	paint func(*figures, theme, studio) *sheet
}

func painters() []painter {
	return []painter{
		{"throughput", "Throughput", drawThroughput},
		{"latency", "Latency of each operation", drawLatency},
		{"quantiles", "Quantiles of the latency", drawQuantiles},
		{"elections", "Leaders and elections", drawElections},
	}
}

// drawAll draws every figure.
func drawAll(ctx context.Context, fig *figures, dpi int) ([]figure, error) {
	raster := newStudio(dpi)
	vector := raster
	vector.vector = true
	var out []figure
	for _, p := range painters() {
		out = append(out, figure{painter: p})
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range out {
		draw := func(st studio, into *[]byte) {
			g.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				var buf bytes.Buffer
				if err := out[i].paint(fig, lightTheme(), st).write(&buf); err != nil {
					return fmt.Errorf("%s: %w", out[i].Name, err)
				}
				*into = buf.Bytes()
				return nil
			})
		}
		draw(raster, &out[i].png)
		draw(vector, &out[i].svg)
	}
	return out, g.Wait()
}
