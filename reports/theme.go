package reports

import (
	"image/color"

	"squall/history/measure"
)

// theme is the colours of a figure. They are those of the page in light, whose
// charts are drawn by scripts (assets/report.css).
type theme struct {
	paper, ink, muted, axis, grid, faint color.NRGBA
	band, strokes, hatched               uint8 // opacity of the fault bands, of their strokes, and of boxes with strokes
	funcs                                [otherLook + 1]color.NRGBA
	ok, fail, info                       color.NRGBA
	leader, leaderAlt, onLeader          color.NRGBA
	noLeader, unavailable, candidate     color.NRGBA
}

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

func withAlpha(c color.NRGBA, a uint8) color.NRGBA {
	c.A = a
	return c
}

// The colours of what is measured are Okabe and Ito's, which people with any
// kind of colour vision tell apart.

func lightTheme() theme {
	return theme{
		paper: rgb(0xffffff), ink: rgb(0x1b2128), muted: rgb(0x566270),
		axis: rgb(0x8b96a3), grid: rgb(0xe3e7ec), faint: rgb(0xf3f5f7), band: 90, strokes: 95, hatched: 190,
		funcs: [...]color.NRGBA{rgb(0x0072b2), rgb(0xc67c00), rgb(0x00805c), rgb(0xb0568a), otherLook: rgb(0x6b5b95)},
		ok:    rgb(0x0072b2), fail: rgb(0xc8320a), info: rgb(0x8a1c7c),
		leader: rgb(0x22577a), leaderAlt: rgb(0x38847f), onLeader: rgb(0xffffff),
		noLeader: rgb(0x1b2128), unavailable: rgb(0x8a1c7c), candidate: rgb(0xc04a00),
	}
}

// bandColor is the colour of a class of faults.
func bandColor(c measure.FaultClass) color.NRGBA { return rgb(c.Color()) }

// edge is a band's colour, strong enough for a thin line.
func edge(c color.NRGBA) color.NRGBA {
	return color.NRGBA{R: uint8(int(c.R) * 7 / 10), G: uint8(int(c.G) * 7 / 10), B: uint8(int(c.B) * 7 / 10), A: 255}
}
