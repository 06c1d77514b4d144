package workloads

import (
	"math/rand/v2"
	"sort"

	"squall/internal/declare"
)

// SkewParam is the parameter by which a workload with a Rotation takes a Skew.
func SkewParam() declare.Param {
	return declare.Param{Name: "keys-skew", Kind: declare.Word, Words: []string{"even", "zipf", "hot"}, Default: "even",
		Doc: "even: all keys in use are alike; zipf: the k-th is used 1/k as often as the first; hot: half of all operations are on one"}
}

// Skew says how often each of the keys in use is used.
type Skew struct {
	keys int
	upTo []float64 // the share of the keys up to each one; nil: all are alike
}

// NewSkew is a skew of that many keys by a word of SkewParam.
func NewSkew(word string, keys int) Skew {
	s := Skew{keys: keys}
	weight := map[string]func(k int) float64{
		"zipf": func(k int) float64 { return 1 / float64(k) },
		"hot": func(k int) float64 {
			if k == 1 {
				return float64(max(keys-1, 1))
			}
			return 1
		},
	}[word]
	if weight == nil {
		return s
	}
	sum := 0.0
	for k := 1; k <= keys; k++ {
		sum += weight(k)
		s.upTo = append(s.upTo, sum)
	}
	return s
}

// Pick draws a slot of a Rotation, from 0 up to the number of keys.
func (s Skew) Pick(rng *rand.Rand) int {
	if s.upTo == nil {
		return rng.IntN(s.keys)
	}
	drawn := rng.Float64() * s.upTo[s.keys-1]
	return min(sort.SearchFloat64s(s.upTo, drawn), s.keys-1)
}
