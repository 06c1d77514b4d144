package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"squall/history/check"
	"squall/internal/plain"
)

// colorFlag is the flag --color, which takes effect when it is read.
type colorFlag struct {
	when    string
	writers []io.Writer
}

// What --color takes.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

func newColorFlag(writers ...io.Writer) *colorFlag {
	f := &colorFlag{writers: writers}
	_ = f.Set(colorAuto) // is one of its words
	return f
}

// String is its value.
func (f *colorFlag) String() string { return f.when }

// Type is how help names the value.
func (f *colorFlag) Type() string { return "when" }

// Set has every writer show colours, or not. NO_COLOR (https://no-color.org) is heeded
// where nobody asks for them.
func (f *colorFlag) Set(when string) error {
	if when != colorAuto && when != colorAlways && when != colorNever {
		return fmt.Errorf("expected %s, %s or %s", colorAuto, colorAlways, colorNever)
	}
	f.when = when
	for _, out := range f.writers {
		if w, ok := out.(*plain.Writer); ok {
			able := terminal(w) != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
			w.Color(when == colorAlways || when == colorAuto && able)
		}
	}
	return nil
}

// painted is a text for the terminal behind out, when it is written there directly.
func painted(out io.Writer, text string) string {
	if w, ok := out.(*plain.Writer); ok {
		return w.Paint(text)
	}
	return plain.Unstyled(text)
}

// symbol is the sign of a verdict, in its colour.
func symbol(v check.Verdict) plain.Made {
	switch v {
	case check.Pass:
		return plain.In("✓", plain.Green)
	case check.Violation:
		return plain.In("✗", plain.Red)
	case check.Unknown:
		return plain.In("?", plain.Yellow)
	}
	return plain.In("!", plain.Magenta)
}

// loudVerdict is the sign of a verdict and its word in capitals, with what is to be said
// of it behind.
func loudVerdict(v check.Verdict, more string) plain.Made {
	style := plain.Magenta
	switch v {
	case check.Pass:
		style = plain.Green
	case check.Violation:
		style = plain.Red
	case check.Unknown:
		style = plain.Yellow
	}
	return symbol(v) + " " + plain.In(strings.ToUpper(string(v))+more, style, plain.Bold)
}

// The signs of what was asked for and is, is not, and cannot be told.
func met() plain.Made     { return plain.In("✓", plain.Green) }
func missed() plain.Made  { return plain.In("✗", plain.Red) }
func without() plain.Made { return plain.In("–", plain.Faint) }
