package raft

import (
	"os"
	"regexp"
	"testing"
)

// TestDocNamesEveryFile: the order to read has every file, and none that is gone.
func TestDocNamesEveryFile(t *testing.T) {
	files := sources(t)
	doc := files["doc.go"].Doc.Text()
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+\.go) `).FindAllStringSubmatch(doc, -1) {
		if name := m[1]; named[name] {
			t.Errorf("doc.go names %s twice", name)
		} else if named[name] = true; files[name] == nil {
			t.Errorf("doc.go names %s, which is not there", name)
		}
	}
	for name := range files {
		if !named[name] {
			t.Errorf("doc.go does not say when to read %s", name)
		}
	}
}

// TestDocNamesWhatIsThere: what the table gives as this package's names are names of
// this package.
func TestDocNamesWhatIsThere(t *testing.T) {
	declared := declarations(sources(t))
	doc := sources(t)["doc.go"].Doc.Text()
	table := regexp.MustCompile(`(?s)# Names elsewhere.*`).FindString(doc)
	rows := regexp.MustCompile(`(?m)^\t\S.{29} (.+)$`).FindAllStringSubmatch(table, -1)
	if len(rows) < 15 {
		t.Fatalf("the table of names has %d rows", len(rows))
	}
	for _, row := range rows {
		for _, name := range regexp.MustCompile(`\b(?:Msg\w+|HardState|\w+\.\w+|heartbeatTimeout)\b`).FindAllString(row[1], -1) {
			if !declared[name] {
				t.Errorf("%q: there is no %s", row[1], name)
			}
		}
	}
	for _, page := range regexp.MustCompile(`docs/[\w/.-]+\.md`).FindAllString(doc, -1) {
		if _, err := os.Stat("../../" + page); err != nil {
			t.Errorf("doc.go: %v", err)
		}
	}
}
