package crash

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"squall/history/check"
	"squall/nodeimage/disk"
)

// TestASystemThatSyncsIsClean: no state is a violation, none is booted twice with the same to be found, and all kinds of moments
// and losses were among them.
func TestASystemThatSyncsIsClean(t *testing.T) {
	f := &fake{}
	out, err := Run(t.Context(), storm(t, 20, false), farmOf(f))
	if err != nil {
		t.Fatal(err)
	}
	if out.Verdict != check.Pass || out.Cover.States < 100 || out.Cover.States != out.States || out.Cover.Verdicts[check.Pass] != out.States {
		t.Errorf("%s %s: %+v", out.Verdict, out.Reason, out.Cover)
	}
	for _, how := range disk.Hows() {
		// Nothing can be reordered or torn at 4096 here, and names are synced.
		if out.Cover.Hows[how] == 0 && how != disk.Reordered && how != disk.Torn4096 {
			t.Errorf("no disk was of kind %s: %v", how, out.Cover.Hows)
		}
	}
	for _, why := range []Why{WhyAcknowledged, WhySync} {
		if out.Cover.Whys[why] == 0 {
			t.Errorf("no moment was one of %s: %v", why, out.Cover.Whys)
		}
	}
	ids := map[string]bool{}
	for _, r := range out.Record.Results {
		if ids[r.ID] {
			t.Errorf("%s was judged twice", r.ID)
		}
		ids[r.ID] = true
	}
	if f.boots != out.States || f.agains != out.States || out.Cover.Distinct != len(f.digests) {
		t.Errorf("%d boots of %d states, %d of %d distinct", f.boots, out.States, len(f.digests), out.Cover.Distinct)
	}
}

// TestASecondStart: what shows only once the power was cut again is found, and said to be of that; asked to start once, the farm does.
func TestASecondStart(t *testing.T) {
	for name, c := range map[string]struct {
		fake  *fake
		check string
		text  string
	}{
		"a write of the storm is gone":        {&fake{forgets: "k3"}, "durability", "write(k3)"},
		"a write of the first start is gone":  {&fake{forgets: "recovery-n2"}, "durability", "recovery-n2"},
		"a server does not start that did so": {&fake{refuses: true}, CheckStarts, "n2 ended by itself (exit status 1), and named the-log"},
	} {
		s, f := storm(t, 20, false), c.fake
		cfg := farmOf(f)
		out, err := Run(t.Context(), s, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if out.Verdict != check.Violation || out.Worst.Check != c.check || !strings.Contains(out.Reason, c.text) ||
			!strings.Contains(out.Reason, "the power of all was cut, with the loss of what was not synced (n2: the-log: 1 write, 20 B), and at the second start "+c.check) {
			t.Errorf("%s: %s %s", name, out.Verdict, out.Reason)
		}
		if again, err := Replay(t.Context(), s, cfg, out.Record.violations()[0].ID[:6]); err != nil || again.Result.Again == "" || again.Result.Check != c.check {
			t.Errorf("%s, again: %+v, %v", name, again, err)
		}
		cfg.Once, cfg.Fresh, cfg.States = true, true, 20
		agains := f.agains
		if out, err = Run(t.Context(), s, cfg); err != nil || out.Verdict != check.Pass || f.agains != agains {
			t.Errorf("%s, started once: %+v, %v", name, out, err)
		}
	}
}

// TestALostWriteIsFound: it is named with its file and its time, made small, kept, and found again by its ID.
func TestALostWriteIsFound(t *testing.T) {
	s, f := storm(t, 20, true), &fake{}
	out, err := Run(t.Context(), s, farmOf(f))
	if err != nil {
		t.Fatal(err)
	}
	if out.Verdict != check.Violation || out.Worst == nil {
		t.Fatalf("%s %s", out.Verdict, out.Reason)
	}
	for _, part := range []string{"a power cut at ", "the-log: 1 write", "durability: ", "acknowledged by n1", "n1 lost", "n2 lost"} {
		if !strings.Contains(out.Reason, part) {
			t.Errorf("nothing of %q in: %s", part, out.Reason)
		}
	}
	for node, loss := range out.Worst.Lost { // as much as must be lost, and no more: of one write, where both acknowledged it
		if len(loss.Files) != 1 || loss.Files[0].Writes != 1 {
			t.Errorf("%s: %v", node, loss)
		}
	}
	log, err := os.ReadFile(filepath.Join(out.Folder, "n1", "the-log"))
	if err != nil || !strings.HasPrefix(string(log), "k0=v0.") {
		t.Errorf("the disk that was kept: %q, %v", log, err)
	}
	again, err := Replay(t.Context(), s, farmOf(f), out.Record.violations()[0].ID[:6])
	if err != nil {
		t.Fatal(err)
	}
	if again.Result.Verdict != check.Violation || again.Result.Text != out.Worst.Text || again.Result.ID != out.Worst.ID {
		t.Errorf("once more: %+v, want %+v", again.Result, out.Worst)
	}
	boots := f.boots
	once, err := Run(t.Context(), s, farmOf(f))
	if err != nil || once.Verdict != check.Violation || once.Reason != out.Reason || f.boots != boots {
		t.Errorf("a farm that has found it: %v, %d boots, %+v", err, f.boots-boots, once)
	}
}

// TestAFarmGoesOn: in pieces it judges the same states as in one go, and none twice.
func TestAFarmGoesOn(t *testing.T) {
	whole, err := Run(t.Context(), storm(t, 6, false), farmOf(&fake{}))
	if err != nil {
		t.Fatal(err)
	}
	s, f := storm(t, 6, false), &fake{}
	pieces := 0
	for {
		cfg := farmOf(f)
		cfg.States = 7
		out, err := Run(t.Context(), s, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if out.States == 0 {
			break
		}
		if out.States > 7 {
			t.Fatalf("%d states were judged, 7 were asked for", out.States)
		}
		pieces++
		cut(t, s.Dir) // as a kill would leave it
	}
	if pieces < 3 || f.boots != whole.States {
		t.Errorf("%d states in %d pieces, %d in one", f.boots, pieces, whole.States)
	}
}

// cut leaves a line of the record half.
func cut(t *testing.T, dir string) {
	f, err := os.OpenFile(filepath.Join(dir, Folder, RecordFile), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(`{"result":{"id":"half`)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestARecordOfAnotherFarmIsRefused(t *testing.T) {
	s := storm(t, 3, false)
	if _, err := Run(t.Context(), s, farmOf(&fake{})); err != nil {
		t.Fatal(err)
	}
	cfg := farmOf(&fake{})
	cfg.Seed++
	var other *OtherFarmError
	if _, err := Run(t.Context(), s, cfg); !errors.As(err, &other) || !strings.Contains(err.Error(), "seed is 7 and not 8") {
		t.Errorf("another seed: %v", err)
	}
	cfg.Fresh = true
	if out, err := Run(t.Context(), s, cfg); err != nil || out.States == 0 {
		t.Errorf("begun anew: %v", err)
	}
}

// TestBootsThatFail: they are no fault of the system, and it is given up soon.
func TestBootsThatFail(t *testing.T) {
	f := &fake{broken: errNoMachines}
	out, err := Run(t.Context(), storm(t, 3, false), farmOf(f))
	if err != nil {
		t.Fatal(err)
	}
	if out.Verdict != check.Invalid || !strings.Contains(out.Reason, errNoMachines.Error()) || out.Cover.States != 0 || f.boots > 6 {
		t.Errorf("%s: %s, after %d boots", out.Verdict, out.Reason, f.boots)
	}
}

func TestAFarmThatIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := farmOf(&fake{})
	cfg.Progress = func(Progress) { cancel() }
	out, err := Run(ctx, storm(t, 6, false), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(out.Record.Results); out.Verdict != check.Pass || n < 1 || n > 4 {
		t.Errorf("%s after %d states", out.Verdict, n)
	}
}
