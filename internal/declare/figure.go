package declare

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// values reads the figures of a value: two of a range, one for each part of
// weights, one of everything else.
func (p Param) values(text string) ([]float64, error) {
	switch p.Kind {
	case Range:
		return p.readRange(text)
	case Weights:
		return p.readWeights(text)
	}
	v, err := p.value(text)
	return []float64{v}, err
}

// value reads one figure: seconds, a share of 1, bytes.
func (p Param) value(text string) (float64, error) {
	var v float64
	var err error
	switch p.Kind {
	case Duration, Range:
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil {
			return d.Seconds(), nil
		}
		err = errors.New(`a duration such as "50ms"`)
	case Share:
		if percent, ok := strings.CutSuffix(text, "%"); ok {
			v, err = strconv.ParseFloat(percent, 64)
			v /= 100
		} else {
			v, err = strconv.ParseFloat(text, 64)
		}
		if err != nil {
			err = errors.New(`a share such as "10%"`)
		}
	case Bytes, Rate:
		v, err = parseBytes(text, p.Kind)
	case Count, Weights:
		v, err = parseCount(text)
	default:
		if v, err = strconv.ParseFloat(text, 64); err != nil {
			err = errors.New("a number")
		}
	}
	if err == nil && v != v { // NaN
		err = errors.New("a number")
	}
	if err != nil {
		return 0, fmt.Errorf("%s: expected %w, found %q", p.Name, err, text)
	}
	return v, nil
}

// exact is up to where a float64 counts exactly.
const exact = 1 << 53

func parseCount(text string) (float64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > exact || n < -exact {
		return 0, errors.New("a whole number")
	}
	return float64(n), nil
}

// readRange reads "150ms-300ms", "150-300ms", which means the same, and "200ms",
// which is both ends.
func (p Param) readRange(text string) ([]float64, error) {
	low, high, two := strings.Cut(text, "-")
	if !two {
		high = low
	}
	low, high = strings.TrimSpace(low), strings.TrimSpace(high)
	if _, err := strconv.ParseFloat(low, 64); err == nil {
		low += strings.TrimLeft(high, "0123456789.")
	}
	lo, errLow := p.value(low)
	hi, errHigh := p.value(high)
	if errLow != nil || errHigh != nil {
		return nil, fmt.Errorf(`%s: expected a range of durations such as "150ms-300ms", or one duration, found %q`, p.Name, text)
	}
	return []float64{lo, hi}, nil
}

// readWeights reads "50/30/20".
func (p Param) readWeights(text string) ([]float64, error) {
	var values []float64
	for one := range strings.SplitSeq(text, "/") {
		v, err := parseCount(strings.TrimSpace(one))
		if err != nil {
			values = nil
			break
		}
		values = append(values, v)
	}
	if len(values) != len(p.Parts) {
		return nil, fmt.Errorf("%s: expected %d whole numbers for %s, such as %q, found %q",
			p.Name, len(p.Parts), strings.Join(p.Parts, "/"), p.Default, text)
	}
	return values, nil
}

// format writes figures in the one way in which they are always written.
func (p Param) format(values []float64) string {
	v := values[0]
	switch p.Kind {
	case Duration:
		return formatDuration(v)
	case Range:
		if values[0] == values[1] {
			return formatDuration(v)
		}
		return formatDuration(v) + "-" + formatDuration(values[1])
	case Share:
		return strconv.FormatFloat(v*100, 'g', 10, 64) + "%"
	case Count:
		return strconv.FormatInt(int64(v), 10)
	case Weights:
		var all []string
		for _, v := range values {
			all = append(all, strconv.FormatInt(int64(v), 10))
		}
		return strings.Join(all, "/")
	case Bytes:
		return formatBytes(v)
	case Rate:
		return formatBytes(v) + "/s"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func formatDuration(seconds float64) string { return toDuration(seconds).String() }

func toDuration(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

// byteUnits are largest first, so that a suffix is taken for the whole of it.
var byteUnits = []struct {
	name string
	size float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

func parseBytes(text string, kind Kind) (float64, error) {
	example := errors.New(`a size such as "64MiB"`)
	number := text
	if kind == Rate {
		example = errors.New(`a rate such as "1MB/s"`)
		number = strings.TrimSuffix(text, "/s")
	}
	size := 1.0
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, size = rest, u.size
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, example
	}
	return v * size, nil
}

// formatBytes writes a size in the unit in which it is shortest.
func formatBytes(v float64) string {
	best := strconv.FormatFloat(v, 'f', -1, 64) + "B"
	for _, u := range byteUnits {
		if n := v / u.size; n >= 1 && u.name != "KB" {
			if text := strconv.FormatFloat(n, 'f', -1, 64) + u.name; len(text) < len(best) {
				best = text
			}
		}
	}
	return best
}

// notText reports whether a text may not hold a rune: control bytes, and what is
// no UTF-8.
func notText(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }
