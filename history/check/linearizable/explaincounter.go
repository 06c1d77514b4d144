package linearizable

import (
	"fmt"

	"squall/history"
	"squall/history/check"
)

// explainCounter tells of a read whose number the adds cannot make: what they make at
// least and at most, and which one would explain it.
func explainCounter(v *violation[counted64]) explanation {
	if v.suspect.said.adds {
		return explanation{}
	}
	sum, low, high := int64(0), int64(0), int64(0)
	for i := range v.list {
		n := &v.list[i]
		switch {
		case !n.said.adds:
		case n.ret < v.suspect.call:
			sum += n.said.n
		default:
			low, high = low+min(n.said.n, 0), high+max(n.said.n, 0)
		}
	}
	found := v.suspect.said.n
	if found >= sum+low && found <= sum+high {
		return explanation{} // by itself it fits, and others speak against it
	}
	ex := explanation{kind: check.KindCount}
	wrong := fmt.Sprintf(", but the adds acknowledged before it was called make %d", sum)
	switch {
	case low == 0 && high == 0:
	case low == 0:
		wrong += fmt.Sprintf(", and those under way or of unknown outcome at most %d more", high)
	case high == 0:
		wrong += fmt.Sprintf(", and those under way or of unknown outcome at most %d less", -low)
	default:
		wrong += fmt.Sprintf(", and those under way or of unknown outcome at most %d less or %d more", -low, high)
	}
	more := ""
	if guess := v.failed(); !guess.none() {
		op := guess.beside[0]
		ex.kind, ex.beside = guess.kind, guess.beside
		more = fmt.Sprintf(` It fits if %s, took effect: %s answered that "failed" at %.3f s.`, v.called(op), history.Show(op.Node), v.f.seconds(op.Return))
	} else if low == 0 && high == 0 {
		if op, text := acknowledged(v, sum-found, "was lost"); op != nil {
			ex.kind, more = check.KindLost, text
			ex.beside = []*history.Op{op}
		} else if op, text := acknowledged(v, found-sum, "took effect twice"); op != nil {
			ex.kind, more = check.KindTwice, text
			ex.beside = []*history.Op{op}
		}
	}
	ex.sentence = v.sentence(wrong, more)
	return ex
}

// acknowledged tells that it would fit if an acknowledged add of a number had done
// something else; the operation is the last of them.
func acknowledged(v *violation[counted64], n int64, did string) (last *history.Op, text string) {
	count := 0
	for i := range v.list {
		if m := &v.list[i]; m.said.adds && m.said.n == n && m.ret < v.suspect.call {
			count++
			if last == nil || m.op.Return > last.Return {
				last = m.op
			}
		}
	}
	switch count {
	case 0:
		return nil, ""
	case 1:
		return last, fmt.Sprintf(" It fits if %s, %s.", v.called(last), did)
	}
	return last, fmt.Sprintf(" It fits if one of %d adds of %d %s.", count, n, did)
}
