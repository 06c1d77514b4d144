package reports

import (
	"fmt"

	"squall/history/check"
	"squall/history/measure"
	"squall/internal/number"
)

// cardsOf are the figures that matter, an even number of them: they stand in rows
// without holes.
func cardsOf(res *check.Results, fig *figures) []card {
	ops, el := res.Ops, res.Elections
	of := "of " + plural(int(ops.Total), "operation")
	share := func(n int64, then string) string {
		if ops.Total == 0 {
			return then
		}
		return shareText(n, ops.Total) + then
	}
	if ops.Keys > 0 { // transactions name theirs in their data
		of += " on " + plural(int(ops.Keys), "key")
	}
	cards := []card{
		{"Succeeded", number.Count(ops.OK), share(ops.OK, " ") + of},
		{"Failed", number.Count(ops.Fail), share(ops.Fail, ", ") + "certainly without effect"},
		{"Outcome unknown", number.Count(ops.Info), share(ops.Info, ", ") + "may have taken effect"},
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
		return cards
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

// shareText is a part of a whole in percent: "99.4 %". What is neither nothing nor
// all is not written as if it were.
func shareText(part, whole int64) string {
	percent := 100 * float64(part) / float64(whole)
	switch text := number.Decimals(percent, 1); {
	case part > 0 && percent < 0.1:
		return "< 0.1 %"
	case part < whole && percent > 99.9:
		return "> 99.9 %"
	default:
		return text + " %"
	}
}
