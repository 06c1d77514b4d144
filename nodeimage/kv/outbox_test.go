package kv

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestWhatWasTakenWaitsNoLonger: of a large buffer that the other side takes bit by bit,
// only what it has not taken yet counts as waiting.
func TestWhatWasTakenWaitsNoLonger(t *testing.T) {
	near, far := net.Pipe()
	var o outbox
	o.init()
	ended := make(chan error, 1)
	go func() { ended <- o.run(near, time.Minute, 0, nil) }()
	pending := func() int {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.pending()
	}
	const parts = 8
	data := bytes.Repeat([]byte("0123456789abcdef"), parts*maxWrite/16)
	o.mu.Lock()
	o.commit(append(o.buf, data...))
	o.mu.Unlock()
	o.notify()
	var came []byte
	for i := 1; i <= parts; i++ {
		part := make([]byte, maxWrite)
		if _, err := io.ReadFull(far, part); err != nil {
			t.Fatal(err)
		}
		came = append(came, part...)
		eventually(t, "what was taken is no longer pending", func() bool { return pending() == (parts-i)*maxWrite })
	}
	if !bytes.Equal(came, data) {
		t.Error("other bytes came than were sent")
	}
	over := errors.New("over")
	o.close(over)
	if err := <-ended; !errors.Is(err, over) {
		t.Errorf("the outbox ended with %v", err)
	}
	near.Close()
	far.Close()
}
