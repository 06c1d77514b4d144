package gate

import (
	"testing"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"squall/history/check"
	"squall/history/measure"
)

// run makes results by hand. Latencies are ms.
type run struct {
	seconds  float64
	ok, fail int64
	reads    []float64
	writes   []float64
	losses   []measure.Loss
	effects  []measure.FaultEffect
	blocks   measure.Blocks
}

func (r run) results(t testing.TB) *check.Results {
	t.Helper()
	res := &check.Results{SchemaVersion: check.SchemaVersion, Verdict: check.Pass}
	res.Ops = measure.Ops{OK: r.ok, Fail: r.fail, Total: r.ok + r.fail, LoadSeconds: r.seconds, ByFunc: map[string]measure.FuncOps{}}
	for op, ms := range map[string][]float64{"read": r.reads, "write": r.writes} {
		if len(ms) > 0 {
			res.Ops.ByFunc[op] = funcOps(t, ms)
		}
	}
	res.Elections.Losses, res.Effects, res.Blocks = r.losses, r.effects, r.blocks
	for _, l := range r.losses {
		res.Elections.SplitVotes += l.SplitVotes
	}
	return res
}

func funcOps(t testing.TB, ms []float64) measure.FuncOps {
	t.Helper()
	h := measure.NewHistogram()
	f := measure.FuncOps{OK: int64(len(ms))}
	for _, v := range ms {
		if err := h.RecordValue(int64(v * 1000)); err != nil {
			t.Fatal(err)
		}
		f.Latency.Max = max(f.Latency.Max, measure.Millis(v))
	}
	text, err := h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	f.Histogram = string(text)
	return f
}

// upTo are the whole numbers from 1.
func upTo(n int) []float64 {
	var out []float64
	for i := range n {
		out = append(out, float64(i+1))
	}
	return out
}
