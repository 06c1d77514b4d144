// Package serve shows a folder of runs in a browser: a list of all runs and
// campaigns, their files, each as one zip, and a run that is going on as it
// goes. It only reads, and does work only while somebody looks.
//
// Whatever is in the folder is hostile: runs are copied from other people's
// machines, and hold what clients wrote. So paths go through os.Root, names and
// values reach pages as text only, and a file is shown as a page only where
// squall writes pages, and then in a sandbox in which it can reach nothing.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Config is what a server needs to know.
type Config struct {
	// Out is the folder of the runs.
	Out string
	// Host is the name or address that it was told to listen on, "" for this
	// machine alone. Requests for other names are refused.
	Host string
}

// Server is an http.Handler over a folder of runs.
type Server struct {
	root    *os.Root
	out     string
	host    string
	mux     *http.ServeMux
	scanner scanner
	watches watches
	zips    chan struct{} // a place for each zip under way
}

// zipsAtOnce bounds how many zips are packed at the same time. Most of them wait
// for those who read them, so that a few slow readers do not keep others out.
const zipsAtOnce = 64

// New opens the folder of the runs.
func New(cfg Config) (*Server, error) {
	root, err := os.OpenRoot(cfg.Out)
	if err != nil {
		return nil, fmt.Errorf("open the folder of runs: %w", err)
	}
	s := &Server{root: root, out: cfg.Out, host: strings.ToLower(cfg.Host), mux: http.NewServeMux(), zips: make(chan struct{}, zipsAtOnce)}
	s.scanner.fs, s.scanner.root = root.FS(), root
	s.watches.server = s
	s.mux.HandleFunc("/{$}", s.index)
	s.mux.HandleFunc("/assets/{name}", s.asset)
	s.mux.HandleFunc("/runs/{path...}", s.file)
	s.mux.HandleFunc("/zip/{path...}", s.zip)
	s.mux.HandleFunc("/live/{path...}", s.live)
	s.mux.HandleFunc("/stream/{path...}", s.stream)
	s.mux.HandleFunc("/metrics", s.metrics)
	s.mux.HandleFunc("/compare", s.compare)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusNotFound, "there is nothing of that name")
	})
	return s, nil
}

// Close lets go of the folder.
func (s *Server) Close() error { return s.root.Close() }

// ServeHTTP answers what is asked by the right name, for a path within the
// folder, by a method that only reads.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	switch {
	case !s.knows(r.Host):
		refuse(w, r, http.StatusForbidden, "squall does not serve under this name: open it by the address that it printed")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, r, http.StatusMethodNotAllowed, "squall serve is read-only: only GET and HEAD work")
	case !plainURL(r.URL):
		refuse(w, r, http.StatusNotFound, "there is nothing of that name")
	default:
		s.mux.ServeHTTP(newImpatient(w), r)
	}
}

// Serve answers on a listener until ctx ends, which is no error.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends streams
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil { // a download that is still going
		_ = server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
