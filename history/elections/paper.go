package elections

// Paper is what the Raft paper shows of one range of election timeouts, in ms. A
// figure that it does not give is 0.
type Paper struct {
	Min, Max Millis // the range
	Sample
}

// Papers are the curves of Figure 16 of "In Search of an Understandable
// Consensus Algorithm" (Ongaro and Ousterhout, extended version of the paper at
// USENIX ATC 2014), and section 9.3 of Ongaro's thesis. They are read off
// the figure's vector file; the text itself gives the median of 150–155 as
// 287, the worst of 150–200 as 513, and of 12–24 a mean of 35 and a worst of 152.
// Each curve is of 1000 trials, that of 150–150 of 100.
func Papers() []Paper {
	return []Paper{
		{150, 150, Sample{N: 100, Min: 9900, P50: 41000, Mean: 57000, P90: 85000, Max: 528000}},
		{150, 151, Sample{N: 1000, Min: 86, P50: 1199, Mean: 1540, P90: 3133, P99: 6013, Max: 8232}},
		{150, 155, Sample{N: 1000, Min: 85, P50: 287, Mean: 346, P90: 609, P99: 1242, Max: 2143}},
		{150, 175, Sample{N: 1000, Min: 84, P50: 141, Mean: 164, P90: 291, P99: 467, Max: 610}},
		{150, 200, Sample{N: 1000, Min: 87, P50: 146, Mean: 156, P90: 194, P99: 352, Max: 512}},
		{150, 300, Sample{N: 1000, Min: 93, P50: 171, Mean: 181, P90: 244, P99: 415, Max: 603}},
		{12, 24, Sample{N: 1000, Min: 15, P50: 30, Mean: 35, P90: 53, P99: 87, Max: 152}},
		{25, 50, Sample{N: 1000, Min: 24, P50: 43, Mean: 48, P90: 74, P99: 119, Max: 276}},
		{50, 100, Sample{N: 1000, Min: 37, P50: 67, Mean: 71, P90: 96, P99: 169, Max: 253}},
		{100, 200, Sample{N: 1000, Min: 66, P50: 120, Mean: 126, P90: 166, P99: 277, Max: 335}},
	}
}

// PaperOf is the paper's curve of a range, if it has one.
func PaperOf(r Range) (Paper, bool) {
	for _, p := range Papers() {
		if p.Min == r.Min && p.Max == r.Max {
			return p, true
		}
	}
	return Paper{}, false
}

// PaperBroadcast is about how long a broadcast took the paper's servers.
const PaperBroadcast Millis = 15

// WithoutSplits is the mean time without a leader if no vote were ever split:
// the first of the eligible times out (hi-lo)/(e+1) after the least timeout, the
// crash was a quarter of that after the broadcast on average, and the election
// takes one broadcast.
func WithoutSplits(r Range, eligible int, broadcast Millis) Millis {
	return r.Min + (r.Max-r.Min)/Millis(eligible+1) - r.Min/4 + broadcast
}
