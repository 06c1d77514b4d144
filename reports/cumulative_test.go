package reports

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/history/elections"
)

// TestWriteElections draws curves with and without the paper's, one that leaves
// the linear panel, and one of no trials, of a record whose words are hostile.
func TestWriteElections(t *testing.T) {
	curve := func(low, high elections.Millis, times ...elections.Millis) elections.Range {
		r := elections.Range{Min: low, Max: high}
		for _, ms := range times {
			r.Trials = append(r.Trials, elections.Trial{Outcome: elections.Elected, Found: elections.Found{NoLeader: ms}})
		}
		return r
	}
	r := &elections.Record{System: `</svg><script>alert(1)</script>` + "\x00\x1b[31m", Nodes: []string{"n1", "n2", "n3", "n4", "n5"},
		Ranges: []elections.Range{curve(150, 155, 90, 120, 300, 310, 1500, 20_000), curve(150, 300, 110, 160, 180, 260), curve(33, 44, 30, 40), curve(12, 24)}}
	dir := t.TempDir()
	if err := WriteElections(dir, r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, ElectionsPNG))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || img.Bounds().Dx() < 1000 {
		t.Fatalf("%v, %v", img.Bounds(), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, ElectionsSVG))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"150-155ms", "33-44ms", "what the paper has", "Time without a leader", "12 trials"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the SVG has no %q", part)
		}
	}
	for _, bad := range []string{"<script", "\x00", "\x1b"} {
		if strings.Contains(string(text), bad) {
			t.Errorf("the SVG holds %q as it came", bad)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
