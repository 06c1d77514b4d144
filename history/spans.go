package history

// Span is what was measured of one quantity in several places: its range.
type Span struct {
	What, Unit, Want string
	Lo, Hi           float64
	Where            []string // those that had a name, in order
}

// Spans sums measurements up by what was measured, in order of appearance.
func Spans(measured []Measure) []Span {
	var spans []Span
	at := map[string]int{}
	for _, m := range measured {
		i, known := at[m.What]
		if !known {
			i = len(spans)
			at[m.What] = i
			spans = append(spans, Span{What: m.What, Unit: m.Unit, Want: m.Want, Lo: m.Value, Hi: m.Value})
		}
		s := &spans[i]
		s.Lo, s.Hi = min(s.Lo, m.Value), max(s.Hi, m.Value)
		if m.Where != "" {
			s.Where = append(s.Where, m.Where)
		}
	}
	return spans
}
