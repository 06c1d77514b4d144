package main

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"squall/internal/plain"
)

// newBars draws bars where out is a terminal that can; elsewhere it is nil.
func newBars(out io.Writer) *mpb.Progress {
	if f := terminal(out); f != nil && os.Getenv("TERM") != "dumb" {
		return mpb.New(mpb.WithOutput(f), mpb.WithAutoRefresh())
	}
	return nil
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

// newBar is a bar with a text behind it that may change.
func newBar(bars *mpb.Progress, total int64, behind func() string) *mpb.Bar {
	return bars.New(total, mpb.BarStyle().Rbound("] ").Tip("█").Filler("█").Padding("·"),
		mpb.BarWidth(24), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return behind() })))
}

// endBars takes the last bar away, if there is one, and waits until nothing is drawn any more.
func endBars(bars *mpb.Progress, bar *mpb.Bar) {
	if bar != nil {
		bar.Abort(true)
	}
	if bars != nil {
		bars.Wait()
	}
}
