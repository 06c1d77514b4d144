package reports

import (
	"fmt"
	"strings"

	"squall/history"
	"squall/history/check"
	"squall/history/gate"
	"squall/history/measure"
	"squall/internal/number"
	"squall/internal/plain"
)

// maxShownText bounds every text from a run that stands on the page, in bytes: a key
// may be a megabyte long.
const maxShownText = 2000

// clipAll cuts texts, and says how many more there are than fit.
func clipAll(texts []string) []string {
	const most = 40
	var out []string
	for i, s := range texts {
		if i == most {
			return append(out, fmt.Sprintf("… and %d more, in %s", len(texts)-most, resultsFile))
		}
		out = append(out, plain.Clip(s, maxShownText))
	}
	return out
}

type functionRow struct{ Name, OK, Fail, Info, P50, P90, P99, Max string }

type lossRow struct {
	At, Link, Node, Cause, NewLeader, NoLeader, Unavailable string
	Detection, Election                                     string
	Clients, OfClients                                      string // the median of the clients; the worst, and of how many
	Term, NewTerm, Terms                                    uint64
	Rounds, SplitVotes                                      int
	Elected                                                 bool
}

type faultRow struct {
	ID                                     int
	Kind, Name, Targets, Detail, At, Until string
	Lasted, Err, Lapsed                    string
	Aim                                    string // by how much it missed the moment that it was aimed at
	Verified, Healed                       bool
	Bite, Mend                             string // how long it took to take effect, and to heal
	Params, Zoom, Link                     string
	Figures                                []string // what shows how hard it hit
	Proof, HealProof                       []string
}

type thresholdRow struct{ Text, Why string }

// addThresholds puts the thresholds that were missed at the top of the page.
func (p *page) addThresholds(res *check.Results) {
	for _, t := range res.Thresholds {
		row := thresholdRow{plain.Clip(t.Text, maxShownText), plain.Clip(t.Why, maxShownText)}
		switch {
		case t.NoData:
			p.NoData = append(p.NoData, row)
		case t.Met:
			p.Met = append(p.Met, row)
		default:
			p.Missed = append(p.Missed, row)
		}
	}
	if n := len(p.NoData); n > 0 {
		p.Notices = append(p.Notices, plural(n, "threshold")+" had no data, and could not have been missed; see the end of the page.")
	}
	if len(p.Missed) > 0 && res.Verdict == check.Pass {
		p.Tone = "threshold"
		were := "was"
		if len(p.Missed) > 1 {
			were = "were"
		}
		p.Headline = fmt.Sprintf("Pass, but %s %s missed", plural(len(p.Missed), "threshold"), were)
		p.Meaning = "The cluster kept every guarantee that was checked, but not the bounds below."
	}
}

func functionRows(ops measure.Ops) []functionRow {
	var rows []functionRow
	var does history.Functions
	for _, name := range gate.Operations([]*check.Results{{Ops: ops}}) {
		does = append(does, history.Function{Name: history.Func(name)})
	}
	var funcs []history.Func
	for f := range ops.ByFunc {
		funcs = append(funcs, history.Func(f))
	}
	for _, f := range inOrder(does, funcs) {
		o := ops.ByFunc[string(f)]
		q := o.Latency
		row := functionRow{Name: plain.Clip(string(f), maxName), OK: number.Count(o.OK), Fail: number.Count(o.Fail), Info: number.Count(o.Info), P50: "–", P90: "–", P99: "–", Max: "–"}
		if q.Count > 0 {
			row.P50, row.P90, row.P99, row.Max = number.Millis(q.P50), number.Millis(q.P90), number.Millis(q.P99), number.Millis(q.Max)
		}
		rows = append(rows, row)
	}
	return rows
}

func lossRows(e measure.Elections) []lossRow {
	var rows []lossRow
	for _, l := range e.Losses {
		row := lossRow{At: seconds(l.At), Link: momentLink(l.At), Node: plain.Clip(l.Node, maxName), Term: l.Term, Cause: plain.Clip(l.Cause, maxShownText), NewLeader: plain.Clip(l.NewLeader, maxName),
			Detection: "–", Election: "–", Clients: "–", Rounds: l.Rounds, SplitVotes: l.SplitVotes, Terms: l.Terms,
			NewTerm: l.NewTerm, Elected: l.NewLeader != "", NoLeader: number.Millis(l.NoLeader), Unavailable: "–"}
		if !row.Elected {
			row.NoLeader = "at least " + row.NoLeader
		}
		if l.Candidate != "" {
			row.Detection = number.Millis(l.Detection)
			if row.Elected {
				row.Election = number.Millis(l.Election)
			}
		}
		if l.Clients.Count > 0 {
			row.Clients = number.Millis(l.Clients.Median)
			row.OfClients = fmt.Sprintf("worst of %d: %s", l.Clients.Count, number.Millis(l.Clients.Max))
		}
		if l.Unavailable > 0 {
			row.Unavailable = number.Millis(l.Unavailable)
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
			Targets: plain.Clip(strings.Join(f.Targets, ", "), maxShownText), Detail: plain.Clip(f.Detail, maxShownText), At: seconds(f.Begin), Err: plain.Clip(f.Err, maxShownText),
			Verified: f.Verified, Healed: f.Healed > 0, Proof: clipAll(f.Proof), HealProof: clipAll(f.HealProof), Link: momentLink(f.Begin),
			Lapsed: plain.Clip(f.Lapsed, maxShownText),
		}
		row.Name, row.Params = plain.Clip(row.Name, maxShownText), plain.Clip(row.Params, maxShownText)
		row.Zoom = zoomOf(&f)
		if f.Aim != nil {
			row.Aim = plain.Clip(f.Aim.Text, maxShownText)
		}
		if f.Bitten > 0 {
			row.Bite = number.Millis(measure.Millis(float64(f.Bitten-f.Begin) / 1e6))
		}
		if f.HealAt > 0 {
			row.Until = seconds(f.HealAt)
			row.Lasted = number.Decimals(float64(f.HealAt-f.Begin)/1e9, 1) + " s"
		}
		if f.Healed > 0 && f.HealAt > 0 {
			row.Mend = number.Millis(measure.Millis(float64(f.Healed-f.HealAt) / 1e6))
		}
		rows = append(rows, row)
	}
	return rows
}

// zoomOf is the time of a fault for the charts, which zoom to it: two times in s.
func zoomOf(f *measure.FaultRun) string {
	return fmt.Sprintf("%.6f,%.6f", float64(f.Begin)/1e9, float64(max(f.Healed, f.HealAt, f.Begin+1e9))/1e9)
}
