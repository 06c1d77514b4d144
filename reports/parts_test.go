package reports

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/vg"
	"pgregory.net/rapid"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// No two names over the bands touch, none leaves the figure, none lies on the
// line that leads to another.
func TestPlaceLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const end = vg.Length(700)
		var heads []bandHead
		x := vg.Length(50)
		for i := range rapid.IntRange(0, 40).Draw(t, "bands") {
			x = min(x+vg.Length(rapid.Float64Range(0, 120).Draw(t, "gap")), end)
			name := rapid.SampledFrom([]string{"kill", "partition", "pause"}).Draw(t, "name")
			heads = append(heads, bandHead{x: x, names: []string{fmt.Sprintf("%s leader (n%d)", name, i), name + " leader", name}})
		}
		width := func(s string) vg.Length { return vg.Length(len(s)) * 5 }
		placed := placeLabels(heads, end, width)
		for i, p := range placed {
			if p.x+p.width > end {
				t.Fatalf("%+v leaves the figure", p)
			}
			for _, q := range placed[i+1:] {
				if p.row == q.row && p.x+p.width > q.x {
					t.Fatalf("%+v touches %+v", p, q)
				}
				if q.row > p.row && p.x+p.width > q.stem {
					t.Fatalf("the line of %+v goes through %+v", q, p)
				}
			}
		}
		if len(heads) > 0 && heads[0].x < 600 && len(placed) == 0 {
			t.Fatal("there was room for one")
		}
	})
}

func TestCloudKeepsWhatStandsOut(t *testing.T) {
	in := &history.History{}
	for i := range 200_000 {
		call := int64(i) * 300_000
		in.Ops = append(in.Ops, history.Op{Call: call, Return: call + int64(1e6+float64(i%97)*2e4), Outcome: history.OK, Func: history.Read})
	}
	in.Ops[777].Return = in.Ops[777].Call + 4321e6
	in.Ops[999].Outcome = history.Info
	in.Ops[1234].Return = in.Ops[1234].Call + 2e5
	c := cloudOf(in)
	if len(c.dots) > maxDots || len(c.dots) < maxDots/10 || c.total != len(in.Ops) {
		t.Errorf("%d dots of %d are left", len(c.dots), c.total)
	}
	var slow, quick, info bool
	for i, d := range c.dots {
		slow, quick, info = slow || d.ms == 4321, quick || d.ms == 0.2, info || d.outcome == history.Info
		if i > 0 && c.dots[i-1].at > d.at {
			t.Fatal("the dots are not by time")
		}
	}
	if !slow || !quick || !info || c.low != 0.2 || c.high != 4321 {
		t.Errorf("slowest kept: %v, quickest: %v, unknown: %v; %g to %g", slow, quick, info, c.low, c.high)
	}
	in.Ops = in.Ops[:100]
	if few := cloudOf(in); len(few.dots) != 100 {
		t.Errorf("of 100 dots %d are left", len(few.dots))
	}
}

// A few answers within microseconds do not take the room of all others.
func TestTheAxisOfLatenciesBeginsWhereMostAre(t *testing.T) {
	var c cloud
	if low, below := c.floor(); low != shortest || below {
		t.Errorf("of nothing: %v, %v", low, below)
	}
	for i := range 1000 {
		c.dots = append(c.dots, dot{ms: 30 + float64(i)})
	}
	if low, below := c.floor(); low != 10 || below {
		t.Errorf("of 30 to 1,029 ms: %v, %v", low, below)
	}
	for range 5 {
		c.dots = append(c.dots, dot{ms: 0.004})
	}
	if low, below := c.floor(); low != 10 || !below {
		t.Errorf("with five of 4 µs: %v, %v", low, below)
	}
}

func TestBucketStep(t *testing.T) {
	for _, tt := range []struct {
		seconds, ok int64
		want        time.Duration
	}{
		{10, 100_000, 50 * time.Millisecond},
		{30, 60_000, 100 * time.Millisecond},
		{60, 60_000, 200 * time.Millisecond},
		{60, 600, 500 * time.Millisecond},
		{120, 600_000, 500 * time.Millisecond},
		{300, 600_000, 500 * time.Millisecond},
		{600, 600_000, time.Second},
		{3600, 600_000, 8 * time.Second},
		{0, 0, 500 * time.Millisecond},
	} {
		if got := bucketStep(measure.Window{End: tt.seconds * 1e9}, tt.ok); got != tt.want {
			t.Errorf("%d s, %d operations: %v, want %v", tt.seconds, tt.ok, got, tt.want)
		}
	}
}

func TestAxes(t *testing.T) {
	labels := func(ticks []tick) string {
		var s []string
		for _, t := range ticks {
			if t.label != "" {
				s = append(s, t.label)
			}
		}
		return strings.Join(s, " ")
	}
	ticks, unit := newTimeAxis(measure.Window{End: 30e9}).ticks()
	if got := labels(ticks); got != "0 5 10 15 20 25 30" || unit != "s" {
		t.Errorf("30 s: %s %s", got, unit)
	}
	ticks, unit = newTimeAxis(measure.Window{End: 3600e9}).ticks()
	if got := labels(ticks); got != "0 10 20 30 40 50 60" || unit != "min" {
		t.Errorf("an hour: %s %s", got, unit)
	}
	_, ticks = linearScale(2900, 0, 100, 5)
	if got := labels(ticks); got != "0 1,000 2,000 3,000" {
		t.Errorf("2900: %s", got)
	}
	_, ticks = logScale(0.3, 1200, 0, 100)
	if got := labels(ticks); got != "1 10 100 1,000" {
		t.Errorf("0.3 to 1200: %s", got)
	}
	for _, top := range []float64{0, 0.2, 1, 3, 1e9} {
		if sc, ticks := linearScale(top, 0, 100, 5); sc.y(top) > 100 || len(ticks) < 2 || len(ticks) > 12 {
			t.Errorf("%g: %+v, %d ticks", top, sc, len(ticks))
		}
	}
}

// The picture of a witness keeps the order of calls and returns, and stays
// inside its box, whatever the witness.
func TestTimeline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := rapid.Int64Range(-5e9, 90e9)
		var ops []check.WitnessOp
		for range rapid.IntRange(1, 12).Draw(t, "ops") {
			call := when.Draw(t, "call")
			ops = append(ops, check.WitnessOp{
				Process: rapid.Int64Range(0, 3).Draw(t, "process"), Node: "n1", Text: "write(k) ← 17",
				Outcome: rapid.SampledFrom([]string{"ok", "fail", "info"}).Draw(t, "outcome"),
				Call:    call, Return: call + rapid.Int64Range(0, 3e9).Draw(t, "took"),
			})
		}
		faults := []measure.FaultRun{{Name: "kill", Verified: true, Begin: when.Draw(t, "fault"), HealAt: 0}}
		fig := &figures{faults: faults, elections: measure.Elections{Leaderships: []measure.Leadership{{Node: "n1", Term: 3, Begin: when.Draw(t, "leadership")}}}}
		tl := newTimeline(ops, processName, fig)
		for _, r := range tl.Leaders[0].Bars {
			if r.X < 0 || r.X+r.W > tl.Width {
				t.Fatalf("leadership %+v leaves the picture", r)
			}
		}
		if len(tl.Bars) != len(ops) || len(tl.Lanes) == 0 || len(tl.Lanes) > len(ops) {
			t.Fatalf("%d bars, %d lanes of %d operations", len(tl.Bars), len(tl.Lanes), len(ops))
		}
		byNumber := map[int]bar{}
		for _, b := range tl.Bars {
			byNumber[b.Number] = b
			if b.X < tl.Left || b.X+b.W > tl.Width || b.Y < 0 || b.Y+b.H > tl.Foot {
				t.Fatalf("bar %+v leaves %+v", b, tl)
			}
		}
		for i := range ops {
			for j := range ops {
				if ops[i].Call < ops[j].Call && byNumber[i+1].X > byNumber[j+1].X {
					t.Fatalf("%+v is drawn after %+v", ops[i], ops[j])
				}
			}
		}
		for _, b := range tl.Bands {
			if b.X < 0 || b.X+b.W > tl.Width {
				t.Fatalf("band %+v leaves the picture", b)
			}
		}
	})
}

func TestFlatten(t *testing.T) {
	d := document{}
	dec := json.NewDecoder(strings.NewReader(`{"b":{"seed":18446744073709551615,"on":true},"a":["x",null],"deep":` + strings.Repeat(`[`, 50) + strings.Repeat(`]`, 50) + `}`))
	dec.UseNumber()
	if err := dec.Decode(&d.fields); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(flatten(d.fields)); got != "[{a.0 x} {b.on true} {b.seed 18446744073709551615}]" {
		t.Error(got)
	}
	if got := d.get("b", "seed"); got != "18446744073709551615" {
		t.Error(got)
	}
	if got := d.get("b", "nowhere", "x"); got != "" {
		t.Error(got)
	}
}

func TestClockText(t *testing.T) {
	for want, c := range map[string]measure.Clocks{
		"":                                  {},
		"one clock, shared by the machines": {One: true, Compared: 1},
		"faults are within ±0.":             {ErrorNs: 292_607, OffsetNs: -5e12, Compared: 2},
	} {
		if got := clockText(c); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
