package reports

import (
	"image/color"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"

	"squall/history"
	"squall/internal/plain"
)

// funcLook is the colour, the strokes and the shape of a function: which of them, goes
// by its place in the header of the history, from 0 on. Those that come late there, or
// not at all, share one look.
type funcLook int

const otherLook funcLook = 4

func lookOf(does history.Functions, f history.Func) funcLook {
	if i := does.Index(f); i >= 0 && i < int(otherLook) {
		return funcLook(i)
	}
	return otherLook
}

// class is what the page's style and scripts call the look: f0 to f4.
func (l funcLook) class() string { return "f" + strconv.Itoa(int(l)) }

// shapeText is the shape for people.
func (l funcLook) shapeText() string { return [...]string{"●", "▲", "■", "◆", "◆"}[l] }

// strokeOf gives each function a colour and a rhythm of its own.
func (t theme) strokeOf(l funcLook) stroke {
	dashes := [...][]vg.Length{nil, {5, 2}, {1.6, 1.6}, {7, 2, 1.6, 2}, {3, 3}}
	return stroke{color: t.colorOf(l), width: 1.5, dashes: dashes[l]}
}

func (t theme) colorOf(l funcLook) color.NRGBA { return t.funcs[l] }

// inOrder are functions in the order of the header, and then by name.
func inOrder(does history.Functions, funcs []history.Func) []history.Func {
	rank := func(f history.Func) int {
		if i := does.Index(f); i >= 0 {
			return i
		}
		return len(does)
	}
	slices.SortFunc(funcs, func(a, b history.Func) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	return funcs
}

// shapesText tells the shapes of the functions that occur: "● read ▲ write".
func shapesText(fig *figures) string {
	var parts []string
	for _, f := range funcsSeen(fig.does, fig.cloud.dots) {
		if l := lookOf(fig.does, f); l != otherLook {
			parts = append(parts, l.shapeText()+" "+plain.Clip(string(f), maxName))
		} else if text := l.shapeText() + " other"; !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, " ")
}
