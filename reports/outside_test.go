package reports

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"squall/history/check"
	"squall/history/ledger"
	"squall/internal/machinetest"
)

// Results and campaigns' records come from anywhere, and any value may be in
// them: pages and outputs are made of it, or it is refused by name.

// tellRun makes all that is made of results without a history.
func tellRun(dir string) error {
	r, err := readRun(dir)
	if err != nil {
		return err
	}
	if err := renderReport(io.Discard, newPage(r, newFigures(r.history, r.results))); err != nil {
		return err
	}
	out, err := RunOutputs(dir, "t", "squall run", r.results, nil)
	if err != nil {
		return err
	}
	return bounded(out)
}

// bounded reports outputs that are too long, or no XML.
func bounded(out *Outputs) error {
	if len(out.Summary) > MaxSummary || len(out.Annotations) > 64<<10 {
		return fmt.Errorf("a summary of %d bytes, annotations of %d", len(out.Summary), len(out.Annotations))
	}
	for dec := xml.NewDecoder(bytes.NewReader(out.JUnit)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("JUnit: %w", err)
		}
	}
}

func tellCampaign(dir string) error {
	out, err := CampaignOutputs(dir)
	if err != nil {
		return err
	}
	if err := bounded(out); err != nil {
		return err
	}
	c, err := readCampaign(context.Background(), dir)
	if err != nil {
		return err
	}
	return renderCampaign(io.Discard, c)
}

// wholeResults are results with something of everything.
func wholeResults(t testing.TB) []byte {
	in := newStorm(5, 8, 2, 30e6, true)
	res := judged(in)
	violate(in, res)
	at := 7.7
	res.Checks[0].FirstAt = &at
	res.Thresholds = []check.Threshold{{Text: "latency p(99) < 5ms", Value: 7, Limit: 5, Unit: "ms", Samples: 3, Why: "p(99) is 7 ms"}, {Text: "x", Met: true, NoData: true}}
	res.Stopped, res.History.Truncated = "stopped after 12.2 s of 20 s", "cut"
	text, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// mutate calls do with the document in each of its variants: one value in it
// replaced by each of others.
func mutate(doc any, others []any, do func(where string)) {
	var walk func(where string, v any, set func(any))
	walk = func(where string, v any, set func(any)) {
		for _, other := range others {
			set(other)
			do(fmt.Sprintf("%s = %.20v", where, other))
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				inner := v[key]
				walk(where+"."+key, inner, func(x any) { v[key] = x })
			}
		case []any:
			for i, inner := range v[:min(len(v), 2)] { // the others are alike
				walk(fmt.Sprintf("%s[%d]", where, i), inner, func(x any) { v[i] = x })
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(doc.(map[string]any))) {
		walk(key, doc.(map[string]any)[key], func(x any) { doc.(map[string]any)[key] = x })
	}
}

var odd = []any{nil, -1, -9e18, 1e308, -1e308, json.Number("9223372036854775807"), json.Number("18446744073709551615"), "", strings.Repeat("x", 1<<12), []any{}, map[string]any{}}

// each tries every variant of a document as the file of that name, or some that have
// each odd value, and one in each place.
func each(t *testing.T, file string, text []byte, tell func(dir string) error) {
	t.Helper()
	var doc any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	made, tried := 0, 0
	every := machinetest.Rounds(5, 1) // has nothing in common with the number of odd values
	mutate(doc, odd, func(where string) {
		if made++; made%every != 0 {
			return
		}
		changed, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), changed, 0o644); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: %v", where, p)
			}
		}()
		tried++
		if err := tell(dir); err != nil && !strings.Contains(err.Error(), file) {
			t.Errorf("%s: the error does not name %s: %v", where, file, err)
		}
	})
	if made < 500 {
		t.Errorf("there are only %d variants", made)
	}
}

func TestOddResults(t *testing.T) { each(t, resultsFile, wholeResults(t), tellRun) }

func TestOddCampaigns(t *testing.T) {
	dir, _ := saveCampaign(t)
	text, err := os.ReadFile(filepath.Join(dir, ledger.FileName))
	if err != nil {
		t.Fatal(err)
	}
	each(t, ledger.FileName, text, tellCampaign)
}

// TestHugeResults: as many of everything as a file of results may hold.
func TestHugeResults(t *testing.T) {
	all := func(element string, n int) string { return "[" + strings.Repeat(element+",", n-1) + element + "]" }
	many := func(element string, n int) string { return all(element, machinetest.Rounds(n/10, n)) }
	for what, text := range map[string]string{
		"checks":    `"checks":` + many(`{"name":"a","verdict":"violation"}`, 300_000),
		"witness":   `"checks":[{"name":"a","verdict":"violation","witness":` + many(`{"node":"n","text":"t"}`, 200_000) + "}]",
		"events":    `"checks":[{"name":"a","verdict":"violation","events":` + many(`{"kind":"k"}`, 200_000) + "}]",
		"reasons":   `"reasons":` + many(`"r"`, 1_000_000),
		"faults":    `"faults":` + many(`{"name":"kill"}`, 100_000),
		"effects":   `"effects":` + many(`{}`, 100_000),
		"losses":    `"elections":{"losses":` + many(`{"node":"n"}`, 100_000) + "}",
		"threshold": `"thresholds":` + many(`{"text":"x"}`, 100_000),
		"depth":     `"checks":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		"deeper":    `"x":` + strings.Repeat(`{"a":`, 1_000_000) + "1" + strings.Repeat("}", 1_000_000),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, resultsFile), []byte(`{"schemaVersion":2,"verdict":"violation",`+text+"}"), 0o644); err != nil {
			t.Fatal(err)
		}
		var page countingWriter
		r, err := readRun(dir)
		if err != nil {
			if !strings.Contains(err.Error(), resultsFile) || len(err.Error()) > 4096 {
				t.Errorf("%s: %.300v", what, err)
			}
			continue
		}
		if err := renderReport(&page, newPage(r, newFigures(r.history, r.results))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if page > 16<<20 {
			t.Errorf("%s: a page of %d bytes", what, page)
		}
		out, err := RunOutputs(dir, "t", "c", r.results, nil)
		if err != nil || len(out.JUnit) > 64<<20 {
			t.Errorf("%s: %v, %d bytes of JUnit", what, err, len(out.JUnit))
			continue
		}
		if err := bounded(out); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

type countingWriter int

func (c *countingWriter) Write(p []byte) (int, error) {
	*c += countingWriter(len(p))
	return len(p), nil
}

func fuzzFile(f *testing.F, file string, seed []byte, tell func(dir string) error) {
	f.Add(seed)
	f.Add([]byte(`{"schemaVersion":2,"verdict":"violation","checks":[{"name":"a","verdict":"violation","witness":[{"call":1,"return":9223372036854775807}]}],"faults":[{"begin":-1}],"elections":{"losses":[{"at":1}]}}`))
	f.Add([]byte(`{"schemaVersion":1,"name":"c","cells":[{"id":"s1","state":"done","seed":1,"repeat":-1,"attempts":[{"dir":"x","verdict":"pass"}]}],"baseline":{"rows":[{}]}}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := tell(dir); err != nil && !strings.Contains(err.Error(), file) {
			t.Errorf("the error does not name %s: %v", file, err)
		}
	})
}

func FuzzResults(f *testing.F) { fuzzFile(f, resultsFile, wholeResults(f), tellRun) }

func FuzzCampaign(f *testing.F) {
	dir, _ := saveCampaign(f)
	text, err := os.ReadFile(filepath.Join(dir, ledger.FileName))
	if err != nil {
		f.Fatal(err)
	}
	fuzzFile(f, ledger.FileName, text, tellCampaign)
}
