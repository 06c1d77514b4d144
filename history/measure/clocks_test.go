package measure

import (
	"testing"

	"squall/history"
)

func TestClocks(t *testing.T) {
	mark := func(offset, bound int64) history.Mark {
		return history.Mark{Name: history.MarkClock, Clock: &history.Clock{Offset: offset, Error: bound}}
	}
	other := history.Mark{Name: history.MarkUp}
	for name, c := range map[string]struct {
		marks []history.Mark
		want  Clocks
	}{
		"an older history":      {[]history.Mark{other}, Clocks{}},
		"one clock":             {[]history.Mark{other, mark(0, 0)}, Clocks{One: true, Compared: 1}},
		"two":                   {[]history.Mark{mark(9e12, 300)}, Clocks{OffsetNs: 9e12, ErrorNs: 300, Compared: 1}},
		"two that drift apart":  {[]history.Mark{mark(-5000, 300), other, mark(-5900, 200)}, Clocks{OffsetNs: -5000, ErrorNs: 1100, Compared: 2}},
		"a poor second reading": {[]history.Mark{mark(5000, 300), mark(5100, 2000)}, Clocks{OffsetNs: 5000, ErrorNs: 2100, Compared: 2}},
	} {
		if got := clocks(&history.History{Marks: c.marks}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
