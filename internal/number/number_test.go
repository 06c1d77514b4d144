package number

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		Millis(0.0): "0 ms", Millis(0.4213): "0.421 ms", Millis(9.99): "9.99 ms", Millis(12.34): "12.3 ms", Millis(412.4): "412 ms", Millis(4120.0): "4,120 ms",
		Millis(9999.4): "9,999 ms", Millis(9999.6): "10 s", Millis(12345.0): "12.3 s", Millis(-20000.0): "-20 s",
		Rate(2034.4): "2,034/s", Rate(20.34): "20.3/s", Rate(0.5): "0.5/s",
		Percent(99.9996): "99.9996%", Percent(50): "50%",
		Count(0): "0", Count(-1234): "-1,234", Count(uint64(1234567)): "1,234,567", Count(999): "999",
		Decimals(-0.0000001, 6): "0", Decimals(0.1+0.2, 6): "0.3", Decimals(-1234.56, 1): "-1,234.6", Decimals(math.NaN(), 2): "NaN", Decimals(math.Inf(-1), 2): "-Inf",
		Digits(0.000123456, 3): "0.000123", Digits(1234.5, 3): "1,234", Digits(0, 3): "0", Digits(math.Inf(1), 3): "+Inf", Digits(1e-30, 3): "0",
		Bytes(12): "12 bytes", Bytes(1_234_567): "1.2 MB", Bytes(9e15): "9,000 TB",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What Digits writes is the number, to the digits that it keeps.
func TestDigitsAreTheNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(-1e12, 1e12).Draw(t, "v")
		back, err := strconv.ParseFloat(strings.ReplaceAll(Digits(v, 3), ",", ""), 64)
		if err != nil || math.Abs(back-v) > math.Max(math.Abs(v)*0.005, 1e-9) {
			t.Fatalf("%v is written as %s", v, Digits(v, 3))
		}
	})
}
