// Package reports turns a run directory into what people look at: report.html,
// one file that loads nothing from anywhere, and the figures throughput.png,
// latency.png and elections.png. It judges nothing: the verdict and the
// figures in words are those of results.json, and the history gives their
// course in time.
package reports

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ReportFile is the name of the page in a run directory.
const ReportFile = "report.html"

// Write makes the report of the run in dir: report.html and, beside it, the
// figures as PNG. Files of an earlier report are replaced.
//
// It needs results.json. When the history is missing or damaged, the page is
// written without figures and says why, and Write returns an error that names
// the file and how to mend it. plan.json and env.json are shown as far as they
// are there.
func Write(ctx context.Context, dir string) error { return writeAt(ctx, dir, sheetDPI) }

// writeAt is Write with figures of another resolution.
func writeAt(ctx context.Context, dir string, dpi int) error {
	r, err := readRun(dir)
	if err != nil {
		return err
	}
	in := r.input()
	fig := newFigures(in, r.results)
	var drawn []figure
	if r.historyErr == nil {
		if drawn, err = drawAll(ctx, fig, dpi); err != nil {
			return fmt.Errorf("draw the figures of %s: %w", dir, err)
		}
	}
	var html bytes.Buffer
	if err := render(&html, newPage(r, in, fig, drawn)); err != nil {
		return fmt.Errorf("write the page of %s: %w", dir, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, p := range painters() {
		path := filepath.Join(dir, p.file)
		var err error
		if i := indexOf(drawn, p.file); i >= 0 {
			err = replaceFile(path, drawn[i].light)
		} else if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			err = nil // no picture of another history may stay behind
		}
		if err != nil {
			return err
		}
	}
	if err := replaceFile(filepath.Join(dir, ReportFile), html.Bytes()); err != nil {
		return err
	}
	return r.historyErr
}

func indexOf(drawn []figure, file string) int {
	for i := range drawn {
		if drawn[i].file == file {
			return i
		}
	}
	return -1
}
