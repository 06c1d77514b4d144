package workloads

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestRateIsReadAndWritten(t *testing.T) {
	for text, want := range map[string]struct{ text, json string }{
		"0":                                     {"0", "0"},
		"400":                                   {"400", "400"},
		"250.5":                                 {"250.5", "250.5"},
		"1e6":                                   {"1000000", "1000000"},
		"100 - 2000":                            {"100-2000", `"100-2000"`},
		"200 for 10s":                           {"200 for 10s", `"200 for 10s"`},
		"200 for 10s,200-2000 for 1m30s,  500":  {"200 for 10s, 200-2000 for 1m30s, 500", `"200 for 10s, 200-2000 for 1m30s, 500"`},
		"0 for 5s, 100":                         {"0 for 5s, 100", `"0 for 5s, 100"`},
		"1000 for 5s, 0 for 500ms, 1000 for 5s": {"1000 for 5s, 0 for 500ms, 1000 for 5s", `"1000 for 5s, 0 for 500ms, 1000 for 5s"`},
	} {
		r, err := ParseRate(text)
		if err != nil || r.String() != want.text {
			t.Errorf("%q: %q, %v; want %q", text, r, err, want.text)
			continue
		}
		out, err := json.Marshal(r)
		if err != nil || string(out) != want.json {
			t.Errorf("%q in JSON: %s, %v; want %s", text, out, err, want.json)
		}
		var again Rate
		if err := json.Unmarshal(out, &again); err != nil || again.String() != want.text {
			t.Errorf("%s read back: %q, %v", out, again, err)
		}
	}
	for text, want := range map[string]string{
		"":                "operations per second from 0 to 1000000, found \"\"",
		"fast":            `found "fast"`,
		"-5":              `found ""`,
		"1000001":         `found "1000001"`,
		"NaN":             `found "NaN"`,
		"100, 200":        `"100" does not say how long it lasts`,
		"100 for ever":    `after "for", found "ever"`,
		"100 for -1s":     `found "-1s"`,
		"0 for 1s, 0":     "no phase has any operations",
		"5-6-7 for 1s, 1": `found "6-7"`,
	} {
		if _, err := ParseRate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Operations come due as the rate says in each phase, on and on after the last.
func TestArrivals(t *testing.T) {
	r, err := ParseRate("100 for 2s, 0 for 3s, 100-300 for 4s, 300-0 for 2s, 50-150")
	if err != nil {
		t.Fatal(err)
	}
	a := r.Within(15 * time.Second).Arrivals()
	perSecond := make([]int, 20)
	for range 5000 {
		due, ok := a.Next(1)
		if !ok || due >= 20*time.Second {
			break
		}
		perSecond[int(due.Seconds())]++
	}
	want := []int{100, 100, 0, 0, 0, 125, 175, 225, 275, 225, 75, 62, 87, 113, 138, 150, 150, 150, 150, 150}
	for i, n := range perSecond {
		if n < want[i]-2 || n > want[i]+2 {
			t.Errorf("second %d: %d operations, want %d", i, n, want[i])
		}
	}
}

func TestArrivalsEnd(t *testing.T) {
	for text, want := range map[string]int{
		"100 for 1s, 0":        100,
		"100-0 for 2s":         100,
		"100 for 1s, 0 for 1s": 100,
	} {
		r, err := ParseRate(text)
		if err != nil {
			t.Fatal(err)
		}
		a, n := r.Arrivals(), 0
		for range 1000 {
			if _, ok := a.Next(1); !ok {
				break
			}
			n++
		}
		if n < want-1 || n > want+1 {
			t.Errorf("%q: %d operations in all, want %d", text, n, want)
		}
	}
	if due, ok := Constant(4).Arrivals().Next(2); !ok || due != 500*time.Millisecond {
		t.Errorf("two operations at 4/s take %v, %v", due, ok)
	}
}
