package docker

import (
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"squall/orchestrator/machines"
)

// TestNoFuseIsSaidBeforeATest: an engine on this computer, which has no /dev/fuse, can lay no file system of squall's; one elsewhere says so
// when a container is to get it.
func TestNoFuseIsSaidBeforeATest(t *testing.T) {
	f := &fakeEngine{answers: map[string]http.HandlerFunc{"GET /info": says(200, capable())}}
	r := connect(t, f.start(t))
	for _, there := range []bool{true, false} {
		r.fuse = func() bool { return there }
		why := r.Can(t.Context())[machines.CanDisk]
		if there != (why == "") && runtime.GOOS == "linux" || !there && why != "" && !strings.Contains(why, "modprobe fuse") {
			t.Errorf("with the device: %v: %q", there, why)
		}
	}
	r.addr.Host = "ssh://somebody@elsewhere"
	if why := r.noFuse(); why != "" {
		t.Errorf("an engine elsewhere: %q", why)
	}
	refused := errors.New(`error gathering device information while adding custom device "/dev/fuse": no such file or directory`)
	if err := explainFuse(refused); !errors.Is(err, refused) || !strings.Contains(err.Error(), "modprobe fuse") {
		t.Error(err)
	}
	other := errors.New("no space left on device")
	if err := explainFuse(other); err != other {
		t.Error(err)
	}
}
