package serve

import (
	"net/http"
	"time"
)

// patience is how long one write to somebody may take. Who reads nothing for so
// long has gone, and what waits for them is let go.
const patience = 30 * time.Second

// piece is how much is written within that time, bytes: 4 KiB a second will do.
const piece = 128 << 10

// impatient gives each piece of an answer its own deadline, so that a long one
// may take as long as it needs, while somebody reads it.
type impatient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func newImpatient(w http.ResponseWriter) *impatient {
	return &impatient{ResponseWriter: w, control: http.NewResponseController(w)}
}

// Unwrap is for http.ResponseController.
func (w *impatient) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *impatient) Write(p []byte) (n int, err error) {
	for first := true; first || len(p) > 0; first = false {
		_ = w.control.SetWriteDeadline(time.Now().Add(patience)) // a writer of a test has none
		wrote, err := w.ResponseWriter.Write(p[:min(len(p), piece)])
		n += wrote
		if err != nil {
			return n, err
		}
		p = p[min(len(p), piece):]
	}
	return n, nil
}
