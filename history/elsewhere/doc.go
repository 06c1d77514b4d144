// Package elsewhere reads histories that other tools recorded, and writes squall's
// histories for them: the EDN of Jepsen, Knossos and Elle, Jepsen's text histories and log
// lines, and the formats of porcupine.
//
// What it reads is not trusted. It bounds files, nesting, texts and numbers, and refuses
// whatever cannot be, with its line (Damage): a history that cannot be believed says
// nothing about a system, least of all that it broke a promise.
package elsewhere

import (
	"fmt"

	"squall/history"
)

// Format is how a history is written.
type Format string

// The formats, as people read them. They are recognised by their contents.
const (
	FormatSquall    Format = "squall history"
	FormatEDN       Format = "EDN, one operation map after the other"
	FormatEDNVector Format = "EDN vector of operation maps"
	FormatLog       Format = "Jepsen log lines (jepsen.util)"
	FormatText      Format = "Jepsen text history"
	FormatPorcupine Format = "porcupine operations (JSON)"
)

// Damage says that a file is no history that can be believed, and where.
type Damage struct {
	Line int // from 1 on; 0: in no line
	Err  error
}

func (d *Damage) Error() string {
	if d.Line == 0 {
		return "the history is damaged: " + d.Err.Error()
	}
	return fmt.Sprintf("the history is damaged: line %d: %v", d.Line, d.Err)
}

// Unwrap gives what is wrong, without the place.
func (d *Damage) Unwrap() error { return d.Err }

func damaged(line int, format string, args ...any) error {
	return &Damage{Line: line, Err: fmt.Errorf(format, args...)}
}

// ChoiceError says that what a history is of must be chosen, or was chosen wrongly.
type ChoiceError struct{ Err error }

func (e *ChoiceError) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong.
func (e *ChoiceError) Unwrap() error { return e.Err }

func choice(format string, args ...any) error { return &ChoiceError{fmt.Errorf(format, args...)} }

// Options are what a history does not say itself.
type Options struct {
	// Object is the name of what its operations act on, of Objects; "": recognised by them.
	Object string
	// Initial is what each object holds at first, in EDN; "": nothing.
	Initial string
	// NilUnknown takes a read that was answered nil for one whose answer is not known, as
	// Knossos does. Otherwise nil means that nothing was ever written.
	NilUnknown bool
}

// Imported is a history from elsewhere.
type Imported struct {
	Format Format
	// Object is what the operations act on, of Objects. Independent says that they name their
	// keys in tuples, as jepsen.independent does.
	Object      string
	Independent bool
	// Keyed says that operations name keys.
	Keyed bool
	// History has its operations by time of call. Nodes are the processes.
	History *history.History
	Events  int // in the file: invocations, completions and those of the nemesis
	Nemesis int // of these, those of the nemesis
	// Timed says that the history has times. Otherwise what is on line n is at n seconds.
	Timed bool
	// Silent is how many reads were answered nil and say nothing, with NilUnknown.
	Silent int
	// Renumbered is how many operations have another process than in the file, since theirs
	// went on after one of unknown outcome.
	Renumbered int
	lines      map[place]int
}

// place identifies an operation.
type place struct{ process, call int64 }

// Line is the line on which an operation is called; 0 when there is none.
func (m *Imported) Line(process, call int64) int { return m.lines[place{process, call}] }
