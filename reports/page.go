package reports

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
)

// page is what the template shows. Everything in it that comes from a run is
// plain text, which the template escapes.
type page struct {
	Verdict   string
	Headline  string
	Meaning   string
	Reasons   []string
	Next      []advice
	Command   string
	Test      string
	Facts     []fact
	Notices   []string
	Cards     []card
	Findings  []finding
	Checks    []checkRow
	Figures   []embedded
	Losses    []lossRow
	Summary   string // of the losses
	Faults    []faultRow
	Functions []functionRow
	History   []fact
	Env       []fact
	Plan      string
}

type fact struct{ Name, Value string }

// card is one figure that matters, and what goes with it.
type card struct{ Title, Value, Detail string }

type embedded struct {
	Title, Alt, File string
	Light            template.URL
	Dark             template.Srcset
}

type checkRow struct {
	Name, Verdict, Summary, Took string
	Stats                        []fact
}

type functionRow struct{ Name, OK, Fail, Info, P50, P90, P99, Max string }

type lossRow struct {
	At, Node, Cause, NewLeader, NoLeader, Unavailable string
	Term, NewTerm                                     uint64
	Elected                                           bool
}

type faultRow struct {
	ID                                     int
	Kind, Name, Targets, Detail, At, Until string
	Lasted, Err                            string
	Verified, Healed                       bool
	Bite, Mend                             string // how long it took to take effect, and to heal
	Params                                 string
	Figures                                []string // what shows how hard it hit
	Proof, HealProof                       []string
}

func newPage(r *run, in measure.Input, fig *figures, drawn []figure) page {
	res := r.results
	p := page{
		Verdict:   string(res.Verdict),
		Reasons:   res.Reasons,
		Command:   r.plan.get("command"),
		Test:      cmp.Or(in.Header.Test, r.plan.get("test", "name"), "unnamed test"),
		Facts:     factsOf(r, in),
		Cards:     cardsOf(res, fig),
		Losses:    lossRows(res.Elections),
		Faults:    faultRows(fig.faults),
		Functions: functionRows(res.Ops),
		Findings:  findingsOf(r, fig.faults),
		History:   historyFacts(r),
		Env:       flatten(r.env.fields),
		Plan:      clip(r.plan.text, 100_000),
	}
	p.Headline, p.Meaning, p.Next = verdictWords(r)
	for _, n := range []string{r.plan.trouble, r.env.trouble} {
		if n != "" {
			p.Notices = append(p.Notices, n)
		}
	}
	if r.historyErr != nil {
		p.Notices = append(p.Notices, r.historyErr.Error())
	} else if cut := res.History.Truncated; cut != "" {
		p.Notices = append(p.Notices, "The history is not whole: "+cut+". Everything below is about what is left of it.")
	}
	for _, c := range res.Checks {
		row := checkRow{Name: c.Name, Verdict: string(c.Verdict), Summary: c.Summary,
			Took: millisText(measure.Millis(c.Seconds * 1000))}
		for _, k := range slices.Sorted(maps.Keys(c.Stats)) {
			row.Stats = append(row.Stats, fact{k, plainNumber(round(c.Stats[k], 3))})
		}
		p.Checks = append(p.Checks, row)
	}
	for _, f := range drawn {
		p.Figures = append(p.Figures, embedded{Title: f.title, Alt: f.alt, File: f.file,
			Light: template.URL(dataURL(f.light)), Dark: template.Srcset(dataURL(f.dark))})
	}
	return p
}

// dataURL holds a picture in the page itself.
func dataURL(png []byte) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)
}

// advice is something to do, and the command that does it, if one does.
type advice struct{ Text, Command string }

// verdictWords says what a verdict is called, what it means and what to do.
func verdictWords(r *run) (headline, meaning string, next []advice) {
	again := "squall check " + r.dir
	switch r.results.Verdict {
	case check.Pass:
		return "Pass", "Every promise that was checked was kept.", []advice{
			{Text: "One storm is one sample: try other seeds, or a longer --time."},
		}
	case check.Violation:
		return "Violation", "The cluster broke a promise.", []advice{
			{Text: "Look at the operations or events below: they are the smallest set found that cannot be explained."},
			{Text: "Keep this directory. The verdict comes from its history alone and can be repeated without a cluster:", Command: again},
			{Text: "Run the test again with the same seed: the schedule of faults will be the same, the timing only nearly so."},
			{Text: "The nodes’ own logs are in the folder nodes/."},
		}
	case check.Unknown:
		return "Unknown", "The checker could not decide within its limits. This is not a pass.", []advice{
			{Text: "Check again with more time and memory, on a machine that is not busy:", Command: again},
			{Text: "Or make the question easier: fewer --clients, a lower --rate, a shorter --time."},
		}
	case check.Invalid:
		return "Invalid", "The test itself failed, or was too quiet to mean anything. It says nothing about the cluster.", []advice{
			{Text: "Read the reason above, then the nodes’ logs in the folder nodes/."},
			{Text: "See whether this machine has all that a test needs:", Command: "squall doctor"},
			{Text: "Remove what a broken run may have left, then run it again:", Command: "squall clean"},
		}
	}
	return "No verdict", "results.json holds a verdict that this version does not know: " + string(r.results.Verdict),
		[]advice{{Text: "Check the run again:", Command: again}}
}

func factsOf(r *run, in measure.Input) []fact {
	h := in.Header
	facts := []fact{
		{"System", cmp.Or(h.System, r.plan.get("test", "system"))},
		{"Workload", cmp.Or(h.Workload, r.plan.get("test", "workload"))},
		{"Mutant", r.plan.get("test", "mutant")},
	}
	if len(h.Nodes) > 0 {
		facts = append(facts, fact{"Nodes", fmt.Sprintf("%d (%s)", len(h.Nodes), clip(strings.Join(h.Nodes, ", "), 80))})
	}
	seed := r.plan.get("test", "seed")
	if r.history != nil {
		seed = fmt.Sprint(h.Seed)
		facts = append(facts, fact{"Began", h.Wall.UTC().Format("2 January 2006, 15:04:05 UTC")},
			fact{"Took", durationOf(in)})
	}
	facts = append(facts, fact{"Runtime", r.env.get("runtime")}, fact{"Clocks", clockText(r.results.Clocks)})
	facts = append(facts, fact{"Seed", seed}, fact{"squall", cmp.Or(h.Squall, r.plan.get("squall"))})
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// clockText says how exact the times are that were not taken by the machines.
func clockText(c measure.Clocks) string {
	switch {
	case c.Compared == 0:
		return ""
	case c.One:
		return "one: the machines and squall share it"
	}
	return fmt.Sprintf("two: faults are within ±%s of the machines’ clock, by which operations and elections are timed",
		millisText(measure.Millis(float64(c.ErrorNs)/1e6)))
}

// durationOf is how long a test took, of which how much was load.
func durationOf(in measure.Input) string {
	end := measure.TestEnd(in)
	for _, m := range in.Marks {
		if m.Name == history.MarkDone {
			end = max(end, m.Time-in.Header.Mono)
		}
	}
	return fmt.Sprintf("%s s, %s s of it under load",
		plainNumber(round(float64(end)/1e9, 1)), plainNumber(round(measure.LoadWindow(in).Seconds(), 1)))
}

func cardsOf(res *check.Results, fig *figures) []card {
	ops, el := res.Ops, res.Elections
	cards := []card{
		{"Succeeded", count(ops.OK), fmt.Sprintf("of %s operations on %s", count(ops.Total), plural(int(ops.Keys), "key"))},
		{"Failed", count(ops.Fail), "certainly without effect"},
		{"Outcome unknown", count(ops.Info), "may have taken effect"},
		{"Throughput", rate(ops.Throughput) + "/s", fmt.Sprintf("over %s s of load", plainNumber(round(ops.LoadSeconds, 1)))},
	}
	if q := fig.latency; q.Count > 0 {
		cards = append(cards, card{"Median latency", millisText(q.P50), "99 % within " + millisText(q.P99)})
	} else {
		cards = append(cards, card{"Median latency", "–", "nothing to measure"})
	}
	cards = append(cards, card{"Leaders lost", count(int64(len(el.Losses))), plural(el.Count, "leader") + " elected"})
	if len(el.Losses) == 0 {
		return append(cards, card{"Time without leader", "–", "no leader was lost"}, card{"Unavailable", "–", "no leader was lost"})
	}
	return append(cards,
		card{"Time without leader", millisText(el.NoLeaderMedian), "median; longest " + millisText(el.NoLeaderMax)},
		card{"Unavailable to clients", millisText(el.UnavailableMedian), "median; longest " + millisText(el.UnavailableMax)})
}

func functionRows(ops measure.Ops) []functionRow {
	var rows []functionRow
	series := measure.Series{OK: map[history.Func][]int64{}}
	for f := range ops.ByFunc {
		series.OK[history.Func(f)] = nil
	}
	for _, f := range funcsOf(series) {
		o := ops.ByFunc[string(f)]
		q := o.Latency
		row := functionRow{Name: string(f), OK: count(o.OK), Fail: count(o.Fail), Info: count(o.Info), P50: "–", P90: "–", P99: "–", Max: "–"}
		if q.Count > 0 {
			row.P50, row.P90, row.P99, row.Max = millisText(q.P50), millisText(q.P90), millisText(q.P99), millisText(q.Max)
		}
		rows = append(rows, row)
	}
	return rows
}

func lossRows(e measure.Elections) []lossRow {
	var rows []lossRow
	for _, l := range e.Losses {
		row := lossRow{At: seconds(l.At), Node: l.Node, Term: l.Term, Cause: l.Cause, NewLeader: l.NewLeader,
			NewTerm: l.NewTerm, Elected: l.NewLeader != "", NoLeader: millisText(l.NoLeader), Unavailable: "–"}
		if !row.Elected {
			row.NoLeader = "at least " + row.NoLeader
		}
		if l.Unavailable > 0 {
			row.Unavailable = millisText(l.Unavailable)
		}
		rows = append(rows, row)
	}
	return rows
}

func faultRows(faults []measure.FaultRun) []faultRow {
	var rows []faultRow
	for _, f := range faults {
		row := faultRow{
			ID: f.ID, Kind: string(f.Class()), Name: strings.TrimSpace(f.Name + " " + f.Variant), Params: f.Params, Figures: headlines(f.Measured),
			Targets: strings.Join(f.Targets, ", "), Detail: f.Detail, At: seconds(f.Begin), Err: f.Err,
			Verified: f.Verified, Healed: f.Healed > 0, Proof: f.Proof, HealProof: f.HealProof,
		}
		if f.Bitten > 0 {
			row.Bite = millisText(measure.Millis(float64(f.Bitten-f.Begin) / 1e6))
		}
		if f.HealAt > 0 {
			row.Until = seconds(f.HealAt)
			row.Lasted = plainNumber(round(float64(f.HealAt-f.Begin)/1e9, 1)) + " s"
		}
		if f.Healed > 0 && f.HealAt > 0 {
			row.Mend = millisText(measure.Millis(float64(f.Healed-f.HealAt) / 1e6))
		}
		rows = append(rows, row)
	}
	return rows
}

func historyFacts(r *run) []fact {
	h := r.results.History
	facts := []fact{{"Records", count(h.Records)}, {"Size", byteCount(h.Bytes)}}
	if ops := r.results.Ops.Total; ops > 0 && h.Bytes > 0 {
		facts = append(facts, fact{"Per operation", fmt.Sprintf("%s bytes", plainNumber(round(float64(h.Bytes)/float64(ops), 1)))})
	}
	whole := "yes"
	if h.Truncated != "" {
		whole = "no: " + h.Truncated
	}
	return append(facts, fact{"Whole", whole})
}
