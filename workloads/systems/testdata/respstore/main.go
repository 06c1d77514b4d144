// Respstore is a store that speaks the protocol of Redis, in memory: GET, SET, DEL, SADD,
// SMEMBERS, RPUSH, LRANGE, MULTI and EXEC, PING, and a CAS of its own:
//
//	CAS key expect value    1: it held expect ("" for nothing), and holds value now
//	                        otherwise [0, what it holds]
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
)

func main() {
	listen := flag.String("listen", ":6379", "address to listen on")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	s := &store{texts: map[string]string{}, lists: map[string][]string{}}
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer conn.Close()
			if err := s.serve(conn); err != nil && !errors.Is(err, io.EOF) {
				log.Print(err)
			}
		}()
	}
}

type store struct {
	mu    sync.Mutex
	texts map[string]string
	lists map[string][]string // sets too
}

func (s *store) serve(conn net.Conn) error {
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	var queue [][]string
	queued := false
	for {
		command, err := read(in)
		if err != nil {
			return err
		}
		switch name := strings.ToUpper(command[0]); {
		case name == "MULTI":
			queue, queued = nil, true
			fmt.Fprint(out, "+OK\r\n")
		case name == "EXEC" && queued:
			fmt.Fprintf(out, "*%d\r\n", len(queue))
			s.mu.Lock()
			for _, c := range queue {
				s.do(out, c)
			}
			s.mu.Unlock()
			queued = false
		case queued:
			queue = append(queue, command)
			fmt.Fprint(out, "+QUEUED\r\n")
		default:
			s.mu.Lock()
			s.do(out, command)
			s.mu.Unlock()
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// do carries out a command. The lock is held.
func (s *store) do(out io.Writer, c []string) {
	arity := map[string]int{"PING": 1, "GET": 2, "SET": 3, "CAS": 4, "DEL": 2, "SADD": 3, "RPUSH": 3, "SMEMBERS": 2, "LRANGE": 4}
	name := strings.ToUpper(c[0])
	switch n, known := arity[name]; {
	case !known:
		fmt.Fprintf(out, "-ERR unknown command '%s'\r\n", c[0])
		return
	case n != len(c):
		fmt.Fprintf(out, "-ERR wrong number of arguments for '%s' command\r\n", c[0])
		return
	}
	switch name {
	case "PING":
		fmt.Fprint(out, "+PONG\r\n")
	case "GET":
		s.text(out, c[1])
	case "SET":
		s.texts[c[1]] = c[2]
		fmt.Fprint(out, "+OK\r\n")
	case "CAS":
		if s.texts[c[1]] != c[2] {
			fmt.Fprint(out, "*2\r\n:0\r\n")
			s.text(out, c[1])
			return
		}
		s.texts[c[1]] = c[3]
		fmt.Fprint(out, ":1\r\n")
	case "DEL":
		delete(s.texts, c[1])
		fmt.Fprint(out, ":1\r\n")
	case "SADD", "RPUSH":
		s.lists[c[1]] = append(s.lists[c[1]], c[2])
		fmt.Fprintf(out, ":%d\r\n", len(s.lists[c[1]]))
	case "SMEMBERS", "LRANGE":
		fmt.Fprintf(out, "*%d\r\n", len(s.lists[c[1]]))
		for _, e := range s.lists[c[1]] {
			fmt.Fprintf(out, "$%d\r\n%s\r\n", len(e), e)
		}
	}
}

func (s *store) text(out io.Writer, key string) {
	if v, ok := s.texts[key]; ok {
		fmt.Fprintf(out, "$%d\r\n%s\r\n", len(v), v)
	} else {
		fmt.Fprint(out, "$-1\r\n")
	}
}

// read reads a command.
func read(in *bufio.Reader) ([]string, error) {
	n, err := number(in, '*')
	if err != nil {
		return nil, err
	}
	command := make([]string, n)
	for i := range command {
		size, err := number(in, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		command[i] = string(text[:size])
	}
	return command, nil
}

func number(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, string(kind))))
	if err != nil || line[0] != kind || n < 0 || n > 1<<20 {
		return 0, fmt.Errorf("%q is no command", line)
	}
	return n, nil
}
