package reports

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"squall/history/measure"
)

// The page and the plots show a class of faults in the same colour.
func TestPageAndPlotsAgreeOnColours(t *testing.T) {
	css, err := os.ReadFile("assets/report.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range measure.FaultClasses() {
		for _, want := range []string{
			fmt.Sprintf("--%s: #%06x;", class, class.Color()),
			fmt.Sprintf(".chip.%s { background: var(--%s); }", class, class),
			fmt.Sprintf(".band.%s { fill: var(--%s); }", class, class),
		} {
			if !strings.Contains(string(css), want) {
				t.Errorf("report.css has no %q", want)
			}
		}
	}
}
