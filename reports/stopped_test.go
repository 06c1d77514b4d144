package reports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/ledger"
)

// TestACampaignTellsOfStoppedCellsAndOfNoData: on its page, in JUnit and Markdown.
func TestACampaignTellsOfStoppedCellsAndOfNoData(t *testing.T) {
	const stopped = "stopped after 12.2 s of 20 s"
	dir, c := saveCampaign(t)
	c.Thresholds = []check.Threshold{{Text: "election max < 1s", Met: true, NoData: true, Why: "nothing to judge: no leader was lost"}}
	at := filepath.Join(dir, filepath.FromSlash(c.Cells[2].Last().Dir))
	res, err := check.ReadResults(at)
	if err != nil {
		t.Fatal(err)
	}
	res.Stopped = stopped
	if err := check.WriteResults(at, res); err != nil {
		t.Fatal(err)
	}
	c.Cells[3].Attempts[0].Stopped = stopped // and its results are gone
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(c.Cells[3].Last().Dir), check.ResultsName)); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Write(dir, c); err != nil {
		t.Fatal(err)
	}
	index, junit, summary := writeCampaign(t, dir)
	for name, text := range map[string]string{IndexFile: index, JUnitFile: junit, SummaryFile: summary} {
		if n := strings.Count(text, stopped); n < 2 {
			t.Errorf("%s tells %d times that a cell was stopped", name, n)
		}
		if !strings.Contains(text, "no data") {
			t.Errorf("%s does not tell of the threshold without data", name)
		}
	}
}
