package reports

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"squall/history"
	"squall/reports/browsertest"
)

// The page tells operations in the same words as package history, by the same file.
func TestOperationsAreToldInBrowser(t *testing.T) {
	text, err := os.ReadFile("../history/testdata/tell.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Functions  history.Functions
		Operations []struct {
			F, K string
			I, O json.RawMessage
			Want string
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	in := smallStorm()
	in.Header.Functions, in.Ops = vectors.Functions, nil
	var want []string
	for _, v := range vectors.Operations {
		if !vectors.Functions.Have(history.Func(v.F)) {
			continue // no history holds it
		}
		line := fmt.Sprintf(`{"op":"ok","p":%d,"n":"n1","f":%q,"k":%s,"t":%d,"d":1000000`, len(in.Ops), v.F, history.Text(v.K), in.Header.Mono+3e9+int64(len(in.Ops))*1e6)
		for key, data := range map[string]json.RawMessage{"i": v.I, "o": v.O} {
			if data != nil {
				line += fmt.Sprintf(`,%q:%s`, key, data)
			}
		}
		rec, _, err := history.ParseLine([]byte(line + "}"))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		unknown := *rec.Op
		unknown.Process, unknown.Out, unknown.Outcome = 1000+rec.Op.Process, "", history.Info
		unknown.Call, unknown.Return = unknown.Call+1000, unknown.Return+1000
		in.Ops = append(in.Ops, *rec.Op, unknown)
		want = append(want, v.Want, in.Header.Functions.Tell(&unknown)+": outcome unknown")
	}
	page := browsertest.Open(t, 1200, 900)
	dir, _ := write(t, in, judged(in))
	page.GotoFile(filepath.Join(dir, TimelineFile))
	await(t, page, "'squall' in window")
	for i := range want {
		if got := browsertest.Eval[string](page, fmt.Sprintf("squall.words(%d).text", i)); got != want[i] {
			t.Errorf("%+v:\n got %s\nwant %s", in.Ops[i], got, want[i])
		}
	}
	if len(want) < 40 {
		t.Errorf("%d operations were told", len(want))
	}
	quiet(t, page)
}
