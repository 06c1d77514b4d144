package workloads

import (
	"math/rand/v2"
	"testing"
)

func TestSkew(t *testing.T) {
	const draws = 100_000
	for word, want := range map[string][]float64{
		"even": {0.25, 0.25, 0.25, 0.25},
		"zipf": {0.48, 0.24, 0.16, 0.12},
		"hot":  {0.5, 0.167, 0.167, 0.167},
	} {
		rng, s, count := rand.New(rand.NewPCG(1, 1)), NewSkew(word, 4), make([]int, 4)
		for range draws {
			count[s.Pick(rng)]++
		}
		for i, n := range count {
			if got := float64(n) / draws; got < want[i]-0.01 || got > want[i]+0.01 {
				t.Errorf("%s: key %d is used in %.3f of all operations, want %.3f", word, i+1, got, want[i])
			}
		}
		if only := NewSkew(word, 1); only.Pick(rng) != 0 {
			t.Errorf("%s: of one key another was drawn", word)
		}
	}
	// Keys that are alike are drawn as ever, so that a seed repeats the load that it made.
	a, b := rand.New(rand.NewPCG(7, 7)), rand.New(rand.NewPCG(7, 7))
	for range 1000 {
		if NewSkew("even", 5).Pick(a) != b.IntN(5) {
			t.Fatal("another key was drawn")
		}
	}
}
