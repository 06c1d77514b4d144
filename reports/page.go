package reports

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

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
	About     []fact // of the run, in one line
	Facts     []fact
	Notices   []string
	Cards     []card
	Findings  []finding
	Lead      *finding   // whose picture stands at the top; nil: none
	Checks    []checkRow // that did not pass
	Passed    []checkRow
	Crash     string // a relative link to the page of crash states; "": there is none
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
// with more. Of effects, each a table of its own that unfolds, it has mostEffects.
const (
	mostRows    = 5000
	mostEffects = 400
)

// firstOf is as much of a list as a table has room for; a notice says so. The list
// of the results may itself have only the first of so many as there were in all.
func firstOf[T any](p *page, what string, list []T, all, most int) []T {
	if all <= most {
		return list
	}
	where := "all are in " + resultsFile
	if len(list) < all {
		where = fmt.Sprintf("%s has the first %s, %s all", resultsFile, number.Count(len(list)), historyFile)
	}
	p.Notices = append(p.Notices, fmt.Sprintf("The table of %s has the first %s of %s; %s.", what, number.Count(most), number.Count(all), where))
	return list[:min(len(list), most)]
}

func newPage(r *run, fig *figures) page {
	res := r.results
	p := page{
		Verdict:    string(res.Verdict),
		Tone:       string(res.Verdict),
		Reasons:    clipAll(res.Reasons),
		Command:    plain.Clip(repeatable(r.plan.get("command")), 4*maxShownText),
		Test:       cmp.Or(r.history.Test, r.plan.get("test", "name"), "unnamed test"),
		About:      about(r),
		Crash:      pictureLink(r.dir, CrashFile),
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
	losses.Losses = firstOf(&p, "leaders lost", losses.Losses, losses.Lost(), mostRows)
	p.NoTrace = losses.NoTrace
	p.Losses, p.Faults = lossRows(losses), faultRows(firstOf(&p, "faults", res.Faults, len(res.Faults), mostRows))
	p.thinProofs(res)
	p.Effects = effectRows(firstOf(&p, "effects of faults", res.Effects, len(res.Effects), mostEffects), res.Faults, measure.LoadWindow(r.history).Begin)
	p.Headline, p.Meaning, p.Next = verdictWords(r)
	p.lead()
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
		if c.Verdict == check.Pass {
			p.Passed = append(p.Passed, row)
		} else {
			p.Checks = append(p.Checks, row)
		}
	}
	if r.historyErr == nil {
		p.Figures, p.Classes = painters(), faultClasses(fig.faults)
		p.Shapes = shapesText(fig)
		p.Charts, _ = dataBlock(newCharts(fig)) // of plain numbers and texts: it cannot fail
		p.Dots = dotsText(fig.cloud)
	}
	return p
}

// dotsText says what the chart of latencies does not show as it is.
func dotsText(c cloud) string {
	var parts []string
	if len(c.dots) < c.total {
		parts = append(parts, fmt.Sprintf("%s of %s operations are drawn: where many overlap, one stands for them. All outliers are drawn.",
			number.Count(len(c.dots)), number.Count(c.total)))
	}
	if low, below := c.floor(); below {
		parts = append(parts, fmt.Sprintf("What took less than %s stands at the lower edge.", number.Millis(measure.Millis(low))))
	}
	return strings.Join(parts, " ")
}

// lead puts the picture of the violation that the first sentence tells of right under
// it. What the page says there it does not say again as a reason.
func (p *page) lead() {
	for i := range p.Findings {
		f := &p.Findings[i]
		if f.Verdict != string(check.Violation) || f.Timeline == nil || p.Lead != nil && (p.Lead.Explanation != "" || f.Explanation == "") {
			continue
		}
		p.Lead = f
	}
	if p.Lead == nil {
		return
	}
	p.Lead.Led = true
	p.Reasons = slices.DeleteFunc(p.Reasons, func(reason string) bool {
		return slices.ContainsFunc(p.Findings, func(f finding) bool { return reason == f.Name+": "+f.Summary })
	})
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
