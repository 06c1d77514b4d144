package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"time"

	"squall/history"
)

// streamEvery is how often a page hears of its run.
const streamEvery = time.Second

type livePage struct {
	Base                base
	Test, Stream, Files string
}

// runAt is the run that a path names; false when there is none.
func (s *Server) runAt(r *http.Request) (dir string, ok bool) {
	name, ok := inFolder(r.PathValue("path"))
	if !ok {
		return "", false
	}
	dir = s.real(name)
	return dir, isRun(s.root.FS(), dir)
}

// live shows a run that goes on. One that is over has a report to show.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	dir, ok := s.runAt(r)
	if !ok {
		refuse(w, r, http.StatusNotFound, "there is no run of that name in the folder of runs")
		return
	}
	if !s.scanner.held(path.Join(dir, history.HoldName)) {
		over := link("runs", dir) + "/"
		if report := reportOf(s.root.FS(), dir); report != "" {
			over = link("runs", dir, report)
		}
		http.Redirect(w, r, over, http.StatusFound)
		return
	}
	test := harmless(path.Base(path.Dir(dir)), 100)
	show(w, r, "live", livePage{Base: base{Title: "Live: " + test}, Test: test, Stream: link("stream", dir), Files: link("runs", dir) + "/"})
}

// stream tells a page every second what its run came to, as server-sent events.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	dir, ok := s.runAt(r)
	if !ok {
		refuse(w, r, http.StatusNotFound, "there is no run of that name in the folder of runs")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	run, leave, err := s.watches.join(dir)
	if err != nil {
		refuse(w, r, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer leave()
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	control := http.NewResponseController(w)
	for sent := 0; ; {
		var m message
		m, sent = run.now(sent)
		text, err := json.Marshal(m)
		if err != nil {
			return
		}
		// Who does not read for so long has gone.
		_ = control.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
			return
		}
		if err := control.Flush(); err != nil || m.Next != "" {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
