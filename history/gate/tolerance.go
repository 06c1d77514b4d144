package gate

import (
	"fmt"
	"strconv"
	"strings"

	"squall/internal/plain"
)

// ParseTolerance reads a share that may be lost: "5%" or "0.05".
func ParseTolerance(text string) (float64, error) {
	number, isPercent := strings.CutSuffix(strings.TrimSpace(text), "%")
	share, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if isPercent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share < 1) {
		return 0, fmt.Errorf(`expected a share such as "5%%" or 0.05, less than the whole, found %q`, plain.Fit(text, mostName))
	}
	return share, nil
}
