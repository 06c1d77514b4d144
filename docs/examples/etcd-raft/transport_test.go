package main

import (
	"bufio"
	"bytes"
	"net"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

func TestDamageIsSeen(t *testing.T) {
	var sent bytes.Buffer
	out := bufio.NewWriter(&sent)
	m := &raftpb.Message{Type: raftpb.MsgApp.Enum(), Entries: entries(1, 1, 3)}
	if err := writeMessage(out, m); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	receive := func(data []byte) (taken int) {
		a, b := net.Pipe()
		defer b.Close()
		go func() {
			_, _ = a.Write(data)
			a.Close()
		}()
		_ = read(b, func(*raftpb.Message) error { taken++; return nil })
		return taken
	}
	if n := receive(sent.Bytes()); n != 1 {
		t.Fatalf("%d messages came, want 1", n)
	}
	for i := headSize; i < sent.Len(); i++ {
		data := bytes.Clone(sent.Bytes())
		data[i] ^= 4
		if n := receive(data); n != 0 {
			t.Errorf("byte %d flipped: the message was taken", i)
		}
	}
}
