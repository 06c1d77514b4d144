// Package gate says whether figures are good enough: thresholds on the metrics
// of a run or of many (metrics.go, parse.go, judge.go), and whether runs differ
// from earlier ones by more than chance (compare.go, sides.go). It reads
// results.json and campaign.json and knows nothing of how they came about.
//
// What each metric means is in docs/metrics.md.
package gate

import "squall/internal/number"

// The units of metrics, as check.Threshold and ledger.Row have them.
const (
	unitMillis  = "ms"
	unitRate    = "ops/s"
	unitPercent = "%"
	unitNone    = ""
)

// Format writes a value with its unit, with the digits that mean something:
// "71.3 ms", "12.4 s", "2,034/s", "99.31%".
func Format(value float64, unit string) string {
	switch unit {
	case unitMillis:
		return number.Millis(value)
	case unitRate:
		return number.Rate(value)
	case unitPercent:
		return number.Percent(value)
	}
	return number.Digits(value, 4)
}
