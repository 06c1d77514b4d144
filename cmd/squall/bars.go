package main

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// newBars draws bars where out is a terminal that can; elsewhere it is nil.
func newBars(out io.Writer) *mpb.Progress {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh())
	}
	return nil
}

// newBar is a bar with a text behind it that may change.
func newBar(bars *mpb.Progress, total int64, behind func() string) *mpb.Bar {
	return bars.New(total, mpb.BarStyle().Rbound("] ").Tip("█").Filler("█").Padding("·"),
		mpb.BarWidth(24), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return behind() })))
}
