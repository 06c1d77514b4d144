// Package reports turns a run directory into what people look at: report.html
// and timeline.html, each one file that loads nothing from anywhere, and the
// figures throughput, latency, quantiles and elections as PNG and SVG. It judges
// nothing: the verdict and the figures in words are those of results.json, and
// the history gives their course in time.
package reports

import (
	"context"
	"errors"
	"fmt"
	"io"

	"squall/history/check"
)

// The pages in a run directory.
const (
	ReportFile   = "report.html"
	TimelineFile = "timeline.html" // the operations of each process
)

// Write makes the report of the run in dir: report.html, timeline.html and the
// figures as PNG and SVG. Files of an earlier report are replaced, all of them
// or none.
//
// It needs results.json. When the history is missing or damaged, the page is
// written without figures and says why, and Write returns an error that names
// the file and how to mend it. plan.json and env.json are shown as far as they
// are there.
func Write(ctx context.Context, dir string) error {
	return writeTo(ctx, newBatch(dir), sheetDPI)
}

// WriteChecked is Write for a run that was just checked: it reads neither the
// results nor the history again.
func WriteChecked(ctx context.Context, c *check.Checked) error {
	return writeRun(ctx, newBatch(c.Dir), runOf(c), sheetDPI)
}

// writeTo is Write with figures of another resolution, through a batch.
func writeTo(ctx context.Context, files *batch, dpi int) error {
	r, err := readRun(files.dir)
	if err != nil {
		return err
	}
	return writeRun(ctx, files, r, dpi)
}

func writeRun(ctx context.Context, files *batch, r *run, dpi int) (err error) {
	defer func() { err = errors.Join(err, files.discard()) }()
	fig := newFigures(r.history, r.results)
	if err := stageFigures(ctx, files, r, fig, dpi); err != nil {
		return err
	}
	if r.historyErr == nil {
		if err := files.stage(TimelineFile, func(w io.Writer) error { return renderTimeline(w, r, fig) }); err != nil {
			return err
		}
	} else {
		files.remove(TimelineFile)
	}
	if err := files.stage(ReportFile, func(w io.Writer) error { return renderReport(w, newPage(r, fig)) }); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := files.commit(); err != nil {
		return err
	}
	return r.historyErr
}

// stageFigures draws the figures; without a history none of another one may
// stay behind.
func stageFigures(ctx context.Context, files *batch, r *run, fig *figures, dpi int) error {
	if r.historyErr != nil {
		for _, p := range painters() {
			files.remove(p.Name + ".png")
			files.remove(p.Name + ".svg")
		}
		return nil
	}
	drawn, err := drawAll(ctx, fig, dpi)
	if err != nil {
		return fmt.Errorf("draw the figures of %s: %w", r.dir, err)
	}
	for _, f := range drawn {
		if err := files.stageBytes(f.Name+".png", f.png); err != nil {
			return err
		}
		if err := files.stageBytes(f.Name+".svg", f.svg); err != nil {
			return err
		}
	}
	return nil
}
