package reports

import (
	"fmt"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"squall/history/measure"
)

// round cuts a number to so many digits after the point.
func round(v float64, digits int) float64 {
	p := math.Pow(10, float64(digits))
	return math.Round(v*p) / p
}

// capital is a text with its first letter made a capital, as at the beginning of
// a sentence.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if first == utf8.RuneError {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// count writes a count with commas.
func count(n int64) string { return plainNumber(float64(n)) }

// rate writes a rate with the digits that mean something.
func rate(v float64) string {
	switch {
	case v >= 100:
		return plainNumber(math.Round(v))
	case v >= 1:
		return plainNumber(round(v, 1))
	}
	return plainNumber(round(v, 2))
}

// millisText writes a duration in ms or s with three or four digits.
func millisText(m measure.Millis) string {
	v := float64(m)
	switch {
	case v >= 9999.5:
		return plainNumber(round(v/1000, 1)) + " s"
	case v >= 99.95:
		return plainNumber(math.Round(v)) + " ms"
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64) + " ms"
	case v == 0:
		return "0 ms"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + " ms"
}

// seconds writes a time since the start of the test.
func seconds(ns int64) string {
	return strconv.FormatFloat(float64(ns)/1e9, 'f', 3, 64) + " s"
}

// plural writes a count and its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(int64(n)) + " " + noun + "s"
}

// byteCount writes a size.
func byteCount(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	v, i := float64(n), 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%s %s", count(n), units[0])
	}
	return fmt.Sprintf("%s %s", plainNumber(round(v, 1)), units[i])
}
