package reports

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"squall/history/check"
	"squall/reports/browsertest"
)

// crashStates is a farm that found something.
func crashStates() *CrashStates {
	c := &CrashStates{Run: "20261129T114648Z-1", Squall: "0.1.0", Verdict: check.Violation, Command: "squall crash runs/x --state 8a2bbfa4bb62cbc8",
		Reason:   "a power cut at 7.245420 s (just after files were made, renamed or removed) may leave this: n3 lost raft/1.wal: 1 write, 94 B. Then durability: 1 of 1 acknowledged writes is missing",
		Distinct: 38, Worth: 3121, Took: 95 * time.Second, Nodes: []string{"n1", "n2", "n3"}, Folder: "crash/violations/8a2bbfa4bb62cbc8",
		Kinds:  []CrashKind{{"acknowledgement", "just after an acknowledgement"}, {"names", "just after files were made, renamed or removed"}, {"cut", "just after a file was made shorter"}},
		Losses: []CrashLoss{{"synced", "only what was synced", []int{20, 11, 9}}, {"prefix", "what was synced, and the oldest of the rest", []int{20, 29, 31}}}}
	for i := range 38 {
		c.States = append(c.States, CrashState{ID: fmt.Sprintf("%016x", i), At: 1.5 + float64(i/4)*0.7, Kind: c.Kinds[i/4%2].Name, Verdict: check.Pass})
	}
	c.States = append(c.States, CrashState{ID: "aaaa", At: 8, Kind: "acknowledgement", Verdict: check.Unknown, Check: "recovery", Text: "the host was overloaded"},
		CrashState{ID: "8a2bbfa4bb62cbc8", At: 7.24542, Kind: "names", Verdict: check.Violation, Check: "durability", Text: "write(r3) ← 2 is missing",
			Again: "the power of all was cut, and everything was synced", Lost: []CrashLost{{"n3", "raft/1.wal: 1 write, 94 B"}}})
	return c
}

// TestCrashPage: it says what was covered, and of a violation the file, the write that is missing and how to see it again.
func TestCrashPage(t *testing.T) {
	dir := t.TempDir()
	if err := WriteCrash(dir, crashStates()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, CrashFile))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{"Violation", "raft/1.wal: 1 write, 94 B", "write(r3) ← 2 is missing", "At the second start: the power of all was cut", "--state 8a2bbfa4bb62cbc8",
		"38 distinct on disk", "of 3,121 worth a try", "6 moments, 21 states", "the host was overloaded", `<td class="num">29</td>`, "crash/violations/8a2bbfa4bb62cbc8"} {
		if !strings.Contains(page, want) {
			t.Errorf("nothing of %q", want)
		}
	}
	if strings.Index(page, "write(r3)") > strings.Index(page, "the host was overloaded") {
		t.Error("what is not decided comes before the violation")
	}
	if strings.Contains(page, "just after a file was made shorter") {
		t.Error("a kind of which no moment was tried has a lane")
	}
	clean := crashStates()
	clean.Verdict, clean.Reason, clean.Folder, clean.States = check.Pass, "", "", clean.States[:38]
	var out bytes.Buffer
	if err := renderCrash(&out, clean); err != nil || strings.Contains(out.String(), "What did not pass") || !strings.Contains(out.String(), "kept what was acknowledged") {
		t.Errorf("a clean farm: %v", err)
	}
	if err := renderCrash(&out, &CrashStates{Verdict: check.Unknown, Reason: "no state was judged"}); err != nil {
		t.Errorf("without states: %v", err)
	}
}

// TestCrashPageIsSafe: whatever a system writes stays text, and a page of many states is bounded.
func TestCrashPageIsSafe(t *testing.T) {
	c := crashStates()
	evil := `</script><script>alert(1)</script><img src=x onerror=alert(1)>`
	c.Reason, c.Run, c.Command = evil, evil, evil
	c.States = nil
	long := strings.Repeat(evil, 1000)
	for i := range 20000 {
		c.States = append(c.States, CrashState{ID: fmt.Sprint(i), At: float64(i), Kind: "names", Verdict: check.Violation, Check: evil, Text: long, Again: evil, Lost: []CrashLost{{evil, evil}}})
	}
	var out bytes.Buffer
	if err := renderCrash(&out, c); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out.Bytes(), []byte("<script")) || bytes.Contains(out.Bytes(), []byte("<img")) || out.Len() > 1<<20 {
		t.Errorf("%d bytes, of which some are a script's", out.Len())
	}
}

// TestCrashPageInBrowser: nothing is loaded, nothing is cut off.
func TestCrashPageInBrowser(t *testing.T) {
	dir := t.TempDir()
	if err := WriteCrash(dir, crashStates()); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{1200, 390} {
		page := browsertest.Open(t, width, 900)
		page.GotoFile(filepath.Join(dir, CrashFile))
		page.Screenshot(fmt.Sprintf("crash-%d", width))
		if n := browsertest.Eval[int](page, "document.querySelectorAll('svg .dot').length"); n != 12 {
			t.Errorf("%d dots of 12 moments", n)
		}
		if wide := browsertest.Eval[int](page, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
			t.Errorf("at %d it is %d pixels too wide", width, wide)
		}
		quiet(t, page)
	}
}
