package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
)

// flipping flips a bit of the byte at an offset of what is written.
type flipping struct {
	net.Conn
	at int
}

func (f *flipping) Write(b []byte) (int, error) {
	if f.at >= 0 && f.at < len(b) {
		b = bytes.Clone(b)
		b[f.at] ^= 4
	}
	f.at -= len(b)
	return f.Conn.Write(b)
}

func TestDamageIsSeen(t *testing.T) {
	sent := bytes.Repeat([]byte("to be or not to be "), 5000) // two frames
	send := func(at int) ([]byte, error) {
		a, b := net.Pipe()
		defer b.Close()
		go func() {
			_, _ = (&checked{Conn: &flipping{a, at}}).Write(sent)
			a.Close()
		}()
		return io.ReadAll(&checked{Conn: b})
	}
	if got, err := send(-1); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came, %v", len(got), len(sent), err)
	}
	for _, at := range []int{4, 7, 8, 1000, maxFrame + 2*headSize + 3} {
		got, err := send(at)
		if !errors.Is(err, errDamaged) || !bytes.HasPrefix(sent, got) {
			t.Errorf("byte %d flipped: %d bytes came, %v", at, len(got), err)
		}
	}
}
