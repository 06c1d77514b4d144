package serve

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"squall/internal/number"
	"squall/reports"
)

// perPage is how many runs, and how many campaigns, a page lists.
const perPage = 100

// maxPage is more than there are.
const maxPage = 1_000_000

// states are what a list can be filtered by, in the order in which they matter.
var states = []string{"violation", stateMissed, "unknown", "invalid", "pass", stateRunning, stateUnfinished, stateDamaged}

// query is what the list is asked for.
type query struct {
	Text  string // in the name of the test, its system, its faults, the seed, the folder or the state
	State string
	Cells bool // the cells of campaigns, too
	Sort  string
	Page  int // from 1
}

// columns are what runs can be sorted by; the largest comes first, and the name
// of a column with a minus before it is the other way round.
var columns = map[string]func(a, b *runInfo) int{
	"started": func(a, b *runInfo) int { return strings.Compare(path.Base(b.Path), path.Base(a.Path)) },
	"test":    func(a, b *runInfo) int { return strings.Compare(a.Test, b.Test) },
	"verdict": func(a, b *runInfo) int {
		return cmp.Compare(slices.Index(states, a.State), slices.Index(states, b.State))
	},
	"system": func(a, b *runInfo) int {
		return cmp.Or(strings.Compare(a.System, b.System), cmp.Compare(a.Nodes, b.Nodes))
	},
	"nemesis": func(a, b *runInfo) int { return strings.Compare(a.Nemesis, b.Nemesis) },
	"seed": func(a, b *runInfo) int {
		return cmp.Or(cmp.Compare(len(b.Seed), len(a.Seed)), strings.Compare(b.Seed, a.Seed))
	},
	"took":       func(a, b *runInfo) int { return cmp.Compare(b.Took, a.Took) },
	"throughput": func(a, b *runInfo) int { return cmp.Compare(b.Throughput, a.Throughput) },
	"lost":       func(a, b *runInfo) int { return cmp.Compare(b.Lost, a.Lost) },
	"faults":     func(a, b *runInfo) int { return cmp.Compare(b.Faults, a.Faults) },
}

func queryOf(values url.Values) query {
	q := query{Text: strings.TrimSpace(harmless(values.Get("q"), 200)), State: values.Get("verdict"), Cells: values.Get("cells") != "", Sort: values.Get("sort"), Page: 1}
	if !slices.Contains(states, q.State) {
		q.State = ""
	}
	if columns[strings.TrimPrefix(q.Sort, "-")] == nil {
		q.Sort = "started"
	}
	if n, err := strconv.Atoi(values.Get("page")); err == nil && n > 0 {
		q.Page = min(n, maxPage)
	}
	return q
}

// href is the address of the list with one thing changed.
func (q query) href(sort string, page int) string {
	values := url.Values{}
	set := func(name, value, unless string) {
		if value != unless {
			values.Set(name, value)
		}
	}
	set("q", q.Text, "")
	set("verdict", q.State, "")
	if q.Cells {
		values.Set("cells", "on")
	}
	set("sort", sort, "started")
	set("page", strconv.Itoa(page), "1")
	return "/?" + values.Encode()
}

func (q query) takes(state string, texts ...string) bool {
	if q.State != "" && q.State != state {
		return false
	}
	for word := range strings.FieldsSeq(strings.ToLower(q.Text)) {
		if !slices.ContainsFunc(append(texts, state), func(t string) bool { return strings.Contains(strings.ToLower(t), word) }) {
			return false
		}
	}
	return true
}

type indexPage struct {
	Base      base
	Query     query
	States    []string
	Columns   []column
	Runs      []runRow
	Campaigns []campaignRow
	Troubles  []string
	Found     string // how many runs, and of how many
	Folded    int    // runs that would be found, but are cells of campaigns
	Busy      bool   // something is going on
	Earlier   string // links to the pages beside this one
	Later     string
	Empty     bool
	Left      int // campaigns that are not shown
}

type column struct{ Title, Name, Href, Order, Class, Doc string }

type runRow struct {
	State, Why, Stopped, Test, System, Nodes, Nemesis, Seed, Took, Throughput, Lost, Faults string
	Path                                                                                    string // of a run that can be compared
	Href, Live, Report, Timeline, Zip, Campaign                                             string
	Started                                                                                 moment
}

type campaignRow struct {
	State, Why, Name, Took, Progress, Page, Trends, Href, Runs, Zip string
	Started                                                         moment
	Done, Cells                                                     int
	Counts                                                          []countOf
}

type countOf struct {
	State string
	Count int
}

// index lists all runs and campaigns.
func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	found, now := s.scanner.look(), time.Now()
	q := queryOf(r.URL.Query())
	page := indexPage{Base: base{Title: "Runs"}, Query: q, States: states, Troubles: found.troubles, Columns: q.columns(),
		Empty: len(found.runs)+len(found.campaigns) == 0}
	var runs []*runInfo
	for i := range found.runs {
		run := &found.runs[i]
		page.Busy = page.Busy || run.State == stateRunning
		switch {
		case !q.takes(run.State, run.Path, run.Seed, run.System, run.Nemesis):
		case run.Campaign != "" && !q.Cells:
			page.Folded++
		default:
			runs = append(runs, run)
		}
	}
	by, back := strings.CutPrefix(q.Sort, "-")
	slices.SortStableFunc(runs, func(a, b *runInfo) int {
		if back {
			a, b = b, a
		}
		return columns[by](a, b)
	})
	page.Found = fmt.Sprintf("%d of %d runs", len(runs), len(found.runs))
	first := min((q.Page-1)*perPage, len(runs)/perPage*perPage)
	if first > 0 {
		page.Earlier = q.href(q.Sort, first/perPage)
	}
	last := min(first+perPage, len(runs))
	if last < len(runs) {
		page.Later = q.href(q.Sort, first/perPage+2)
	}
	if len(runs) > perPage {
		page.Found += fmt.Sprintf(", %d to %d shown", first+1, last)
	}
	for _, run := range runs[first:last] {
		page.Runs = append(page.Runs, run.row(now))
	}
	for i := range found.campaigns {
		c := &found.campaigns[i]
		page.Busy = page.Busy || c.State == stateRunning
		if !c.matches(q) {
			continue
		}
		if len(page.Campaigns) == perPage {
			page.Left++
			continue
		}
		page.Campaigns = append(page.Campaigns, c.row(now))
	}
	show(w, r, "index", page)
}

// columns are the heads of the table, each a link that sorts by it.
func (q query) columns() []column {
	all := []column{{Title: "Verdict", Name: "verdict"}, {Title: "Test", Name: "test"}, {Title: "System", Name: "system"}, {Title: "Nemesis", Name: "nemesis"},
		{Title: "Seed", Name: "seed", Class: "num"}, {Title: "Started", Name: "started"}, {Title: "Took", Name: "took", Class: "num"}, {Title: "Throughput", Name: "throughput", Class: "num"},
		{Title: "Lost", Name: "lost", Class: "num", Doc: "leaders that were lost"}, {Title: "Faults", Name: "faults", Class: "num"}}
	for i := range all {
		c := &all[i]
		c.Href, c.Order = q.href(c.Name, 1), "none"
		switch q.Sort {
		case c.Name:
			c.Href, c.Order = q.href("-"+c.Name, 1), "descending"
		case "-" + c.Name:
			c.Order = "ascending"
		}
		if slices.Contains([]string{"test", "verdict", "system", "nemesis"}, c.Name) && c.Order != "none" { // words go the other way
			c.Order = map[string]string{"ascending": "descending", "descending": "ascending"}[c.Order]
		}
	}
	return all
}

func (r *runInfo) row(now time.Time) runRow {
	row := runRow{State: r.State, Why: r.Why, Stopped: r.Stopped, Test: harmless(r.Test, 100), System: cmp.Or(r.System, "–"), Nemesis: cmp.Or(r.Nemesis, "–"), Seed: r.Seed,
		Started: since(now, r.Started), Took: "–", Throughput: "–", Lost: "–", Faults: "–", Href: link("runs", r.Path) + "/", Zip: link("zip", r.Path)}
	if r.Nodes > 0 {
		row.Nodes = fmt.Sprintf("%d nodes", r.Nodes)
		if r.Nodes == 1 {
			row.Nodes = "1 node"
		}
	}
	if r.Started.IsZero() {
		row.Started.Text = harmless(path.Base(r.Path), 40)
	}
	if r.Took > 0 {
		row.Took = number.Decimals(r.Took, 1) + " s"
	}
	if r.HasFigures {
		row.Path = r.Path
		row.Throughput, row.Lost, row.Faults = number.Rate(r.Throughput), number.Count(r.Lost), number.Count(r.Faults)
	}
	if r.State == stateRunning {
		row.Live = link("live", r.Path)
	}
	if r.Report != "" {
		row.Report = link("runs", r.Path, r.Report)
	}
	if r.Timeline {
		row.Timeline = link("runs", r.Path, reports.TimelineFile)
	}
	if r.Campaign != "" {
		row.Campaign = harmless(path.Base(path.Dir(r.Campaign)), 60)
	}
	return row
}

// matches: a campaign is found by its own state or by the verdict of a cell.
func (c *campaignInfo) matches(q query) bool {
	if q.State != "" && q.State != c.State && c.Counts[q.State] == 0 {
		return false
	}
	q.State = ""
	return q.takes(c.State, c.Path)
}

func (c *campaignInfo) row(now time.Time) campaignRow {
	row := campaignRow{State: c.State, Why: c.Why, Name: harmless(c.Name, 100), Started: since(now, c.Started), Took: "–",
		Progress: fmt.Sprintf("%d of %d", c.Done, c.Cells), Done: c.Done, Cells: c.Cells, Href: link("runs", c.Path) + "/",
		Runs: query{Text: c.Path, Cells: true}.href("started", 1), Zip: link("zip", c.Path)}
	if c.Took > 0 {
		row.Took = c.Took.Round(time.Second).String()
	}
	if c.Page {
		row.Page = link("runs", c.Path, reports.IndexFile)
	}
	if c.Trends {
		row.Trends = link("runs", path.Dir(c.Path), reports.TrendsFile)
	}
	for _, state := range states {
		if n := c.Counts[state]; n > 0 {
			row.Counts = append(row.Counts, countOf{state, n})
		}
	}
	return row
}

func when(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format(time.DateTime)
}

// moment is a time as a list shows it: how long ago, and exactly.
type moment struct{ Text, Exact string }

// since is how long a time is ago, as far as that says more than its date.
func since(now, t time.Time) moment {
	m := moment{when(t), when(t) + " UTC"}
	if t.IsZero() {
		return moment{"–", ""}
	}
	switch d := now.Sub(t); {
	case d < 0:
	case d < time.Minute:
		m.Text = "less than a minute ago"
	case d < time.Hour:
		m.Text = fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 24*time.Hour:
		m.Text = fmt.Sprintf("%d h ago", d/time.Hour)
	case d < 48*time.Hour:
		m.Text = "yesterday"
	case d < 14*24*time.Hour:
		m.Text = fmt.Sprintf("%d days ago", d/(24*time.Hour))
	default:
		m.Text = t.UTC().Format(time.DateOnly)
	}
	return m
}
