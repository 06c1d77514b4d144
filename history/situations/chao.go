package situations

// Chao1 estimates how many situations more of the same storms would reach in all, those
// that occurred included. counts is how often each occurred; at most len(counts) of them
// can be reached.
//
// It is the bias-corrected estimator of Anne Chao ("Nonparametric Estimation of the
// Number of Classes in a Population", Scandinavian Journal of Statistics 11, 1984; and
// Chao and Chiu, "Species Richness: Estimation and Comparison", 2016): with f1
// situations that occurred once and f2 that occurred twice, f1(f1-1) / (2(f2+1)) more
// than were seen. Where much was seen only once, much is still unseen.
func Chao1(counts []int) float64 {
	var seen, once, twice float64
	for _, n := range counts {
		if n > 0 {
			seen++
		}
		switch n {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	return min(seen+once*(once-1)/(2*(twice+1)), float64(len(counts)))
}
