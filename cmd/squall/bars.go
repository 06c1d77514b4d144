package main

import (
	"io"
	"os"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"squall/internal/plain"
)

// board prints lines and, on a terminal, a bar below them.
type board struct {
	out  io.Writer
	bars *mpb.Progress // nil: no terminal that can

	mu  sync.Mutex
	bar *mpb.Bar
}

func newBoard(out io.Writer) *board {
	b := &board{out: out}
	if f := terminal(out); f != nil && os.Getenv("TERM") != "dumb" {
		b.bars = mpb.New(mpb.WithOutput(f), mpb.WithAutoRefresh())
	}
	return b
}

// hasBar reports whether there is a terminal for a bar.
func (b *board) hasBar() bool { return b.bars != nil }

// print prints whole lines, which package plain made safe, above the bar.
func (b *board) print(text string) {
	if b.bars != nil {
		if _, err := io.WriteString(b.bars, painted(b.out, text)); err == nil {
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = io.WriteString(b.out, text)
}

// barWidth is how wide a bar is, and leastBar how much of it stands before a long text.
const (
	barWidth = 24
	leastBar = 12
)

// set moves the bar to a share of the whole, from 0 to 1. A text that may change stands
// behind it. It stands from the first call on, and without a terminal there is none.
func (b *board) set(share float64, behind func() string) {
	const whole = 10_000
	if b.bars == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar == nil {
		b.bar = b.bars.New(whole, mpb.BarStyle().Rbound("] ").Tip("█").Filler("█").Padding("·"), mpb.BarWidth(barWidth), mpb.BarRemoveOnComplete(), b.decorated(behind))
	}
	b.bar.SetCurrent(int64(min(share, 0.9999) * whole)) // the whole would end it
}

// spin has a text that may change stand below the lines, where no share is known.
func (b *board) spin(behind func() string) {
	if b.bars == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bar = b.bars.New(0, mpb.SpinnerStyle(), b.decorated(behind))
}

func (b *board) decorated(behind func() string) mpb.BarOption {
	return mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string {
		return painted(b.out, fitted(behind(), s.AvailableWidth-leastBar))
	}))
}

// fitted is a text that has styles as far as it fits.
func fitted(text string, columns int) string {
	if plain.Width(text) <= columns {
		return text
	}
	return plain.Fit(plain.Unstyled(text), columns)
}

// end takes the bar away, and waits until nothing is drawn any more.
func (b *board) end() {
	b.mu.Lock()
	bar := b.bar
	b.mu.Unlock()
	if bar != nil {
		bar.Abort(true)
	}
	if b.bars != nil {
		b.bars.Wait()
	}
}

// terminal is the terminal behind out, nil where there is none. What is written
// to it directly, with escape sequences, is made of texts that package plain made
// safe.
func terminal(out io.Writer) *os.File {
	f, ok := behind(out).(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// behind is what out writes to once it has made everything safe.
func behind(out io.Writer) io.Writer {
	if w, ok := out.(*plain.Writer); ok {
		return w.Under()
	}
	return out
}
