package reports

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"squall/history/measure"
)

// No two classes of faults have the same strokes, and the pages have those of the
// figures.
func TestStrokesTellClassesApart(t *testing.T) {
	script, err := os.ReadFile("assets/scene.js")
	if err != nil {
		t.Fatal(err)
	}
	css, err := os.ReadFile("assets/report.css")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]measure.FaultClass{}
	for _, class := range measure.FaultClasses() {
		var p vg.Path
		for _, d := range slants[class] {
			appendStrokes(&p, 10, 10, 40, 40, 4, d)
		}
		if len(p) < 10 {
			t.Errorf("%s has %d points of strokes", class, len(p))
		}
		for _, at := range p {
			if at.Pos.X < 9.99 || at.Pos.X > 40.01 || at.Pos.Y < 9.99 || at.Pos.Y > 40.01 {
				t.Errorf("%s strokes outside its box, at %v", class, at.Pos)
			}
		}
		drawn := fmt.Sprint(p)
		if other, ok := seen[drawn]; ok {
			t.Errorf("%s and %s are stroked alike", class, other)
		}
		seen[drawn] = class
		js := strings.ReplaceAll(fmt.Sprintf("%s: %v", class, slants[class]), " ", ", ")
		js = strings.ReplaceAll(js, ":, ", ": ")
		if !strings.Contains(string(script), js) {
			t.Errorf("scene.js has no %q", js)
		}
		if !strings.Contains(string(css), fmt.Sprintf(".chip.%s { background-image: repeating-linear-gradient(", class)) {
			t.Errorf("report.css has no strokes for %s", class)
		}
	}
}
