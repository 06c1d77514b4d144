// Package number writes numbers for people, in one way wherever they stand: with the
// decimals that mean something, and thousands in groups of three.
package number

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Integer is any kind of count.
type Integer interface {
	~int | ~int32 | ~int64 | ~uint32 | ~uint64
}

// Count writes a count: "1,234".
func Count[T Integer](n T) string {
	return group(fmt.Sprint(n))
}

// Decimals writes a number with at most so many digits after the point: "1,234.5".
func Decimals(v float64, most int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	text := strconv.FormatFloat(v, 'f', most, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return group(text)
}

// Digits writes a number with its first so many digits, and all of those before the
// point: of three digits "0.0714", "71.4", "2,034".
func Digits(v float64, least int) string {
	const mostDecimals = 9
	after := 0
	if v != 0 && !math.IsNaN(v) && !math.IsInf(v, 0) {
		after = min(max(least-1-int(math.Floor(math.Log10(math.Abs(v)))), 0), mostDecimals)
	}
	return Decimals(v, after)
}

// Millis writes a duration in ms, from ten seconds on in s: "0.42 ms", "71.3 ms",
// "4,120 ms", "12.3 s".
func Millis[T ~float64](ms T) string {
	if v := float64(ms); math.Abs(v) >= 9999.5 {
		return Digits(v/1000, 3) + " s"
	}
	return Digits(float64(ms), 3) + " ms"
}

// Rate writes how many there are in a second: "2,034/s".
func Rate(v float64) string { return Digits(v, 3) + "/s" }

// Percent writes a share, in percent, with six digits: 99.9996 must not become 100.
func Percent(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) + "%" }

// Bytes writes a size: "12 bytes", "1.2 MB".
func Bytes(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return Decimals(v, 1) + " " + units[i]
}

// group puts commas between the thousands of a number.
func group(text string) string {
	whole, rest, fraction := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction {
		whole += "." + rest
	}
	return sign + whole
}
