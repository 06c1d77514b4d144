package docker

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// muteProxy stands in front of a real engine. From the first request on that
// matches, it takes every request and answers none: an engine that hangs.
type muteProxy struct {
	engine http.Handler
	after  *regexp.Regexp  // on "METHOD /path"
	over   <-chan struct{} // the test's end

	once sync.Once
	hung chan struct{} // is closed when it hangs
}

func (p *muteProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.after.MatchString(r.Method + " " + r.URL.Path) {
		p.once.Do(func() { close(p.hung) })
	}
	select {
	case <-p.hung:
		<-p.over
		panic(http.ErrAbortHandler)
	default:
		p.engine.ServeHTTP(w, r)
	}
}

// wait waits as long as the limit says for an engine that does not hang, as one
// with the machines of other tests to start may take seconds for the least
// thing. One that hangs is only waited for a fraction of it.
func (p *muteProxy) wait(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	go func() {
		select {
		case <-p.hung:
			time.AfterFunc(limit/15, cancel)
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// hungEngine is a Runtime on the real engine r that hangs after a request.
func hungEngine(t *testing.T, r *Runtime, after string) *Runtime {
	t.Helper()
	// An attachment to a container that was never started outlives its client
	// in the real engine, and would outlive the test.
	over, end := context.WithCancel(context.Background())
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := r.api.Dialer()(ctx)
		if err == nil {
			context.AfterFunc(over, func() { conn.Close() })
		}
		return conn, err
	}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	proxy.Transport = transport
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	mute := &muteProxy{engine: proxy, after: regexp.MustCompile(after), over: over.Done(), hung: make(chan struct{})}
	host := serve(t, mute)
	t.Cleanup(end) // before serve waits for what is under way
	hung := connect(t, host)
	hung.wait = mute.wait
	return hung
}

// wantHung wants an error of a person's reading about an engine that hangs.
func wantHung(t *testing.T, r *Runtime, err error, doing ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error of a hung engine")
	}
	t.Log(err)
	for _, w := range append(doing, "the engine at "+r.addr.Host+" did not answer within ", "is it hung? (restart Docker)") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v, want %q in it", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than a line", err)
	}
}

// TestHungWhileUp has an engine that answers at first and then hangs, at every
// request of an Up in turn. Taking back what was made is in vain too.
func TestHungWhileUp(t *testing.T) {
	t.Parallel()
	real := engine(t)
	const both = "(looking for the image squall/node|listing networks)" // are asked for at the same time
	for after, doing := range map[string]string{
		"GET .*/images/squall":          "while " + both,
		"GET .*/networks$":              "while " + both,
		"POST .*/networks/create":       "while making the network squall-",
		"POST .*/containers/create":     "while making the container of n1",
		"POST .*/containers/.*/attach$": "while attaching to the container of n1",
		"POST .*/containers/.*/start$":  "while starting the container of n1",
	} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			s := spec(t, real, "n1")
			t.Cleanup(func() { cleanUp(t, real, s.Run) })
			r := hungEngine(t, real, after)
			_, err := r.Up(t.Context(), s)
			wantHung(t, r, err, "while listing containers", "squall clean removes what is left")
			if !regexp.MustCompile(doing).MatchString(err.Error()) {
				t.Errorf("%v, want %q in it", err, doing)
			}
		})
	}
}

func cleanUp(t *testing.T, r *Runtime, run string) {
	t.Helper()
	// What the engine was asked last may still come.
	if _, err := r.Clean(context.Background(), CleanOptions{Run: run, Force: true}); err != nil {
		t.Error(err)
	}
}

// TestHungWithMachines has an engine that hangs when the machines are there.
func TestHungWithMachines(t *testing.T) {
	t.Parallel()
	real := engine(t)
	s := spec(t, real, "n1")
	t.Cleanup(func() { cleanUp(t, real, s.Run) })
	r := hungEngine(t, real, "POST .*/kill$")
	c, err := r.Up(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Machine("n1")
	agent := command(t, m)
	if _, err := agent.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantHung(t, r, m.Kill(t.Context()), "while killing the container of n1")
	if death := m.Death(t.Context()); !strings.Contains(death, "did not answer within "+r.limits.question.String()+" while inspecting the container of n1") {
		t.Errorf("death: %q", death)
	}
	if _, err := r.Arch(t.Context()); err == nil {
		t.Error("the architecture of a hung engine is known")
	} else {
		wantHung(t, r, err, "while asking for its version")
	}
	wantHung(t, r, c.Down(t.Context()), "taking the machines of run "+s.Run+" down", "squall clean removes what is left")
	// The stream to the agent was closed, so the machine ends by itself.
	<-agent.Done()
}

// TestHungWhileCleaning hangs when the first container is to go.
func TestHungWhileCleaning(t *testing.T) {
	t.Parallel()
	real := engine(t)
	s := spec(t, real, "n1")
	up(t, real, s)
	r := hungEngine(t, real, "DELETE .*/containers/")
	report, err := r.Clean(t.Context(), CleanOptions{Run: s.Run, Images: true, Force: true})
	wantHung(t, r, err, "cleaning up", "while removing containers", "squall clean removes what is left")
	if report != (Report{}) {
		t.Errorf("removed: %+v, want nothing", report)
	}
}

func TestHungWhenAsked(t *testing.T) {
	t.Parallel()
	r := hungEngine(t, engine(t), "GET .*/info")
	_, err := r.Info(t.Context())
	wantHung(t, r, err, "while asking it about itself")
}
