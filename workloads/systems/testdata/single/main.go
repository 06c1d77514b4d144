// Single is a key-value server for the guide docs/guides/adding-a-system.md: one
// process has the data, and the others forward what they are asked to it.
//
//	GET /key                  what the key holds, as JSON; null: nothing
//	PUT /key                  stores the body, a JSON string
//	PUT /key?expect="4"       stores it if the key holds that (null: nothing), and
//	                          answers true or {"found": what it holds}
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
)

func main() {
	listen := flag.String("listen", ":8080", "address to listen on")
	data := flag.String("data", "single.log", "file that keeps the data")
	forward := flag.String("forward", "", "server that has the data, in place of this one")
	share := flag.String("share", "yes", "no: this server has data of its own all the same")
	flag.Parse()
	if *share == "no" {
		*forward = ""
	}
	handler, err := newHandler(*data, *forward)
	if err == nil {
		err = http.ListenAndServe(*listen, handler)
	}
	log.Fatal(err)
}

func newHandler(data, forward string) (http.Handler, error) {
	if forward == "" {
		return openStore(data)
	}
	to, err := url.Parse(forward)
	if err != nil {
		return nil, err
	}
	return httputil.NewSingleHostReverseProxy(to), nil
}

// store is the data, and a file with every change.
type store struct {
	mu   sync.Mutex
	held map[string]string // JSON, by key
	file *os.File
}

type change struct{ Key, Value string }

// openStore reads the changes of earlier processes. The last line may be cut: nobody
// was told of that change.
func openStore(path string) (*store, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	s := &store{held: map[string]string{}, file: file}
	end := int64(0)
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		s.held[c.Key] = c.Value
		end += int64(len(line))
	}
	if err := file.Truncate(end); err != nil {
		return nil, err
	}
	_, err = file.Seek(end, io.SeekStart)
	return s, err
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key, held := r.URL.Path, "null"
	if value, ok := s.held[key]; ok {
		held = value
	}
	switch expect := r.URL.Query().Get("expect"); {
	case r.Method == http.MethodGet:
		fmt.Fprint(w, held)
	case expect != "" && expect != held:
		fmt.Fprintf(w, `{"found":%s}`, held)
	default:
		if err := s.put(key, string(body)); err != nil {
			log.Fatal(err) // what is on the disk is not known
		}
		if expect != "" {
			fmt.Fprint(w, "true")
		}
	}
}

// put stores a value. The kernel has it when put returns, and keeps it if the process
// is killed.
func (s *store) put(key, value string) error {
	line, err := json.Marshal(change{key, value})
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return err
	}
	s.held[key] = value
	return nil
}
