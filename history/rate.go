package history

import "math"

// maxRate is the most operations a second that a test asks for.
const maxRate = 1e6

// Rate is how many operations a second arrive at the system, whether or not it keeps up.
type Rate struct {
	From float64 `json:"from"` // at first, operations a second
	To   float64 `json:"to"`   // at the end of For: the rate changes evenly
	For  int64   `json:"for"`  // ns; 0: From, to the end of the load
}

// valid reports whether a test may have asked for it.
func (r *Rate) valid() bool {
	return r.From >= 0 && r.From <= maxRate && r.To >= 0 && r.To <= maxRate && r.For >= 0 && r.For <= maxTest
}

// arrived is how many operations arrived in so many ns since it began. After For the rate
// stays as it is.
func (r *Rate) arrived(after int64) float64 {
	if r.For == 0 {
		return r.From * float64(after) / 1e9
	}
	changing := min(after, r.For)
	at := r.From + (r.To-r.From)*float64(changing)/float64(r.For)
	return ((r.From+at)/2*float64(changing) + at*float64(after-changing)) / 1e9
}

// Arriving is how many operations were to arrive from one moment to another, by marks in
// order of time: infinitely many in a load that waits for answers, which has no MarkRate.
func Arriving(marks []Mark, from, to int64) float64 {
	n, told := 0.0, false
	for i := range marks {
		if marks[i].Rate == nil {
			continue
		}
		told = true
		r, begin := marks[i].Rate, marks[i].Time
		end := to
		for k := range marks[i+1:] {
			if next := &marks[i+1+k]; next.Rate != nil {
				end = min(end, next.Time)
				break
			}
		}
		if begin = max(begin, from); begin < end {
			n += r.arrived(end-marks[i].Time) - r.arrived(begin-marks[i].Time)
		}
	}
	if !told {
		return math.Inf(1)
	}
	return n
}
