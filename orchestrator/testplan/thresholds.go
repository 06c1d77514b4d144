package testplan

import (
	"errors"
	"strings"

	"squall/history/gate"
	"squall/nemesis/schedule"
	"squall/workloads/catalogue"
)

// setThresholds takes thresholds with semicolons between them.
func setThresholds(t *Test, text string) error {
	t.Thresholds = nil
	i := 0
	for one := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		threshold, err := gate.Parse(catalogue.FunctionNames(), one)
		var bad *gate.ParseError
		if errors.As(err, &bad) {
			return &schedule.ItemError{Item: i, Err: bad}
		}
		t.Thresholds = append(t.Thresholds, threshold.Text)
		i++
	}
	return nil
}

// CheckThresholds says what is wrong with thresholds, on whatever workload.
func CheckThresholds(texts ...string) error {
	_, err := gate.ParseAll(catalogue.FunctionNames(), texts...)
	return err
}

// checkThresholds refuses thresholds on operations that the workload does not have.
// The error is a *FieldError.
func (t *Test) checkThresholds() error {
	w, err := catalogue.FindWorkload(t.Workload)
	if err != nil {
		return err
	}
	if _, err := gate.ParseAll(w.Functions.Names(), t.Thresholds...); err != nil {
		return &FieldError{"threshold", err}
	}
	return nil
}
