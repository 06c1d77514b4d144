package reports

import (
	"bufio"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"unicode"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figures are drawn at twice the resolution of a screen.
const (
	sheetWidth = vg.Length(800) // points; 1600 pixels
	sheetDPI   = 144

	sizeTitle  = vg.Length(16)
	sizeText   = vg.Length(11)
	sizeSmall  = vg.Length(9.5)
	marginLeft = vg.Length(76)
	marginEdge = vg.Length(20)
)

// studio is what every figure is drawn with; figures may be drawn at the same
// time.
type studio struct {
	text   text.Handler
	dpi    int  // of the pictures
	vector bool // SVG, which has no resolution
}

func newStudio(dpi int) studio {
	return studio{text: text.Plain{Fonts: font.NewCache(liberation.Collection())}, dpi: dpi}
}

// sheet is a figure being drawn. Lengths are points, y grows upwards.
type sheet struct {
	draw.Canvas
	image  *vgimg.Canvas // nil: it is vector
	vector *vgsvg.Canvas
	theme  theme
	studio studio
	height vg.Length
}

func newSheet(height vg.Length, th theme, st studio) *sheet {
	s := &sheet{theme: th, studio: st, height: height}
	if st.vector {
		s.vector = vgsvg.New(sheetWidth, height)
		s.Canvas = draw.New(s.vector)
		s.fill(0, 0, sheetWidth, height, th.paper)
		return s
	}
	s.image = vgimg.NewWith(vgimg.UseWH(sheetWidth, height), vgimg.UseDPI(st.dpi), vgimg.UseBackgroundColor(th.paper))
	s.Canvas = draw.New(s.image)
	return s
}

// write encodes the figure as PNG, or as SVG when it is vector.
func (s *sheet) write(w io.Writer) error {
	if s.vector != nil {
		if _, err := s.vector.WriteTo(w); err != nil {
			return fmt.Errorf("encode the figure: %w", err)
		}
		return nil
	}
	b := bufio.NewWriter(w)
	enc := png.Encoder{CompressionLevel: png.DefaultCompression}
	if err := enc.Encode(b, s.image.Image()); err != nil {
		return fmt.Errorf("encode the figure: %w", err)
	}
	return b.Flush()
}

// lettering is how a text looks.
type lettering struct {
	size   vg.Length
	bold   bool
	color  color.Color
	x      text.XAlignment // of the text to its point
	y      text.YAlignment
	turned bool // reads upwards
}

func (s *sheet) style(l lettering) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: l.size}
	if l.bold {
		f.Weight = stdfont.WeightBold
	}
	st := text.Style{Color: l.color, Font: f, XAlign: l.x, YAlign: l.y, Handler: s.studio.text}
	if l.turned {
		st.Rotation = math.Pi / 2
	}
	return st
}

func (s *sheet) text(x, y vg.Length, txt string, l lettering) {
	s.FillText(s.style(l), vg.Point{X: x, Y: y}, drawable(txt))
}

// drawable replaces what no font has and no XML may hold.
func drawable(txt string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == 0xfffe || r == 0xffff {
			return unicode.ReplacementChar
		}
		return r
	}, txt)
}

func (s *sheet) widthOf(txt string, l lettering) vg.Length {
	l.turned = false
	st := s.style(l)
	return st.Width(drawable(txt))
}

// fit shortens a text until it is no wider than room.
func (s *sheet) fit(txt string, l lettering, room vg.Length) string {
	if s.widthOf(txt, l) <= room {
		return txt
	}
	runes := []rune(txt)
	for n := len(runes) - 1; n > 0; n-- {
		if short := string(runes[:n]) + "…"; s.widthOf(short, l) <= room {
			return short
		}
	}
	return ""
}

func (s *sheet) fill(x0, y0, x1, y1 vg.Length, c color.Color) {
	var p vg.Path
	p.Move(vg.Point{X: x0, Y: y0})
	p.Line(vg.Point{X: x1, Y: y0})
	p.Line(vg.Point{X: x1, Y: y1})
	p.Line(vg.Point{X: x0, Y: y1})
	p.Close()
	s.SetColor(c)
	s.Fill(p)
}

func (s *sheet) line(x0, y0, x1, y1, width vg.Length, c color.Color, dashes ...vg.Length) {
	s.StrokeLine2(draw.LineStyle{Color: c, Width: width, Dashes: dashes}, x0, y0, x1, y1)
}

func (s *sheet) frame(x0, y0, x1, y1, width vg.Length, c color.Color) {
	s.StrokeLines(draw.LineStyle{Color: c, Width: width}, []vg.Point{
		{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}, {X: x0, Y: y0},
	})
}
