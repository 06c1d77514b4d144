package hunt

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Rate is in how many trials something was found.
type Rate struct {
	Found int `json:"found"`
	Of    int `json:"of"` // trials that were judged
}

// confidence is that of an interval.
const confidence = 0.95

// Share is the share of trials in which it was found, from 0 to 1; 0 of none.
func (r Rate) Share() float64 {
	if r.Of == 0 {
		return 0
	}
	return float64(r.Found) / float64(r.Of)
}

// Interval is where the true share lies with 95 % confidence, from 0 to 1: Wilson's score
// interval, which holds for few trials and for shares near 0 and 1 as well (E. B. Wilson,
// Probable Inference, the Law of Succession, and Statistical Inference, 1927).
func (r Rate) Interval() (low, high float64) {
	if r.Of == 0 {
		return 0, 1
	}
	z := distuv.UnitNormal.Quantile(1 - (1-confidence)/2)
	n, p := float64(r.Of), r.Share()
	middle := p + z*z/(2*n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	scale := 1 + z*z/n
	return max((middle-half)/scale, 0), min((middle+half)/scale, 1)
}

// String is the rate for people: "3 of 10 tests: 30 % (95 % confidence: 11 % to 60 %)".
func (r Rate) String() string {
	if r.Of == 0 {
		return "0 of 0 tests"
	}
	tests := "tests"
	if r.Of == 1 {
		tests = "test"
	}
	low, high := r.Interval()
	return fmt.Sprintf("%d of %d %s: %.0f %% (95 %% confidence: %.0f %% to %.0f %%)", r.Found, r.Of, tests, 100*r.Share(), 100*low, 100*high)
}

// Whether a plan shows a violation is decided by Wald's sequential test of a plan that
// shows it in half of its trials against one that shows it in one of twenty, with one wrong
// answer in twenty either way (A. Wald, Sequential Tests of Statistical Hypotheses, 1945).
const (
	seldom, often = 0.05, 0.5
	wrong         = 0.05
)

// decide says whether the violation shows often enough, or too seldom; neither while more
// trials are needed: two finds are enough, and five failures.
func (r Rate) decide() (shows, decided bool) {
	likelihood := float64(r.Found)*math.Log(often/seldom) + float64(r.Of-r.Found)*math.Log((1-often)/(1-seldom))
	bound := math.Log((1 - wrong) / wrong)
	return likelihood >= bound, likelihood >= bound || likelihood <= -bound
}
