package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// squall serve says where it is, answers there, and ends with the first Ctrl-C,
// which is no failure.
func TestServeEndsWithCtrlC(t *testing.T) {
	read, write := io.Pipe()
	signals := make(chan os.Signal, 1)
	code := make(chan int, 1)
	args := []string{"squall", "serve", "--out", t.TempDir(), "--addr", "127.0.0.1:0"}
	go func() { code <- run(context.Background(), args, signals, write, write); write.Close() }()
	line := make([]byte, 4096)
	n, err := read.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(string(line[:n]))
	if address == "" {
		t.Fatalf("it says %q", line[:n])
	}
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil || res.Body.Close() != nil || !strings.Contains(string(text), "There is no run here yet") {
		t.Errorf("the list of an empty folder: %v, %.200s", err, text)
	}
	http.DefaultClient.CloseIdleConnections()
	signals <- os.Interrupt
	if got := <-code; got != exitPass {
		t.Errorf("exit code %d", got)
	}
}

// A busy port is an error when it was asked for, and passed over when it was not.
func TestServeAndBusyPorts(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if _, err := listen(t.Context(), busy.Addr().String(), true); err == nil || !strings.Contains(err.Error(), "without --addr a free port is taken") {
		t.Errorf("a busy port that was asked for: %v", err)
	}
	free, err := listen(t.Context(), busy.Addr().String(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	if free.Addr().String() == busy.Addr().String() {
		t.Error("it took a port that was busy")
	}
}
