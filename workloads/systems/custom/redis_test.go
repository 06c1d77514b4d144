package custom

import (
	"bufio"
	"io"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"squall/history"
	"squall/workloads/listappend"
	"squall/workloads/systems"
)

// redisAt is a store in the protocol of Redis at that port.
func redisAt(port int, change func(r *Redis)) *Definition {
	d := described(port, nil)
	d.Client = Client{Redis: &Redis{}}
	if change != nil {
		change(d.Client.Redis)
	}
	return d
}

// says is a server that answers each command with what say returns; "": it hangs up.
func says(t *testing.T, say func(command []string) string) (port int) {
	return raw(t, func(conn net.Conn, in *bufio.Reader) {
		for {
			r := respReader{in: in, most: 1 << 20}
			v, err := r.read()
			if err != nil {
				return
			}
			var command []string
			for _, arg := range v.([]any) {
				command = append(command, arg.(string))
			}
			text := say(command)
			if text == "" {
				return
			}
			io.WriteString(conn, text)
		}
	})
}

func TestCommandsOfRedis(t *testing.T) {
	var asked journal
	var answer atomic.Pointer[string]
	port := says(t, func(command []string) string {
		asked.note(strings.Join(command, " "))
		return *answer.Load()
	})
	c := connect(t, redisAt(port, func(r *Redis) {
		r.Fail = []string{"NOTREADY"}
		r.Functions.CAS = &RedisCall{Command: []string{"CAS", "${key}", "${expect}", "${value}"}, Done: []RedisMatch{{Is: "1"}},
			Refused: []RedisMatch{{Is: "0", At: "[0]"}}, Found: "[1]"}
	}), nil)
	ctx := t.Context()
	read := func() (any, error) { v, err := c.Read(ctx, "k"); return v, err }
	write := func() (any, error) { return nil, c.Write(ctx, "k", history.Some("a b\r\n")) }
	cas := func() (any, error) {
		done, found, err := c.CAS(ctx, "k", history.Some("1"), history.Some("2"))
		return []any{done, found}, err
	}
	elements := func() (any, error) { v, err := c.Elements(ctx, "k"); return v, err }
	for _, tt := range []struct {
		do      func() (any, error)
		answer  string
		want    any
		certain bool
		says    string // "": it succeeds
	}{
		{read, "$2\r\n\r\n\r\n", history.Some("\r\n"), false, ""},
		{read, "$-1\r\n", history.None, false, ""},
		{read, ":7\r\n", history.Some("7"), false, ""},
		{read, "*1\r\n$1\r\na\r\n", nil, false, "it is an object or a list"},
		{write, "+OK\r\n", nil, false, ""},
		{write, "-MOVED 1 1.2.3.4:1\r\n", nil, true, "MOVED 1"},
		{write, "-NOTREADY\r\n", nil, true, "NOTREADY"},
		{write, "-MOVEDX 1\r\n", nil, false, "MOVEDX"},
		{write, "-TIMEOUT not committed yet\r\n", nil, false, "TIMEOUT"},
		{cas, ":1\r\n", []any{true, history.None}, false, ""},
		{cas, "*2\r\n:0\r\n$1\r\n9\r\n", []any{false, history.Some("9")}, false, ""},
		{cas, "*2\r\n:0\r\n$-1\r\n", []any{false, history.None}, false, ""},
		{cas, "+QUEUED\r\n", nil, false, "means neither"},
		{elements, "*2\r\n$1\r\na\r\n:2\r\n", []string{"a", "2"}, false, ""},
		{elements, "*0\r\n", []string{}, false, ""},
		{read, "HTTP/1.1 400 Bad Request\r\n", nil, false, "is none in the protocol of Redis"},
		{read, "$2\r\nabc\r\n", nil, false, "longer than it says"},
		{read, "$2000000\r\n", nil, false, "longer than 1024 KiB"},
		{read, "*2000000\r\n", nil, false, "longer than 1024 KiB"},
		{read, strings.Repeat("*1\r\n", 10), nil, false, "lists in one another"},
		{write, "", nil, false, "closed the connection"},
	} {
		answer.Store(&tt.answer)
		got, err := tt.do()
		if tt.says == "" {
			if err != nil || tt.want != nil && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%q: %v, %v, want %v", tt.answer, got, err, tt.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.says) || systems.Certain(err) != tt.certain {
			t.Errorf("%q: %v, certain %v; want %q, certain %v", tt.answer, err, systems.Certain(err), tt.says, tt.certain)
		}
	}
	c.Close()
	for _, want := range []string{"GET k", "SET k a b\r\n", "CAS k 1 2", "SMEMBERS k"} {
		if !strings.Contains(strings.Join(asked.list(), "\n"), want) {
			t.Errorf("%q was never asked: %q", want, asked.list())
		}
	}
}

func TestTransactionsOfRedis(t *testing.T) {
	var exec atomic.Pointer[string]
	var asked journal
	port := says(t, func(command []string) string {
		asked.note(strings.Join(command, " "))
		switch command[0] {
		case "MULTI":
			return "+OK\r\n"
		case "EXEC":
			return *exec.Load()
		}
		return "+QUEUED\r\n"
	})
	c := connect(t, redisAt(port, func(r *Redis) { r.Transactions = true }), nil)
	ops := []listappend.Op{{Key: "a"}, {Key: "b", Append: true, Element: "1"}}
	first := "*2\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n:1\r\n"
	exec.Store(&first)
	lists, err := c.Transact(t.Context(), ops)
	if err != nil || !reflect.DeepEqual(lists, [][]string{{"x", "y"}, nil}) {
		t.Errorf("%v, %v", lists, err)
	}
	if want := []string{"MULTI", "LRANGE a 0 -1", "RPUSH b 1", "EXEC"}; !reflect.DeepEqual(asked.list(), want) {
		t.Errorf("asked %q, want %q", asked.list(), want)
	}
	for answer, certain := range map[string]bool{
		"-EXECABORT Transaction discarded\r\n": true,
		"*-1\r\n":                              true,
		"*1\r\n:1\r\n":                         false,
		"*2\r\n*0\r\n-CLUSTERDOWN x\r\n":       false, // the other was done
	} {
		exec.Store(&answer)
		if _, err := c.Transact(t.Context(), ops); err == nil || systems.Certain(err) != certain {
			t.Errorf("%q: %v, certain %v, want %v", answer, err, systems.Certain(err), certain)
		}
	}
	if lacks := c.Lacks("append"); lacks != nil {
		t.Errorf("it lacks %v", lacks)
	}
	c.Close()
}

func TestWhatAConnectionBeginsWith(t *testing.T) {
	port := says(t, func(command []string) string {
		if command[0] == "AUTH" && command[1] != "secret" {
			return "-WRONGPASS invalid password\r\n"
		}
		return "+OK\r\n"
	})
	with := func(password string) *Definition {
		return redisAt(port, func(r *Redis) { r.Connect = []RedisCommand{{[]string{"AUTH", password}}, {[]string{"SELECT", "1"}}} })
	}
	connect(t, with("secret"), nil)
	s, err := New(with("wrong"), Run{})
	if err != nil {
		t.Fatal(err)
	}
	dial, _ := systems.As[systems.Dialer](s)
	if _, err := dial.Dial(t.Context(), localhost); !systems.Certain(err) || !strings.Contains(err.Error(), "AUTH: WRONGPASS") {
		t.Errorf("%v, want that the password is wrong", err)
	}
}

func FuzzAnswersOfRedis(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "-ERR x\r\n", ":12\r\n", "$2\r\nab\r\n", "$-1\r\n", "*2\r\n:1\r\n*1\r\n$0\r\n\r\n", "*9999999\r\n", "$\r\n", "\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := bufio.NewReader(strings.NewReader(text))
		r := respReader{in: in, most: 1 << 10}
		v, err := r.read()
		if err == nil && size(v) > 4*len(text) {
			t.Errorf("%d bytes became %v", len(text), v)
		}
	})
}

// size is about how much an answer holds.
func size(v any) int {
	switch v := v.(type) {
	case []any:
		n := 1
		for _, item := range v {
			n += size(item)
		}
		return n
	case string:
		return len(v)
	}
	return 1
}
