package shape

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"squall/nodeimage/agent/protocol"
)

var everything = protocol.Shape{
	Seed: 42, Delay: 10 * time.Millisecond, Jitter: 2 * time.Millisecond, Distribution: protocol.DistNormal,
	Loss: 0.1, Burst: &protocol.Burst{P: 0.05, R: 0.3, LossBad: 0.9, LossGood: 0.01},
	Duplicate: 0.2, Reorder: 0.15, Corrupt: 0.25,
}

func decisions(s protocol.Shape, n int) []Decision {
	m := NewModel(s)
	all := make([]Decision, n)
	for i := range all {
		all[i] = m.Next()
	}
	return all
}

func TestSameSeedSameDecisions(t *testing.T) {
	a, b := decisions(everything, 5000), decisions(everything, 5000)
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed decides otherwise the second time")
	}
	other := everything
	other.Seed++
	c := decisions(other, 5000)
	same := 0
	for i := range a {
		if a[i].Lost == c[i].Lost && a[i].Delay == c[i].Delay {
			same++
		}
	}
	if same > 1500 { // both lost, or both hurried, by chance
		t.Errorf("with another seed %d of 5000 decisions are the same", same)
	}
	// One kind of trouble more does not shift the others.
	calm := everything
	calm.Duplicate, calm.Corrupt = 0, 0
	for i, d := range decisions(calm, 5000) {
		if d.Lost != a[i].Lost || d.Delay != a[i].Delay || d.Reordered != a[i].Reordered {
			t.Fatalf("packet %d: %+v without duplicates, %+v with", i, d, a[i])
		}
	}
}

func TestSharesAreRight(t *testing.T) {
	const n = 200_000
	var lost, doubled, hurried, corrupted float64
	calm := everything
	calm.Burst, calm.Jitter = nil, calm.Delay/10
	for _, d := range decisions(calm, n) {
		lost += number(d.Lost)
		doubled += number(d.Duplicate)
		hurried += number(d.Reordered)
		corrupted += number(d.Corrupt)
		if d.Reordered != (d.Delay == 0) {
			t.Fatalf("%+v: sent at once and delayed", d)
		}
	}
	for name, v := range map[string][2]float64{
		"loss": {lost, 0.1}, "duplicate": {doubled, 0.2}, "reorder": {hurried, 0.15}, "corrupt": {corrupted, 0.25},
	} {
		if got := v[0] / n; math.Abs(got-v[1]) > 0.005 {
			t.Errorf("%s of %v, want %v", name, got, v[1])
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// TestBursts counts how often and for how long packets get lost in a row.
func TestBursts(t *testing.T) {
	const n = 400_000
	s := protocol.Shape{Seed: 5, Burst: &protocol.Burst{P: 0.01, R: 0.2, LossBad: 1}}
	lost, runs, before := 0.0, 0.0, false
	for _, d := range decisions(s, n) {
		lost += number(d.Lost)
		runs += number(d.Lost && !before)
		before = d.Lost
	}
	if share, want := lost/n, 0.01/0.21; math.Abs(share-want) > 0.004 {
		t.Errorf("%v are lost, want %v", share, want)
	}
	if length := lost / runs; math.Abs(length-5) > 0.4 {
		t.Errorf("%v in a row, want 5", length)
	}
	s.Burst = &protocol.Burst{P: 0, R: 1, LossBad: 1, LossGood: 0.3}
	lost = 0
	for _, d := range decisions(s, n) {
		lost += number(d.Lost)
	}
	if share := lost / n; math.Abs(share-0.3) > 0.005 {
		t.Errorf("%v are lost in the good state, want 0.3", share)
	}
}

func TestDistributions(t *testing.T) {
	const n, delay, jitter = 200_000, 100 * time.Millisecond, 10 * time.Millisecond
	for dist, want := range map[string]struct{ mean, sigma, p1, p99, least, most float64 }{
		protocol.DistUniform: {100, 5.774, 90.2, 109.8, 90, 110},
		protocol.DistNormal:  {100, 10, 76.7, 123.3, 40, 160},
		// Cut off at 4 jitters, netem's table has a mean a little below.
		protocol.DistPareto: {99.67, 8.21, 93.4, 140, 93.33, 140},
	} {
		var ms []float64
		sum, squares := 0.0, 0.0
		for _, d := range decisions(protocol.Shape{Seed: 9, Delay: delay, Jitter: jitter, Distribution: dist}, n) {
			v := d.Delay.Seconds() * 1000
			ms = append(ms, v)
			sum += v
			squares += v * v
		}
		slices.Sort(ms)
		mean := sum / n
		for name, v := range map[string][2]float64{
			"mean": {mean, want.mean}, "sigma": {math.Sqrt(squares/n - mean*mean), want.sigma},
			"1 %": {ms[n/100], want.p1}, "99 %": {ms[n*99/100], want.p99},
		} {
			if math.Abs(v[0]-v[1]) > 0.35 {
				t.Errorf("%s: %s of %v, want %v", dist, name, v[0], v[1])
			}
		}
		if ms[0] < want.least-0.01 || ms[n-1] > want.most+0.01 {
			t.Errorf("%s: from %v to %v, want from %v to %v", dist, ms[0], ms[n-1], want.least, want.most)
		}
	}
	for _, d := range decisions(protocol.Shape{Delay: 1, Jitter: time.Second, Distribution: protocol.DistNormal}, 1000) {
		if d.Delay < 0 {
			t.Fatalf("a delay of %v", d.Delay)
		}
	}
}

func TestLine(t *testing.T) {
	l := line{rate: 1000} // a byte each millisecond
	ms := int64(time.Millisecond)
	for i, c := range []struct{ now, size, want int64 }{{0, 10, 10}, {0, 5, 15}, {12, 5, 20}, {100, 1, 101}} {
		if left, ok := l.take(c.now*ms, int(c.size)); !ok || left != c.want*ms {
			t.Errorf("packet %d left at %v, %v, want %v", i, left/ms, ok, c.want)
		}
	}
	l = line{rate: 1000}
	for i := range protocol.RateQueue + 1 { // one is on the line, the others wait
		if _, ok := l.take(0, 10); !ok {
			t.Fatalf("packet %d found no room", i)
		}
	}
	if _, ok := l.take(0, 10); ok {
		t.Error("one too many found room")
	}
	if left, ok := l.take(10*ms, 10); !ok || left != 10*ms*(protocol.RateQueue+2) {
		t.Errorf("when one has begun, the next leaves at %v, %v", left/ms, ok)
	}
	if left, ok := new(line).take(7, 1<<20); left != 7 || !ok {
		t.Errorf("without a limit: %v, %v", left, ok)
	}
}

func TestHeap(t *testing.T) {
	var h heap
	a, b := new(link), new(link)
	m := NewModel(protocol.Shape{Seed: 1})
	for i := range 1000 {
		l := a
		if i%3 == 0 {
			l = b
		}
		h.push(held{due: 1 + int64(m.bits(uint64(i))%50), seq: uint64(i), link: l})
	}
	inOrder := func(h heap) {
		t.Helper()
		last := held{}
		for n := len(h); n > 0; n-- {
			if p := h.pop(); p.before(&last) {
				t.Fatalf("%+v came after %+v", p, last)
			} else {
				last = p
			}
		}
	}
	inOrder(slices.Clone(h))
	h.hasten(func(l *link) bool { return l == b })
	for range 334 {
		if p := h.pop(); p.link != b || p.due != 0 {
			t.Fatalf("%+v is not one of those to be first", p)
		}
	}
	if p := h.pop(); p.link != a || p.due == 0 {
		t.Errorf("%+v is out before its time", p)
	}
	inOrder(h)
}
