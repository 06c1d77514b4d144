package docker

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"squall/orchestrator/machines"
)

// fakeEngine answers like an engine, as far as an Up asks for anything before
// a container starts; what a test wants otherwise, it says by pattern.
type fakeEngine struct {
	version string // of the API
	osType  string
	answers map[string]http.HandlerFunc // by the pattern of http.ServeMux, without the version

	mu    sync.Mutex
	asked []string
}

func (f *fakeEngine) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func says(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
}

func refuses(text string) http.HandlerFunc {
	return says(http.StatusInternalServerError, map[string]string{"message": text})
}

// start serves the engine on a socket and returns its address.
func (f *fakeEngine) start(t *testing.T) string {
	t.Helper()
	return serve(t, f.handler())
}

func (f *fakeEngine) handler() http.Handler {
	answers := map[string]http.HandlerFunc{
		"GET /images/{name...}":   says(200, map[string]string{"Id": "sha256:1"}),
		"GET /networks":           says(200, []string{}),
		"POST /networks/create":   says(201, map[string]string{"Id": "net"}),
		"POST /containers/create": says(201, map[string]any{"Id": "box", "Warnings": []string{}}),
		"GET /containers/json":    says(200, []string{}),
		"GET /volumes":            says(200, map[string]any{"Volumes": []string{}}),
	}
	for pattern, answer := range f.answers {
		answers[pattern] = answer
	}
	mux := http.NewServeMux()
	for pattern, answer := range answers {
		mux.Handle(pattern, answer)
	}
	if f.version == "" {
		f.version = "1.41"
	}
	if f.osType == "" {
		f.osType = "linux"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+r.URL.Path)
		f.mu.Unlock()
		if r.URL.Path == "/_ping" {
			w.Header().Set("Api-Version", f.version)
			w.Header().Set("Ostype", f.osType)
			return
		}
		http.StripPrefix("/v"+f.version, mux).ServeHTTP(w, r)
	})
}

// serve serves HTTP on a socket of its own until the test ends.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "squall") // a test's own folder may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		os.RemoveAll(dir)
	})
	return "unix://" + l.Addr().String()
}

// connect is a Runtime on that engine.
func connect(t *testing.T, host string) *Runtime {
	t.Helper()
	r, err := New(t.Context(), Options{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// fakeSpec is a cluster whose binary is some file.
func fakeSpec(t *testing.T, specs ...machines.MachineSpec) machines.ClusterSpec {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "binary")
	put(t, binary, "no program")
	return machines.ClusterSpec{Run: "fake", Machines: specs, Binary: binary, BinaryKey: "key"}
}

func TestEngineTooOld(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"1.24": "1.24", "1.9": "1.9", "1.25": "", "1.51": ""} {
		r, err := New(t.Context(), Options{Host: (&fakeEngine{version: version}).start(t)})
		if err == nil {
			r.Close()
		}
		if want == "" {
			if err != nil {
				t.Errorf("API %s: %v", version, err)
			}
			continue
		}
		if !errors.Is(err, ErrTooOld) || errors.Is(err, ErrNoEngine) {
			t.Errorf("API %s: %v, want ErrTooOld", version, err)
			continue
		}
		for _, w := range []string{"version " + want, "1.25", "update Docker", "(as given)"} {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("API %s: %v, want %q in it", version, err, w)
			}
		}
	}
	// What answers everything with 200 is no engine.
	host := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if _, err := New(t.Context(), Options{Host: host}); !errors.Is(err, ErrTooOld) || !strings.Contains(err.Error(), "no version") {
		t.Errorf("no engine: %v", err)
	}
}

func TestEngineOfWindowsContainers(t *testing.T) {
	t.Parallel()
	_, err := New(t.Context(), Options{Host: (&fakeEngine{osType: "windows"}).start(t)})
	if err == nil || !strings.Contains(err.Error(), "windows containers, Linux ones are needed") {
		t.Errorf("got %v", err)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	const full = "write /var/lib/docker/x: no space left on device"
	noImage := says(http.StatusNotFound, map[string]string{"message": "No such image"})
	tests := map[string]struct {
		answers map[string]http.HandlerFunc
		doing   string
	}{
		"the import's stream tells": {map[string]http.HandlerFunc{
			"GET /images/{name...}": noImage,
			"POST /images/create":   says(200, map[string]string{"error": full}),
		}, "making the image squall/node:key"},
		"the import is refused": {map[string]http.HandlerFunc{
			"GET /images/{name...}": noImage,
			"POST /images/create":   refuses(full),
		}, "making the image squall/node:key"},
		"the network":   {map[string]http.HandlerFunc{"POST /networks/create": refuses(full)}, "making the network squall-fake"},
		"the container": {map[string]http.HandlerFunc{"POST /containers/create": refuses(full)}, "making the container of n1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := connect(t, (&fakeEngine{answers: test.answers}).start(t))
			_, err := r.Up(t.Context(), fakeSpec(t, machines.MachineSpec{Name: "n1"}))
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range []string{test.doing, full, "disk of the engine at " + r.addr.Host + " is full", "squall clean --images", "docker system prune"} {
				if strings.Count(err.Error(), w) != 1 {
					t.Errorf("%v, want %q in it, once", err, w)
				}
			}
		})
	}
}

// TestImportRefusedAtOnce is an engine that does not read the image at all: its
// reason must not be lost to the connection that breaks.
func TestImportRefusedAtOnce(t *testing.T) {
	t.Parallel()
	r := connect(t, (&fakeEngine{answers: map[string]http.HandlerFunc{
		"GET /images/{name...}": says(http.StatusNotFound, map[string]string{"message": "No such image"}),
		"POST /images/create": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no space left on device", http.StatusInternalServerError)
		},
	}}).start(t))
	s := fakeSpec(t, machines.MachineSpec{Name: "n1"})
	put(t, s.Binary, strings.Repeat("much ", 4<<20))
	if _, err := r.Up(t.Context(), s); err == nil || !strings.Contains(err.Error(), "is full") {
		t.Errorf("got %v, want that the disk is full", err)
	}
}

// TestImportStalls is an engine that takes some of the image and then no more.
func TestImportStalls(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	host := (&fakeEngine{answers: map[string]http.HandlerFunc{
		"GET /images/{name...}": says(http.StatusNotFound, map[string]string{"message": "No such image"}),
		"POST /images/create": func(_ http.ResponseWriter, r *http.Request) {
			io.CopyN(io.Discard, r.Body, 1000)
			<-done
		},
	}}).start(t)
	t.Cleanup(func() { close(done) })
	r := connect(t, host)
	r.limits.step = 300 * time.Millisecond
	s := fakeSpec(t, machines.MachineSpec{Name: "n1"})
	put(t, s.Binary, strings.Repeat("much ", 4<<20))
	_, err := r.Up(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), "did not answer within 300ms while making the image") {
		t.Errorf("got %v, want that the engine is hung", err)
	}
}
