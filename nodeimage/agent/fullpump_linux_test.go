package agent

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"squall/nodeimage/agent/protocol"
)

// TestAQuietPipeWakesNobody: Go's poller does not know it, as a deadline shows; that of
// any other pipe it does.
func TestAQuietPipeWakesNobody(t *testing.T) {
	quiet, theirs, err := newQuietPipe()
	must(t, err)
	defer closeAll(quiet, theirs)
	if err := quiet.SetReadDeadline(time.Now()); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("a deadline can be set: %v", err)
	}
	other, theirs2, err := newPipe(true)
	must(t, err)
	defer closeAll(other, theirs2)
	must(t, other.SetReadDeadline(time.Now()))
}

// pumped pumps a quiet pipe that is looked into when the test says so, and no sooner.
type pumped struct {
	theirs      *os.File
	size        int           // of the pipe
	looked      chan int      // has what each look brought
	again, dead chan struct{} // look again; the process is dead
	frames      chan string
}

func newPumped(t *testing.T) *pumped {
	t.Helper()
	ours, theirs, err := newQuietPipe()
	must(t, err)
	size, err := unix.FcntlInt(ours.Fd(), unix.F_GETPIPE_SZ, 0) // Linux need not grant what was asked for
	must(t, err)
	p := &pumped{theirs, size, make(chan int), make(chan struct{}), make(chan struct{}), make(chan string, 100)}
	pace := func(had int) (time.Duration, <-chan struct{}) {
		p.looked <- had
		return time.Hour, p.again
	}
	go func() {
		pumpQuiet(ours, p.dead, pace, func(frame []byte) { p.frames <- string(frame[protocol.StreamOverhead:]) })
		close(p.frames)
	}()
	t.Cleanup(func() { theirs.Close() })
	return p
}

// rest is what was forwarded until the pump ended.
func (p *pumped) rest() string {
	var text strings.Builder
	for frame := range p.frames {
		text.WriteString(frame)
	}
	return text.String()
}

// TestAQuietPipeIsLookedInto when its pace says so, in whole; and to its end, by the
// close of the pipe, or the death of a server whose child holds it open.
func TestAQuietPipeIsLookedInto(t *testing.T) {
	p := newPumped(t)
	large := strings.Repeat("x", p.size/2)
	if had := <-p.looked; had != 0 {
		t.Errorf("an empty pipe had %d bytes", had)
	}
	_, err := p.theirs.WriteString(large)
	must(t, err)
	p.again <- struct{}{}
	if had := <-p.looked; had != len(large) {
		t.Errorf("a look brought %d bytes of %d", had, len(large))
	}
	_, err = p.theirs.WriteString("end")
	must(t, err)
	must(t, p.theirs.Close())
	p.again <- struct{}{}
	if had := <-p.looked; had != 3 {
		t.Errorf("a look brought %d bytes of 3", had)
	}
	p.again <- struct{}{}
	if got := p.rest(); got != large+"end" {
		t.Errorf("%d bytes were forwarded of %d", len(got), len(large)+3)
	}

	p = newPumped(t)
	<-p.looked
	_, err = p.theirs.WriteString("last words")
	must(t, err)
	close(p.dead)
	if got := p.rest(); got != "last words" {
		t.Errorf("forwarded of a dead server: %q", got)
	}
}

// TestAPromptPipeIsReadAsItIsWritten, and to its end.
func TestAPromptPipeIsReadAsItIsWritten(t *testing.T) {
	ours, theirs, err := newQuietPipe()
	must(t, err)
	frames := make(chan string, 100)
	go func() {
		defer close(frames)
		pumpQuiet(ours, nil, func(int) (time.Duration, <-chan struct{}) { return promptPace, nil },
			func(frame []byte) { frames <- string(frame[protocol.StreamOverhead:]) })
	}()
	for _, word := range []string{"one", "two"} {
		_, err := theirs.WriteString(word)
		must(t, err)
		select {
		case got := <-frames:
			if got != word {
				t.Errorf("forwarded %q, want %q", got, word)
			}
		case <-time.After(time.Minute):
			t.Fatal("it was not forwarded")
		}
	}
	must(t, theirs.Close())
	select {
	case got, more := <-frames:
		if more {
			t.Errorf("forwarded %q", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("the pump does not end")
	}
}

// TestThePaceOfTheFullTrace: slow, sooner where much came, and prompt while somebody waits
// for a moment, of which who rests is told at once.
func TestThePaceOfTheFullTrace(t *testing.T) {
	var p promptness
	var got []time.Duration
	at := func(had int) <-chan struct{} {
		pace, changed := p.pace(had)
		got = append(got, pace)
		return changed
	}
	at(0)
	changed := at(fullPlenty)
	p.set(true)
	select {
	case <-changed:
	default:
		t.Error("who rests is not told that there is haste")
	}
	at(0)
	at(fullPlenty)
	p.set(false)
	at(fullPlenty - 1)
	if want := []time.Duration{fullPace, soonPace, promptPace, promptPace, fullPace}; !slices.Equal(got, want) {
		t.Errorf("paces %v, want %v", got, want)
	}
}

// TestPromptTrace: the agent can be told, by a request and with a start.
func TestPromptTrace(t *testing.T) {
	s := &supervisor{wrap: []string{"/proc/self/exe", "exec"}, out: newFrameWriter(nil), emit: func(protocol.Event) {}}
	a := &agent{server: s}
	prompt := func() bool { pace, _ := s.prompt.pace(0); return pace == promptPace }
	for _, wanted := range []bool{true, false} {
		_, err := a.carryOut(t.Context(), protocol.Request{Method: protocol.MethodPrompt, Params: []byte(map[bool]string{true: `{"prompt":true}`, false: `{}`}[wanted])})
		must(t, err)
		if prompt() != wanted {
			t.Errorf("told %v, the agent does otherwise", wanted)
		}
	}
	for _, wanted := range []bool{false, true} {
		_, err := s.start(protocol.StartSpec{Argv: []string{"/proc/self/exe", "server", "exit=0"}, FullTrace: true, Prompt: wanted})
		must(t, err)
		<-s.last().drained
		if prompt() != wanted {
			t.Errorf("started with %v, the agent does otherwise", wanted)
		}
	}
}
