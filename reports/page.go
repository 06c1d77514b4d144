package reports

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
)

// page is what the template shows. Everything in it that comes from a run is
// plain text, which the template escapes.
type page struct {
	Verdict   string
	Tone      string // the class that colours it: the verdict, or "threshold"
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
	Missed    []thresholdRow
	Met       []thresholdRow
	NoData    []thresholdRow
	Charts    template.JS // data of the charts; "" without a history
	Shapes    string      // of the functions in the chart of latencies
	Dots      string      // what the chart of latencies leaves out
	Figures   []painter
	Classes   []measure.FaultClass
	Effects   []effectRow
	Losses    []lossRow
	NoTrace   bool   // who led is not known
	Summary   string // of the losses
	Faults    []faultRow
	Functions []functionRow
	History   []fact
	Env       []fact
	Host      []fact
	Plan      string
	// Situations is nil without a trace.
	Situations *situationTable
}

type fact struct{ Name, Value string }

// card is one figure that matters, and what goes with it.
type card struct{ Title, Value, Detail string }

type checkRow struct {
	Name, Verdict, Summary, Took string
	Stats                        []fact
}

// mostRows is how many rows a table of the report has at most: a browser is slow
// with more.
const mostRows = 5000

// firstOf is as much of a list as a table has room for; a notice says so. The list
// of the results may itself have only the first of so many as there were in all.
func firstOf[T any](p *page, what string, list []T, all int) []T {
	if all <= mostRows {
		return list
	}
	where := "all are in " + resultsFile
	if len(list) < all {
		where = fmt.Sprintf("%s has the first %s, %s all", resultsFile, number.Count(len(list)), historyFile)
	}
	p.Notices = append(p.Notices, fmt.Sprintf("The table of %s has the first %s of %s; %s.", what, number.Count(mostRows), number.Count(all), where))
	return list[:min(len(list), mostRows)]
}

func newPage(r *run, fig *figures) page {
	res := r.results
	p := page{
		Verdict:    string(res.Verdict),
		Tone:       string(res.Verdict),
		Reasons:    clipAll(res.Reasons),
		Command:    plain.Clip(repeatable(r.plan.get("command")), 4*maxShownText),
		Test:       cmp.Or(r.history.Test, r.plan.get("test", "name"), "unnamed test"),
		Facts:      factsOf(r),
		Cards:      cardsOf(res, fig),
		Functions:  functionRows(res.Ops),
		Findings:   findingsOf(r, fig),
		History:    historyFacts(r),
		Host:       hostFacts(r),
		Env:        flatten(r.env.fields),
		Plan:       plain.Clip(r.plan.text, 100_000),
		Situations: newSituationTable(res.Situations),
	}
	p.Test = plain.Clip(p.Test, maxShownText)
	losses := res.Elections
	losses.Losses = firstOf(&p, "leaders lost", losses.Losses, losses.Lost())
	p.NoTrace = losses.NoTrace
	p.Losses, p.Faults = lossRows(losses), faultRows(firstOf(&p, "faults", res.Faults, len(res.Faults)))
	p.thinProofs(res)
	p.Effects = effectRows(firstOf(&p, "effects of faults", res.Effects, len(res.Effects)))
	p.Headline, p.Meaning, p.Next = verdictWords(r)
	p.addThresholds(res)
	if busy := r.env.get("load", "overloaded"); busy != "" {
		p.Notices = append(p.Notices, plain.Clip("The host was overloaded: "+busy+". Elections and latencies may be its own and not the cluster's.", maxShownText))
	}
	if len(fig.undrawn) > 0 {
		p.Notices = append(p.Notices, "The charts and figures draw the first "+strings.Join(fig.undrawn, ", ")+".")
	}
	p.addShortened(r.env.list("logsShortened"))
	if res.Stopped != "" {
		p.Headline += ", " + plain.Clip(res.Stopped, maxShownText)
		p.Meaning += " This covers only the part of the test that ran."
	}
	for _, n := range []string{r.plan.trouble, r.env.trouble} {
		if n != "" {
			p.Notices = append(p.Notices, n)
		}
	}
	if r.historyErr != nil {
		p.Notices = append(p.Notices, r.historyErr.Error())
	} else if cut := res.History.Truncated; cut != "" {
		p.Notices = append(p.Notices, "The history is incomplete: "+cut+". Everything below describes what is left.")
	}
	for _, c := range res.Checks {
		row := checkRow{Name: plain.Clip(c.Name, maxShownText), Verdict: string(c.Verdict), Summary: plain.Clip(c.Told(), maxShownText),
			Took: number.Millis(measure.Millis(c.Seconds * 1000))}
		for _, k := range slices.Sorted(maps.Keys(c.Stats)) {
			row.Stats = append(row.Stats, fact{k, number.Decimals(c.Stats[k], 3)})
		}
		p.Checks = append(p.Checks, row)
	}
	if r.historyErr == nil {
		p.Figures, p.Classes = painters(), faultClasses(fig.faults)
		p.Shapes = shapesText(fig)
		p.Charts, _ = dataBlock(newCharts(fig)) // of plain numbers and texts: it cannot fail
		if c := fig.cloud; len(c.dots) < c.total {
			p.Dots = fmt.Sprintf("%s of %s operations are drawn: where many overlap, one stands for them. All outliers are drawn.",
				number.Count(len(c.dots)), number.Count(c.total))
		}
	}
	return p
}

// addShortened says which logs have a beginning and an end only.
func (p *page) addShortened(machines []string) {
	if len(machines) == 0 {
		return
	}
	text := fmt.Sprintf("The log of %s is too long to be kept whole: nodes/%[1]s/server.log", machines[0])
	if len(machines) > 1 {
		text = fmt.Sprintf("The logs of %s are too long to be kept whole: nodes/*/server.log", strings.Join(machines, ", "))
	}
	p.Notices = append(p.Notices, plain.Clip(text+" has the beginning and the end, and says between them how much is missing.", maxShownText))
}

// mostProof bounds the proofs in the table of faults, in bytes.
const mostProof = 2 << 20

// thinProofs leaves out the proofs of faults for which the page has no room, and
// says from which on.
func (p *page) thinProofs(res *check.Results) {
	room, shown := mostProof, 0
	for i := range p.Faults {
		row := &p.Faults[i]
		for _, text := range slices.Concat(row.Proof, row.HealProof) {
			room -= len(text)
		}
		if room < 0 {
			row.Proof, row.HealProof = nil, nil
			continue
		}
		shown = i + 1
	}
	switch {
	case shown < len(p.Faults):
		p.Notices = append(p.Notices, fmt.Sprintf("The proofs of the faults after the first %s are left out here; %s holds them.", number.Count(shown), historyFile))
	case res.Thin:
		p.Notices = append(p.Notices, fmt.Sprintf("The proofs of the faults after the first %s are in %s only.", number.Count(check.MostProofs), historyFile))
	}
}

// advice is something to do, and the command that does it, if one does.
type advice struct{ Text, Command string }

// verdictWords says what a verdict is called, what it means and what to do.
func verdictWords(r *run) (headline, meaning string, next []advice) {
	again := "squall check " + r.dir
	switch r.results.Verdict {
	case check.Pass:
		return "Pass", "The cluster kept every guarantee that was checked.", []advice{
			{Text: "One storm is one sample: try other seeds, or a longer --time."},
		}
	case check.Violation:
		return "Violation", "The cluster broke a guarantee.", []advice{
			{Text: "Look at the operations or events below: the smallest set found that no correct cluster could produce."},
			{Text: "Keep this directory. The verdict depends only on its history, and you can check it again without a cluster:", Command: again},
			{Text: "Run the test again with the same seed: the faults will be the same, the timing only nearly."},
			{Text: "The nodes’ own logs are in the folder nodes/."},
		}
	case check.Unknown:
		return "Unknown", "The checker could not decide within its limits. This is not a pass.", []advice{
			{Text: "Check again with more time and memory, on a machine that is not busy:", Command: again},
			{Text: "Or make it easier to check: fewer --clients, a lower --rate, a shorter --time."},
		}
	case check.Invalid:
		return "Invalid", "The test itself failed, or was too quiet to mean anything. It says nothing about the cluster.", []advice{
			{Text: "Read the reason above, then the nodes’ logs in the folder nodes/."},
			{Text: "Check whether this machine has everything that a test needs:", Command: "squall doctor"},
			{Text: "Remove what killed runs left behind (runs in progress are not touched), then run it again:", Command: "squall clean"},
		}
	}
	return "No verdict", "results.json holds a verdict that this version does not know: " + string(r.results.Verdict),
		[]advice{{Text: "Check the run again:", Command: again}}
}

func factsOf(r *run) []fact {
	h := r.history.Header
	facts := []fact{
		{"System", cmp.Or(h.System, r.plan.get("test", "system"))},
		{"Workload", cmp.Or(h.Workload, r.plan.get("test", "workload"))},
		{"Mutant", r.plan.get("test", "mutant")},
	}
	if len(h.Nodes) > 0 {
		facts = append(facts, fact{"Nodes", fmt.Sprintf("%d (%s)", len(h.Nodes), plain.Clip(strings.Join(h.Nodes, ", "), 80))})
	}
	seed := r.plan.get("test", "seed")
	if r.historyErr == nil {
		seed = fmt.Sprint(h.Seed)
		facts = append(facts, fact{"Began", h.Wall.UTC().Format("2 January 2006, 15:04:05 UTC")},
			fact{"Took", durationOf(r.history)})
	}
	facts = append(facts, fact{"Runtime", r.env.get("runtime")}, fact{"Clocks", clockText(r.results.Clocks)})
	facts = append(facts, fact{"Seed", seed}, fact{"squall", cmp.Or(h.Squall, r.plan.get("squall"))})
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// hostFacts are what was seen of the computer that the test ran on.
func hostFacts(r *run) []fact {
	facts := []fact{
		{"Before the test", plain.Clip(r.env.get("load", "words", "before"), maxShownText)},
		{"During the test", plain.Clip(r.env.get("load", "words", "during"), maxShownText)},
		{"Overloaded", plain.Clip(r.env.get("load", "overloaded"), maxShownText)},
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// clockText says how exact the times are that were not taken by the machines.
func clockText(c measure.Clocks) string {
	switch {
	case c.Compared == 0:
		return ""
	case c.One:
		return "one clock, shared by the machines and squall"
	}
	return fmt.Sprintf("two clocks: times of faults are within ±%s of the machines’ clock, which operations and elections use",
		number.Millis(measure.Millis(float64(c.ErrorNs)/1e6)))
}

// durationOf is how long a test took, of which how much was load.
func durationOf(h *history.History) string {
	end := measure.TestEnd(h)
	for _, m := range h.Marks {
		if m.Name == history.MarkDone {
			end = max(end, m.Time-h.Mono)
		}
	}
	return fmt.Sprintf("%s s, %s s of it under load",
		number.Decimals(float64(end)/1e9, 1), number.Decimals(measure.LoadWindow(h).Seconds(), 1))
}

func cardsOf(res *check.Results, fig *figures) []card {
	ops, el := res.Ops, res.Elections
	of := fmt.Sprintf("of %s operations", number.Count(ops.Total))
	if ops.Keys > 0 { // transactions name theirs in their data
		of += " on " + plural(int(ops.Keys), "key")
	}
	cards := []card{
		{"Succeeded", number.Count(ops.OK), of},
		{"Failed", number.Count(ops.Fail), "certainly without effect"},
		{"Outcome unknown", number.Count(ops.Info), "may have taken effect"},
		{"Throughput", number.Rate(ops.Throughput), fmt.Sprintf("over %s s of load", number.Decimals(ops.LoadSeconds, 1))},
	}
	if q := fig.latency; q.Count > 0 {
		cards = append(cards, card{"Median latency", number.Millis(q.P50), "99 % within " + number.Millis(q.P99)})
	} else {
		cards = append(cards, card{"Median latency", "–", "no data"})
	}
	if el.Logged != nil {
		return append(cards, card{"Leaders, from logs", number.Count(el.Logged.Leaders), number.Count(el.Logged.Candidates) + " times a node stood for election; no trace, so nothing is timed"})
	}
	if el.NoTrace {
		return append(cards, card{"Leaders lost", "–", "no trace: who led is not known"})
	}
	cards = append(cards, card{"Leaders lost", number.Count(el.Lost()), plural(el.Count, "leader") + " elected"})
	if len(el.Losses) == 0 {
		return append(cards, card{"Time without leader", "–", "no leader was lost"}, card{"Unavailable", "–", "no leader was lost"})
	}
	return append(cards, spreadCard("Time without leader", el.NoLeaderMedian, el.NoLeaderMax, el.Lost()),
		spreadCard("Unavailable to clients", el.UnavailableMedian, el.UnavailableMax, el.Lost()))
}

// spreadCard is a median and the longest, or the one figure that there is.
func spreadCard(title string, median, most measure.Millis, samples int) card {
	switch {
	case samples == 1:
		return card{title, number.Millis(most), "at the one loss"}
	case median == most:
		return card{title, number.Millis(most), "at each loss"}
	}
	return card{title, number.Millis(median), "median; longest " + number.Millis(most)}
}

func historyFacts(r *run) []fact {
	h := r.results.History
	facts := []fact{{"Records", number.Count(h.Records)}, {"Size", number.Bytes(h.Bytes)}}
	if ops := r.results.Ops.Total; ops > 0 && h.Bytes > 0 {
		facts = append(facts, fact{"Per operation", fmt.Sprintf("%s bytes", number.Decimals(float64(h.Bytes)/float64(ops), 1))})
	}
	whole := "yes"
	if h.Truncated != "" {
		whole = "no: " + h.Truncated
	}
	return append(facts, fact{"Whole", whole})
}
