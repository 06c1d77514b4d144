package situations_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"squall/history/situations"
	"squall/history/trace"
)

var stated = regexp.MustCompile(`(?m)^# count: (\d+)$`)

// script is a scripted trace and how often its situation occurs in it.
type script struct {
	events []trace.Event
	want   int
}

func read(t *testing.T, name string) script {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := trace.ReadText(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	m := stated.FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s does not state a count", path)
	}
	want, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return script{events, want}
}

// count follows events and returns how often the situation occurred.
func count(events []trace.Event, name string) situations.Count {
	tracker := situations.New()
	for i := range events {
		tracker.Observe(&events[i])
	}
	counts := tracker.Counts()
	return counts[slices.IndexFunc(counts, func(c situations.Count) bool { return c.Name == name })]
}

// TestEverySituation has for each situation a trace in which it occurs, and the nearest
// one in which it does not.
func TestEverySituation(t *testing.T) {
	for _, s := range situations.All() {
		t.Run(s.Name, func(t *testing.T) {
			in, near := read(t, s.Name+".in"), read(t, s.Name+".near")
			if in.want == 0 || near.want != 0 {
				t.Fatalf("the scripts state %d and %d", in.want, near.want)
			}
			if got := count(in.events, s.Name).N; got != in.want {
				t.Errorf("it occurs %d times in its script, want %d", got, in.want)
			}
			if got := count(near.events, s.Name).N; got != 0 {
				t.Errorf("it occurs %d times in the script near it, want none", got)
			}
		})
	}
}

// TestNeeds: the kinds of events that a situation says it needs suffice to tell both of
// its scripts, and without any one of them one of the two is told wrong.
func TestNeeds(t *testing.T) {
	for _, s := range situations.All() {
		in, near := read(t, s.Name+".in"), read(t, s.Name+".near")
		right := func(keep func(trace.Kind) bool) bool {
			return count(only(in.events, keep), s.Name).N == in.want && count(only(near.events, keep), s.Name).N == 0
		}
		if !right(func(k trace.Kind) bool { return k == trace.Start || slices.Contains(s.Needs, k) }) {
			t.Errorf("%s: what it needs does not suffice", s.Name)
		}
		for _, without := range s.Needs {
			if without != trace.Start && right(func(k trace.Kind) bool { return k != without }) {
				t.Errorf("%s: it does not need %v", s.Name, without)
			}
		}
	}
}

func only(events []trace.Event, keep func(trace.Kind) bool) (some []trace.Event) {
	for _, e := range events {
		if keep(e.Kind) {
			some = append(some, e)
		}
	}
	return some
}

// TestHidden: what a server never tells is said, and not counted, even if it would be.
func TestHidden(t *testing.T) {
	for _, s := range situations.All() {
		for _, need := range s.Needs {
			if need == trace.Start {
				continue
			}
			events := slices.Clone(read(t, s.Name+".in").events)
			events[0].Lacks = trace.LacksKind(need)
			got := count(events, s.Name)
			if want := fmt.Sprintf("the trace lacks %v", need); got.N != 0 || got.Hidden != want {
				t.Errorf("%s without %v: %d times, %q, want none, %q", s.Name, need, got.N, got.Hidden, want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	all := situations.All()
	if len(all) != 40 {
		t.Errorf("%d situations", len(all))
	}
	for i, s := range all {
		if !kebab.MatchString(s.Name) || seen[s.Name] {
			t.Errorf("the name %q is odd or taken", s.Name)
		}
		seen[s.Name] = true
		if s.Text == "" || s.Text[len(s.Text)-1] != '.' || len(s.Needs) == 0 || s.Bug == "" {
			t.Errorf("%s: its text, needs or bug are not whole", s.Name)
		}
		groups := situations.Groups()
		if i > 0 && slices.Index(groups, s.Group) < slices.Index(groups, all[i-1].Group) {
			t.Errorf("%s stands behind a later group", s.Name)
		}
	}
}
