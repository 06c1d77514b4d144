package history

import "fmt"

// DamageError says that a file is no history as a recorder writes it, and where.
// Nothing that it holds is to be believed, least of all a violation.
type DamageError struct {
	Path string // "": not known
	// Line is the line that cannot be believed, the header being line 1; 0 where
	// the damage is not in a line but in how the file is laid out.
	Line int64
	// Frame is the frame that holds the damage, the header's being 0, and Byte
	// where in the file it begins.
	Frame int64
	Byte  int64
	Err   error // what is wrong
}

func (e *DamageError) Error() string {
	name := "the history"
	if e.Path != "" {
		name += " " + e.Path
	}
	return name + " is damaged: " + e.Where() + ": " + e.Err.Error()
}

// Where is the place alone: "line 126, in frame 3 at byte 4711".
func (e *DamageError) Where() string {
	frame := fmt.Sprintf("frame %d at byte %d", e.Frame, e.Byte)
	if e.Line == 0 {
		return frame
	}
	return fmt.Sprintf("line %d, in %s", e.Line, frame)
}

// Unwrap gives what is wrong, without the place.
func (e *DamageError) Unwrap() error { return e.Err }
