package serve

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"squall/history/check"
	"squall/history/gate"
	"squall/reports"
)

// comparePage shows how the figures of two runs differ.
type comparePage struct {
	Base     base
	Old, New runRow
	Rows     []reports.ComparedRow
	Notes    []string // about rows, each once
	Command  string
}

// compare shows two runs of the list side by side, the older one first.
func (s *Server) compare(w http.ResponseWriter, r *http.Request) {
	chosen := r.URL.Query()["run"]
	if len(chosen) != 2 || chosen[0] == chosen[1] {
		refuse(w, r, http.StatusBadRequest, "two runs can be compared: go back and tick two of them")
		return
	}
	var runs []runInfo
	for _, run := range s.scanner.look().runs {
		if slices.Contains(chosen, run.Path) {
			runs = append(runs, run)
		}
	}
	if len(runs) != 2 {
		refuse(w, r, http.StatusNotFound, "there is no run of that name in the folder of runs")
		return
	}
	now, old := runs[0], runs[1] // the newest comes first
	sides := make([][]*check.Results, 2)
	for i, run := range []runInfo{old, now} {
		results, err := s.results(run.Path)
		if err != nil {
			refuse(w, r, http.StatusUnprocessableEntity, fmt.Sprintf("%s has no results to compare: %s", harmless(run.Path, 100), harmless(err.Error(), 200)))
			return
		}
		sides[i] = []*check.Results{results}
	}
	at := time.Now()
	page := comparePage{Base: base{Title: "Two runs compared"}, Old: old.row(at), New: now.row(at),
		Rows:    reports.ComparedRows(gate.Compare("", sides[0], sides[1], gate.DefaultTolerance)),
		Command: fmt.Sprintf("squall compare %s %s", quoted(path.Join(s.out, old.Path)), quoted(path.Join(s.out, now.Path)))}
	for _, row := range page.Rows {
		if row.Note != "" && !slices.Contains(page.Notes, row.Note) {
			page.Notes = append(page.Notes, row.Note)
		}
	}
	show(w, r, "compare", page)
}

// results are those of a run.
func (s *Server) results(dir string) (*check.Results, error) {
	name := path.Join(dir, check.ResultsName)
	info, err := fs.Stat(s.root.FS(), name)
	if err != nil {
		return nil, err
	}
	r := new(check.Results)
	return r, decode(s.root, name, info, r)
}

// quoted is a word of a shell's command.
func quoted(word string) string {
	return "'" + strings.ReplaceAll(harmless(word, 1000), "'", `'\''`) + "'"
}
