package situations_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"squall/history/situations"
	"squall/history/trace"
)

var update = flag.Bool("update", false, "write the table in docs/situations.md anew")

// TestDocs: the table in the documentation is that of the catalogue.
func TestDocs(t *testing.T) {
	const page = "../../docs/situations.md"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(raw), "-update -->\n")
	_, tail, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	want := head + "-update -->\n" + table() + "<!-- end -->" + tail
	if string(raw) == want {
		return
	}
	if !*update {
		t.Fatalf("the table in %s differs from the catalogue: run the test with -update", page)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func table() string {
	var b strings.Builder
	b.WriteString("| group | situation | what it is | needs | known bugs |\n|---|---|---|---|---|\n")
	group := situations.Group("")
	for _, s := range situations.All() {
		name := ""
		if s.Group != group {
			group, name = s.Group, string(s.Group)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", name, s.Name, s.Text, needs(&s), s.Bug)
	}
	return b.String()
}

func needs(s *situations.Situation) string {
	var list []string
	for _, k := range s.Needs {
		if k != trace.Start {
			list = append(list, k.String())
		}
	}
	if s.Fields&trace.LacksNumbers != 0 {
		list = append(list, "numbers of messages")
	}
	if s.Fields&trace.LacksStored != 0 {
		list = append(list, "what a start had stored")
	}
	return strings.Join(list, ", ")
}
