// Command reader is a server of tests: it says what it finds of the files in its
// machine, and stays.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	for _, path := range os.Args[1:] {
		fmt.Println(path, look(path), change(path))
	}
	fmt.Println("that is all")
	time.Sleep(time.Hour) // select {} would be a deadlock, and end it
}

// look is the mode, time, size and hash of a file, and what it begins with.
func look(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	head, sum := make([]byte, 64), sha256.New()
	n, _ := io.ReadFull(f, head)
	sum.Write(head[:n])
	if _, err := io.Copy(sum, f); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v %d %d %x %q", info.Mode(), info.ModTime().Unix(), info.Size(), sum.Sum(nil), head[:n])
}

// change tries all that would change a file, and says what was possible.
func change(path string) string {
	done := ""
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		f.Close()
		done += " opened-to-write"
	}
	if os.Chmod(path, 0o777) == nil {
		done += " chmod"
	}
	if os.Rename(path, path+".old") == nil {
		done += " renamed"
	}
	if os.WriteFile(path+".new", nil, 0o644) == nil {
		done += " neighbour"
	}
	return "changed:" + done
}
