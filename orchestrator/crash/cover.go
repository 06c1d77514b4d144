package crash

import (
	"squall/history/check"
	"squall/nodeimage/disk"
)

// Cover is what was covered.
type Cover struct {
	States   int                   `json:"states"`        // that were judged
	Distinct int                   `json:"distinct"`      // of them, those whose disks differ
	Equal    int                   `json:"equal"`         // that were left out in this call, for they equal one that was judged
	Moments  int                   `json:"moments"`       // of which a state was judged
	Worth    int                   `json:"momentsInAll"`  // that are worth a try
	Whys     map[Why]int           `json:"momentsByKind"` // moments, by what had just happened
	Hows     map[disk.How]int      `json:"disksByLoss"`   // disks of nodes, by what they lost
	Verdicts map[check.Verdict]int `json:"verdicts"`      // states
	Refused  int                   `json:"refusals"`      // states in which a node refused to start, with the name of a file
	Seconds  float64               `json:"bootSeconds"`   // that states took, all together
}

func coverOf(r *Record, worth int) Cover {
	c := Cover{Worth: worth, Whys: map[Why]int{}, Hows: map[disk.How]int{}, Verdicts: map[check.Verdict]int{}}
	moments, disks := map[int64]bool{}, map[string]bool{}
	for i := range r.Results {
		one := &r.Results[i]
		c.States++
		c.Verdicts[one.Verdict]++
		c.Seconds += one.Took.Seconds()
		if !moments[one.At] {
			moments[one.At] = true
			c.Whys[one.Why]++
		}
		disks[one.Disks] = true
		for _, how := range one.Kinds {
			c.Hows[how]++
		}
		if len(one.Refused) > 0 {
			c.Refused++
		}
	}
	c.Moments, c.Distinct = len(moments), len(disks)
	return c
}
