package faults

import (
	"testing"
	"time"

	"squall/history"
	"squall/nemesis"
)

// TestARoundTripThatNobodyMadeIsNoFigure: echoes that come too late leave the way
// there measured, and the way back without a figure; it is not one of 0 ms.
func TestARoundTripThatNobodyMadeIsNoFigure(t *testing.T) {
	flows := map[history.Link]nemesis.Flow{
		{From: "n1", To: "n2"}: {Sent: 20, Received: 20, OneWay: 25 * time.Millisecond, RoundTrip: 51 * time.Millisecond},
		{From: "n2", To: "n1"}: {Sent: 20, Received: 20, OneWay: 26 * time.Millisecond},
	}
	measured, wrong := holdAgainst(flows, delayed(25*time.Millisecond, 0))
	if len(wrong) > 0 {
		t.Errorf("a proof that is whole is refused: %q", wrong)
	}
	figures := map[string]int{}
	for _, m := range measured {
		figures[m.What]++
		if m.Value == 0 {
			t.Errorf("%s on %s is 0 ms", m.What, m.Where)
		}
	}
	if figures["one way"] != 2 || figures["round trip"] != 1 {
		t.Errorf("the figures are %v", figures)
	}
	flows[history.Link{From: "n2", To: "n1"}] = nemesis.Flow{Sent: 20}
	if _, wrong := holdAgainst(flows, delayed(25*time.Millisecond, 0)); len(wrong) != 1 {
		t.Errorf("of a link where nothing arrived it says %q", wrong)
	}
}
