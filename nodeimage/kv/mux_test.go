package kv

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAbandonAllWhileSending ends requests by the thousand while others are sent:
// each of them ends once. With a map that both use, the process dies.
func TestAbandonAllWhileSending(t *testing.T) {
	t.Parallel()
	here, there := net.Pipe()
	go io.Copy(io.Discard, there)
	m := newMux(here, time.Second, newPlainClock())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				m.abandonAll(CodeLeaderMoved)
			}
		}
	})
	const calls = 5000
	var ends [calls]atomic.Int32
	sent := 0
	for i := range calls {
		c := &call{op: OpPut, notify: func(*call) { ends[i].Add(1) }}
		if err := m.send(c, binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			ends[i].Add(1)
			continue
		}
		sent++
	}
	close(stop)
	wg.Wait()
	m.close(io.EOF)
	<-m.done
	there.Close()
	if sent == 0 {
		t.Error("nothing was sent")
	}
	for i := range ends {
		if n := ends[i].Load(); n != 1 {
			t.Fatalf("request %d ended %d times", i, n)
		}
	}
}
