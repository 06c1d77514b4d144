package check

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"squall/history"
)

// describe says in one line what an operation did: "write(k) ← 17".
func describe(op *history.Op) string {
	var text string
	key := show(op.Key)
	switch op.Func {
	case history.Read:
		if op.Outcome == history.OK {
			return fmt.Sprintf("read(%s) → %s", key, showValue(op.Result))
		}
		text = fmt.Sprintf("read(%s)", key)
	case history.Write:
		text = fmt.Sprintf("write(%s) ← %s", key, showValue(op.Value))
	case history.CAS:
		text = fmt.Sprintf("cas(%s) %s→%s", key, showValue(op.Expect), showValue(op.Value))
		if op.Outcome == history.OK && !op.Swapped {
			return text + ": found " + showValue(op.Result)
		}
	default:
		text = fmt.Sprintf("%s(%s)", op.Func, key)
	}
	switch op.Outcome {
	case history.Fail:
		return text + ": failed"
	case history.Info:
		return text + ": outcome unknown"
	}
	return text
}

func showValue(v history.Value) string {
	if !v.Present {
		return "nothing"
	}
	return show(v.Data)
}

// show gives a key or value as it is when that is plain and short, quoted and
// shortened when it is not.
func show(s string) string {
	const limit = 40
	odd := func(r rune) bool {
		return r == utf8.RuneError || r == '"' || !unicode.IsGraphic(r) || unicode.IsSpace(r)
	}
	if s != "" && s != "nothing" && len(s) <= limit && strings.IndexFunc(s, odd) < 0 {
		return s
	}
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}
