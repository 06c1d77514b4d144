// Package gate says whether figures are good enough: thresholds on the metrics
// of a run or of many (metrics.go, parse.go, judge.go), and whether runs differ
// from earlier ones by more than chance (compare.go, sides.go). It reads
// results.json and campaign.json and knows nothing of how they came about.
//
// What each metric means is in docs/metrics.md.
package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

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
		if math.Abs(value) >= 9999.5 {
			return digits(value/1000, 4) + " s"
		}
		return digits(value, 3) + " ms"
	case unitRate:
		return digits(value, 3) + "/s"
	case unitPercent: // 99.9996 must not become 100
		return strconv.FormatFloat(value, 'g', 6, 64) + "%"
	}
	return digits(value, 4)
}

// digits writes a number with at least so many digits, and all of those before
// the point, in groups of three.
func digits(v float64, least int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	after := 0
	if v != 0 {
		after = min(max(least-1-int(math.Floor(math.Log10(math.Abs(v)))), 0), 9)
	}
	text := strconv.FormatFloat(v, 'f', after, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	whole, rest, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}
